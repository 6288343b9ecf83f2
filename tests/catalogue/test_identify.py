"""Whom the catalogue takes a device for."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pytest

from gpuaudit.attester.capture.bundle import import_capture
from gpuaudit.catalogue.compiled import load_catalogue
from gpuaudit.catalogue.identify import Recognition, identify, identify_name
from tests.catalogue.devices import device

_CATALOGUE = load_catalogue()
_MIB = 2**20
_CAPTURES: Final = Path(__file__).parents[2].parent / "shared" / "captures"

_A800 = {
    "identity.name": "NVIDIA A800-SXM4-80GB",
    "pci.device_id": "10de:20f3",
    "pci.subsystem_id": "10de:179b",
    "memory.total_bytes": 81920 * _MIB,
}


def test_an_honest_a800_is_one() -> None:
    found = identify(device(_A800), _CATALOGUE)
    assert (found.recognition, found.named) == (Recognition.IDENTIFIED, ("a800-sxm4-80gb",))


@pytest.mark.parametrize(
    "forged",
    [
        pytest.param({"identity.name": "NVIDIA A100-SXM4-80GB"}, id="name-alone"),
        pytest.param({"pci.device_id": "10de:20b2"}, id="device-id-alone"),
        pytest.param({"pci.subsystem_id": "10de:1463"}, id="subsystem-id-alone"),
        pytest.param({"identity.gpu_part_number": "20B2-896-A1"}, id="part-number-alone"),
        pytest.param({"memory.total_bytes": 40960 * _MIB}, id="memory-alone"),
    ],
)
def test_a_half_forged_card_contradicts_itself(forged: dict[str, object]) -> None:
    assert identify(device({**_A800, **forged}), _CATALOGUE).recognition is Recognition.CONTRADICTORY


def test_a_fully_forged_card_is_believed_for_these_are_its_own_words() -> None:
    forged = {"identity.name": "NVIDIA A100-SXM4-80GB", "pci.device_id": "10de:20b2", "pci.subsystem_id": "10de:1463"}
    assert identify(device({**_A800, **forged}), _CATALOGUE).named == ("a100-sxm4-80gb",)


def test_a_device_of_which_nothing_is_known_may_be_anything() -> None:
    found = identify(device({}), _CATALOGUE)
    assert found.recognition is Recognition.NOTHING_KNOWN
    assert len(found.candidates) == len(_CATALOGUE.products)


def test_hidden_name_and_ids_leave_what_size_and_chip_allow() -> None:
    found = identify(
        device(
            {
                "identity.compute_capability": "8.0",
                "memory.total_bytes": 81920 * _MIB,
                "memory.bus_width_bits": 5120,
                "clocks.memory_max_megahertz": 1512,
                "identity.gpu_core_count": 6912,
            }
        ),
        _CATALOGUE,
    )
    assert found.recognition is Recognition.AMBIGUOUS
    assert {"a100-pcie-80gb", "a800-pcie-80gb"} <= set(found.candidates)
    assert not {"a100-sxm4-80gb", "a100-sxm4-40gb", "h100-pcie-80gb", "pg506-230-232", "rtx-4090"} & set(found.candidates)


def test_each_observation_says_whom_it_excluded() -> None:
    found = identify(device({"pci.device_id": "10de:20b2", "memory.total_bytes": 81920 * _MIB}), _CATALOGUE)
    seen = {observation.reading: observation for observation in found.observations}
    assert seen["memory total"].seen == "81920 MiB"
    assert "a100-sxm4-40gb" in seen["memory total"].excluded
    assert "a800-sxm4-80gb" in seen["PCI device id"].excluded
    assert "a800-sxm4-80gb" not in seen["memory total"].excluded


@pytest.mark.parametrize(
    ("name", "recognition", "named"),
    [
        pytest.param("NVIDIA A100-SXM4-80GB", Recognition.IDENTIFIED, ("a100-sxm4-80gb",), id="a100"),
        pytest.param("NVIDIA GeForce RTX 4090", Recognition.AMBIGUOUS, ("rtx-4090", "rtx-4090-48gb-mod"), id="rebuilt-or-not"),
        pytest.param("NVIDIA A100-SXM4-80GB MIG 3g.40gb", Recognition.IDENTIFIED, ("mig-a100-80-3g.40gb",), id="slice"),
        pytest.param("GRID A100D-80C", Recognition.IDENTIFIED, ("vgpu-a100-pcie-80",), id="share"),
        pytest.param("NVIDIA GeForce RTX 3080", Recognition.NOT_IN_CATALOGUE, (), id="card-without-facts"),
        pytest.param("NVIDIA Graphics Device", Recognition.NOT_IN_CATALOGUE, (), id="board-unknown-to-its-driver"),
        pytest.param("", Recognition.NOT_IN_CATALOGUE, (), id="empty"),
    ],
)
def test_a_name_alone(name: str, recognition: Recognition, named: tuple[str, ...]) -> None:
    found = identify_name(name, _CATALOGUE)
    assert (found.recognition, found.named) == (recognition, named)


@pytest.mark.skipif(not _CAPTURES.is_dir(), reason="the captures are not here")
@pytest.mark.parametrize(
    ("file", "recognition", "named"),
    [
        pytest.param("k8s-test-infra-hw-a100.xml", Recognition.IDENTIFIED, ("a100-sxm4-40gb",), id="a100-40"),
        pytest.param("k8s-test-infra-hw-h100.xml", Recognition.IDENTIFIED, ("h100-sxm5-80gb",), id="h100-x8"),
        pytest.param("k8s-test-infra-hw-l40s.xml", Recognition.IDENTIFIED, ("l40s",), id="l40s"),
        pytest.param("k8s-test-infra-hw-t4.xml", Recognition.IDENTIFIED, ("t4",), id="t4"),
        pytest.param("telegraf-tesla-t4.xml", Recognition.IDENTIFIED, ("t4",), id="t4-of-driver-515"),
        pytest.param("telegraf-a100-sxm4-v12.xml", Recognition.IDENTIFIED, ("a100-sxm4-80gb",), id="a100-80-cut-into-slices"),
        pytest.param("telegraf-rtx-3080-v13.xml", Recognition.NOT_IN_CATALOGUE, (), id="card-without-facts"),
        # Its own words are an A100's but for a subsystem id that no card has; that alone excludes nothing.
        pytest.param("k8s-test-infra-mock-a100-healthy.xml", Recognition.IDENTIFIED, ("a100-sxm4-40gb",), id="mock"),
    ],
)
def test_captures_of_real_machines(file: str, recognition: Recognition, named: tuple[str, ...]) -> None:
    bundle = import_capture((_CAPTURES / file).read_bytes(), place=file)
    found = [identify(one, _CATALOGUE) for one in bundle.nvml.devices]
    # One capture counts four cards and holds one of them.
    held = [one for one in found if one.recognition is not Recognition.NOTHING_KNOWN]
    assert held
    assert {(one.recognition, one.named) for one in held} == {(recognition, named)}


@pytest.mark.skipif(not _CAPTURES.is_dir(), reason="the captures are not here")
def test_the_subsystem_of_the_mock_is_on_no_list() -> None:
    bundle = import_capture((_CAPTURES / "k8s-test-infra-mock-a100-healthy.xml").read_bytes(), place="mock")
    (subsystem,) = [
        observation
        for observation in identify(bundle.nvml.devices[0], _CATALOGUE).observations
        if observation.reading == "PCI subsystem id"
    ]
    assert not subsystem.listed
