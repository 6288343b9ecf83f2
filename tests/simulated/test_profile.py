from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

from gpuaudit.attester.nvml.session import collect_nvml
from gpuaudit.errors import MalformedFileError, UsageError
from gpuaudit.evidence.device import DeviceEvidence, NvmlEvidence
from gpuaudit.evidence.measurement import Dtype
from gpuaudit.evidence.reading import Known, Reading, Reason, Unknown
from gpuaudit.evidence.toml_file import load_toml
from gpuaudit.simulated.nvml import simulated_nvml
from gpuaudit.simulated.profile import NotSupported, Profile, known_profiles, load_profile
from gpuaudit.simulated.spec import honest_device

CAPTURES = Path(__file__).parents[3] / "shared" / "captures"

PROFILES = (
    "a100-pcie-40gb",
    "a100-pcie-80gb",
    "a100-sxm4-40gb",
    "a100-sxm4-80gb",
    "a800-sxm4-80gb",
    "h100-pcie-80gb",
    "h100-sxm5-80gb",
    "h20-96gb",
    "h200-sxm",
    "h800-sxm5",
    "l40s",
    "rtx-4090",
    "t4",
)


def _first(text: str) -> int:
    return int(text.split(maxsplit=1)[0])


def _mebibytes(text: str) -> int:
    return _first(text) * 2**20


def _milliwatts(text: str) -> int:
    return round(float(text.split(maxsplit=1)[0]) * 1000)


def _pci_id(text: str) -> str:
    return f"{text[4:]}:{text[:4]}".lower()


def _lanes(text: str) -> int:
    return int(text.strip("x"))


# One of the eight H100 of the capture sits on a board with another part number, among seven with one and the same.
ANOTHER_BOARD = "965-2G520-A800-000"

# Where a value lies in the capture, where in the evidence, and how the capture's text reads as that value.
STATIC: tuple[tuple[str, Callable[[DeviceEvidence], Reading[Any]], Callable[[str], Any]], ...] = (
    ("minor_number", lambda d: d.identity.minor_number, int),
    ("board_id", lambda d: d.identity.board_id, lambda text: int(text, 16)),
    ("pci/pci_bus_id", lambda d: d.pci.bus_id, str.lower),
    ("product_name", lambda d: d.identity.name, str),
    ("board_part_number", lambda d: d.identity.board_part_number, str),
    ("vbios_version", lambda d: d.firmware.vbios_version, str),
    ("inforom_version/img_version", lambda d: d.firmware.inforom_image_version, str),
    ("inforom_version/oem_object", lambda d: d.firmware.inforom_oem_version, str),
    ("inforom_version/ecc_object", lambda d: d.firmware.inforom_ecc_version, str),
    ("inforom_version/pwr_object", lambda d: d.firmware.inforom_power_version, str),
    ("gsp_firmware_version", lambda d: d.firmware.gsp_firmware_version, str),
    ("pci/pci_device_id", lambda d: d.pci.device_id, _pci_id),
    ("pci/pci_sub_system_id", lambda d: d.pci.subsystem_id, _pci_id),
    ("pci/pci_gpu_link_info/pcie_gen/max_link_gen", lambda d: d.pci.link_generation_max, int),
    ("pci/pci_gpu_link_info/pcie_gen/current_link_gen", lambda d: d.pci.link_generation_current, int),
    ("pci/pci_gpu_link_info/link_widths/max_link_width", lambda d: d.pci.link_width_max, _lanes),
    (
        "pci/pci_gpu_link_info/link_widths/current_link_width",
        lambda d: d.pci.link_width_current,
        _lanes,
    ),
    ("fb_memory_usage/total", lambda d: d.memory.total_bytes, _mebibytes),
    ("fb_memory_usage/reserved", lambda d: d.memory.reserved_bytes, _mebibytes),
    ("bar1_memory_usage/total", lambda d: d.memory.bar1_total_bytes, _mebibytes),
    ("max_clocks/sm_clock", lambda d: d.clocks.sm_max_megahertz, _first),
    ("max_clocks/mem_clock", lambda d: d.clocks.memory_max_megahertz, _first),
    ("gpu_power_readings/default_power_limit", lambda d: d.power.limit_default_milliwatts, _milliwatts),
    ("gpu_power_readings/current_power_limit", lambda d: d.power.limit_enforced_milliwatts, _milliwatts),
    ("gpu_power_readings/min_power_limit", lambda d: d.power.limit_min_milliwatts, _milliwatts),
    ("gpu_power_readings/max_power_limit", lambda d: d.power.limit_max_milliwatts, _milliwatts),
    ("ecc_mode/current_ecc", lambda d: d.reliability.ecc_enabled, lambda text: {"Enabled": True, "Disabled": False}[text]),
    ("remapped_rows/remapped_row_corr", lambda d: d.reliability.remapped_rows_correctable, int),
    ("remapped_rows/remapped_row_unc", lambda d: d.reliability.remapped_rows_uncorrectable, int),
    (
        "remapped_rows/row_remapper_histogram/row_remapper_histogram_max",
        lambda d: d.reliability.remap_banks_max,
        _first,
    ),
    ("mig_mode/current_mig", lambda d: d.partition.mig_mode, str.lower),
    (
        "gpu_virtualization_mode/virtualization_mode",
        lambda d: d.partition.virtualization_mode,
        lambda text: text.replace("-", "").lower(),
    ),
)


