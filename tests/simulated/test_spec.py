from __future__ import annotations

import contextlib
import dataclasses
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpuaudit.attester.nvml.session import collect_nvml
from gpuaudit.errors import UsageError
from gpuaudit.evidence.reading import Known
from gpuaudit.simulated.nvml import simulated_nvml
from gpuaudit.simulated.profile import known_profiles, load_profile
from gpuaudit.simulated.spec import DEVICES_MAX, parse_spec, simulated_device

A100 = load_profile("a100-sxm4-80gb")
T4 = load_profile("t4")


@pytest.mark.parametrize(
    ("spec", "profiles"),
    [
        ("t4", ["t4"]),
        ("a100-sxm4-80gb:8", ["a100-sxm4-80gb"] * 8),
        ("a100-sxm4-80gb:1,h100-sxm5-80gb:1", ["a100-sxm4-80gb", "h100-sxm5-80gb"]),
        ("t4:2, l40s", ["t4", "t4", "l40s"]),
    ],
)
def test_a_spec_names_devices_in_order(spec: str, profiles: list[str]) -> None:
    devices = parse_spec(spec)
    assert [device.reported.id for device in devices] == profiles
    assert [device.index for device in devices] == list(range(len(profiles)))
    assert all(device.reported is device.physical for device in devices)


def test_the_same_spec_and_seed_give_the_same_machine_and_another_seed_another() -> None:
    spec = "a100-sxm4-80gb:8"
    assert parse_spec(spec, seed=3) == parse_spec(spec, seed=3)
    here, there = parse_spec(spec, seed=3), parse_spec(spec, seed=4)
    assert not {device.uuid for device in here} & {device.uuid for device in there}
    assert not {device.serial for device in here} & {device.serial for device in there}


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**63), st.sampled_from(known_profiles()))
def test_no_two_devices_of_a_machine_are_alike(seed: int, profile: str) -> None:
    devices = parse_spec(f"{profile}:{DEVICES_MAX}", seed=seed)
    for name in ("uuid", "serial", "bus_id"):
        assert len({getattr(device, name) for device in devices}) == DEVICES_MAX
    for device in devices:
        assert re.fullmatch(r"GPU-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", device.uuid)
        assert re.fullmatch(r"[0-9]{13}", device.serial)
        assert re.fullmatch(r"[0-9a-f]{8}:[0-9a-f]{2}:00\.0", device.bus_id)


def test_devices_do_not_share_their_state() -> None:
    first, second = parse_spec("t4:2")
    first.state.used_bytes = 1
    first.refuses["nvmlDeviceGetName"] = 3
    assert second.state.used_bytes == 0
    assert not second.refuses


@pytest.mark.parametrize(
    ("spec", "complaint"),
    [
        pytest.param("", "there is no profile ''; expected one of a100", id="nothing"),
        pytest.param("h100", "there is no profile 'h100'; expected one of a100", id="a-family-is-no-profile"),
        pytest.param("A100-SXM4-80GB", "there is no profile 'A100-SXM4-80GB'", id="ids-are-lower-case"),
        pytest.param("t4,", "there is no profile ''", id="trailing-comma"),
        pytest.param("t4:1:1", "got '1:1', expected a whole number", id="two-counts"),
        pytest.param("t4:0", "got '0', expected a whole number from 1 to 64", id="none"),
        pytest.param("t4:-1", "got '-1', expected a whole number", id="negative"),
        pytest.param("t4:", "got '', expected a whole number", id="no-count"),
        pytest.param("t4:1.5", "got '1.5', expected a whole number", id="fraction"),
        pytest.param("t4:1e9", "got '1e9', expected a whole number", id="exponent"),
        pytest.param("t4:99999999999999999999", "expected a whole number", id="endless"),
        pytest.param("t4:65", "too many devices; expected at most 64", id="one-too-many"),
        pytest.param("t4:64,l40s:1", "too many devices; expected at most 64", id="one-too-many-in-all"),
        pytest.param("t4:999999", "too many devices", id="a-million"),
    ],
)
def test_a_spec_that_cannot_be_is_refused_in_one_line(spec: str, complaint: str) -> None:
    with pytest.raises(UsageError) as error:
        parse_spec(spec)
    assert str(error.value).startswith("--simulate")
    assert complaint in str(error.value)
    assert "\n" not in str(error.value)


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=30))
def test_any_text_is_a_machine_or_a_usage_error(spec: str) -> None:
    with contextlib.suppress(UsageError):
        assert 1 <= len(parse_spec(spec)) <= DEVICES_MAX


def test_a_t4_can_report_that_it_is_an_a100() -> None:
    forged = simulated_device(0, physical=T4, reported=A100)
    with simulated_nvml([forged]):
        name = collect_nvml().devices[0].identity.name
    assert isinstance(name, Known)
    assert name.value == "NVIDIA A100-SXM4-80GB"
    assert forged.physical is T4


def test_one_reported_value_can_be_edited() -> None:
    edited = dataclasses.replace(T4, reported=dataclasses.replace(T4.reported, name="NVIDIA A100-SXM4-80GB"))
    with simulated_nvml([simulated_device(0, physical=T4, reported=edited)]):
        device = collect_nvml().devices[0]
    assert isinstance(device.identity.name, Known)
    assert isinstance(device.pci.device_id, Known)
    assert (device.identity.name.value, device.pci.device_id.value) == ("NVIDIA A100-SXM4-80GB", "10de:1eb8")


def test_one_card_can_be_shown_as_eight() -> None:
    one = simulated_device(0, physical=A100, reported=A100)
    shown = [simulated_device(index, physical=A100, reported=A100, state=one.state) for index in range(8)]
    one.state.power_milliwatts = 123_000
    with simulated_nvml(shown):
        draws = [device.power.draw_milliwatts for device in collect_nvml().devices]
    assert [draw.value for draw in draws if isinstance(draw, Known)] == [123_000] * 8


def test_a_field_that_does_not_exist_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        simulated_device(0, physical=T4, reported=T4, uuid_="GPU-1")