def collected(profile: str, driver_version: str, *bus_ids: str) -> NvmlEvidence:
    devices = [
        dataclasses.replace(honest_device(index, load_profile(profile)), bus_id=bus_id) for index, bus_id in enumerate(bus_ids)
    ]
    with simulated_nvml(devices, driver_version=driver_version):
        return collect_nvml()


@pytest.mark.parametrize(
    ("profile", "capture", "cards"),
    [("a100-sxm4-40gb", "k8s-test-infra-hw-a100.xml", 1), ("h100-sxm5-80gb", "k8s-test-infra-hw-h100.xml", 8)],
)
def test_static_readings_equal_those_of_a_real_machine(profile: str, capture: str, cards: int) -> None:
    if not (CAPTURES / capture).exists():
        pytest.skip(f"no capture {capture} beside the repository")
    log = ET.parse(CAPTURES / capture).getroot()  # noqa: S314 - a file that was looked at
    gpus = log.findall("gpu")
    evidence = collected(profile, log.findtext("driver_version", ""), *(gpu.findtext("pci/pci_bus_id", "") for gpu in gpus))
    assert len(gpus) == len(evidence.devices) == cards
    for path, reading_of, parse in STATIC:
        for gpu, device in zip(gpus, evidence.devices, strict=True):
            written, reading = gpu.findtext(path), reading_of(device)
            assert written is not None, path
            if written == "N/A":
                assert isinstance(reading, Unknown), path
                assert reading.reason is Reason.NOT_SUPPORTED
            elif (path, written) != ("board_part_number", ANOTHER_BOARD):
                assert isinstance(reading, Known), path
                assert reading.value == parse(written), path
    assert len(STATIC) == 32


def test_every_product_that_is_promised_has_a_profile() -> None:
    assert known_profiles() == PROFILES


@pytest.mark.parametrize("profile_id", PROFILES)
def test_a_profile_is_about_the_product_that_it_is_named_for(profile_id: str) -> None:
    profile = load_profile(profile_id)
    assert profile.id == profile_id
    assert profile.sources
    reported, physical = profile.reported, profile.physical
    cores_per_sm = {6: 64, 7: 64, 8: 128, 9: 128}[reported.architecture]
    assert reported.gpu_core_count == physical.sm_count * cores_per_sm
    assert 0.97 * reported.memory_total_bytes < physical.memory_bytes < reported.memory_total_bytes
    assert set(physical.dense_flop_per_second) >= {Dtype.FP64, Dtype.FP32, Dtype.TF32, Dtype.BF16, Dtype.FP16, Dtype.INT8}
    assert reported.power_limit_default_milliwatts == physical.power_limit_milliwatts
    assert reported.device_id.startswith("10de:")


@pytest.mark.parametrize("profile_id", PROFILES)
def test_every_value_names_its_source(profile_id: str) -> None:
    text = (Path(__file__).parents[2] / "gpuaudit/simulated/profiles" / f"{profile_id}.toml").read_text("utf-8")
    values = text.partition("[reported]")[2].splitlines()
    unsourced = [line for line in values if " = " in line and "#" not in line]
    assert unsourced == []
    cited = {
        int(number) for line in values for number in line.partition("#")[2].replace("]", "[").split("[") if number.isdigit()
    }
    assert cited == set(range(1, len(load_profile(profile_id).sources) + 1))


@pytest.mark.parametrize("profile_id", PROFILES)
def test_a_value_without_a_source_is_refused_by_the_card_not_made_up(profile_id: str) -> None:
    traits = load_profile(profile_id).reported
    missing = {field.name for field in dataclasses.fields(traits) if isinstance(getattr(traits, field.name), NotSupported)}
    device = collected(profile_id, "580.105.08", "00000000:07:00.0").devices[0]
    readings: dict[str, Reading[Any]] = {
        "brand": device.identity.brand,
        "board_part_number": device.identity.board_part_number,
        "vbios_version": device.firmware.vbios_version,
        "memory_bus_bits": device.memory.bus_width_bits,
        "memory_reserved_bytes": device.memory.reserved_bytes,
        "bar1_total_bytes": device.memory.bar1_total_bytes,
        "sm_clock_max_megahertz": device.clocks.sm_max_megahertz,
        "power_limit_max_milliwatts": device.power.limit_max_milliwatts,
        "ecc_enabled": device.reliability.ecc_enabled,
    }
    assert {name for name, reading in readings.items() if isinstance(reading, Unknown)} == missing & set(readings)


def test_faster_cards_are_faster() -> None:
    rates = {profile: load_profile(profile).physical.dense_flop_per_second for profile in PROFILES}
    assert rates["h100-sxm5-80gb"][Dtype.BF16] > rates["a100-sxm4-80gb"][Dtype.BF16] > rates["h20-96gb"][Dtype.BF16]
    assert rates["h800-sxm5"][Dtype.BF16] == rates["h100-sxm5-80gb"][Dtype.BF16]
    assert rates["h800-sxm5"][Dtype.FP64] < rates["h100-sxm5-80gb"][Dtype.FP64] / 50
    assert Dtype.FP8 not in rates["a100-sxm4-80gb"]


def test_an_unknown_profile_is_named_and_the_known_ones_listed() -> None:
    with pytest.raises(UsageError, match=r"^--simulate: there is no profile 'h100'; expected one of a100-pcie-40gb, .*, t4$"):
        load_profile("h100")


@pytest.mark.parametrize("profile_id", ["../profile", "a100-sxm4-80gb.toml", "", "t4\0"])
def test_a_profile_id_is_not_a_path(profile_id: str) -> None:
    with pytest.raises(UsageError):
        load_profile(profile_id)


@pytest.mark.parametrize(
    ("edit", "complaint"),
    [
        pytest.param(lambda text: text.replace("gpu_core_count =", "gpu_core_cuont ="), "gpu_core_c", id="misspelt"),
        pytest.param(lambda text: text.replace('name = "Tesla T4"', "name = 4"), "reported.name", id="number-for-text"),
        pytest.param(lambda text: text.replace("brand = 14", 'brand = "14"'), "reported.brand", id="text-for-number"),
        pytest.param(lambda text: text.replace("fp64 =", "fp65 ="), "dense_flop_per_second", id="no-such-type"),
        pytest.param(lambda text: text.replace("schema = 1", "schema = 2"), "schema", id="a-later-schema"),
        pytest.param(lambda text: text.replace("brand = 14", "brand = 2026-11-23"), "reported.brand", id="date"),
        pytest.param(lambda text: text + "]]", "not TOML", id="not-toml"),
    ],
)
def test_a_fault_in_a_profile_is_told_with_its_place(edit: Callable[[str], str], complaint: str) -> None:
    text = (Path(__file__).parents[2] / "gpuaudit/simulated/profiles/t4.toml").read_text("utf-8")
    assert load_toml(Profile, text.encode(), place="t4.toml") == load_profile("t4")
    assert edit(text) != text
    with pytest.raises(MalformedFileError, match=r"^t4\.toml:") as error:
        load_toml(Profile, edit(text).encode(), place="t4.toml")
    assert complaint in str(error.value)
