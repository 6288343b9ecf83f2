"""Do no harm: which devices are loaded."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gpuaudit.attester.busy import targets_of
from gpuaudit.attester.nvml.session import collect_nvml
from gpuaudit.evidence.device import DeviceEvidence, NvmlEvidence, ProcessReadings
from gpuaudit.evidence.reading import Known, Reading, Reason, Source, Unknown
from gpuaudit.simulated.nvml import simulated_nvml
from gpuaudit.simulated.spec import parse_spec
from gpuaudit.units import Bytes
from gpuaudit.workload.bench import Target


def known(value: int) -> Known[int]:
    return Known(value=value, source=Source.NVML)


def unknown(reason: Reason) -> Unknown:
    return Unknown(reason=reason, source=Source.NVML, detail="nvmlDeviceGetComputeRunningProcesses")


@pytest.fixture
def idle() -> DeviceEvidence:
    with simulated_nvml(parse_spec("a100-sxm4-80gb:1")):
        (device,) = collect_nvml().devices
    return device


def evidence(*devices: DeviceEvidence) -> NvmlEvidence:
    with simulated_nvml(()):
        return replace(collect_nvml(), devices=devices)


def running(device: DeviceEvidence, compute: Reading[int], graphics: Reading[int]) -> DeviceEvidence:
    return replace(
        device,
        processes=ProcessReadings(compute_count=compute, graphics_count=graphics, used_bytes=device.processes.used_bytes),
    )


def is_left_alone(device: DeviceEvidence) -> bool:
    (target,) = targets_of(evidence(device), busy_ok=False)
    return target.busy


def test_an_idle_device_is_loaded(idle: DeviceEvidence) -> None:
    assert not is_left_alone(idle)


@pytest.mark.parametrize(
    ("compute", "graphics"),
    [
        pytest.param(known(1), known(0), id="computing"),
        pytest.param(known(0), known(1), id="drawing"),
        pytest.param(unknown(Reason.NO_PERMISSION), known(0), id="list-refused"),
        pytest.param(unknown(Reason.NOT_SUPPORTED), known(0), id="list-not-supported"),
        pytest.param(unknown(Reason.TIMED_OUT), unknown(Reason.TIMED_OUT), id="list-hangs"),
        pytest.param(known(0), unknown(Reason.NO_PERMISSION), id="drawing-refused"),
    ],
)
def test_a_device_in_use_or_perhaps_in_use_is_left_alone_unless_told_so(
    idle: DeviceEvidence, compute: Reading[int], graphics: Reading[int]
) -> None:
    device = running(idle, compute, graphics)
    assert is_left_alone(device)
    (target,) = targets_of(evidence(device), busy_ok=True)
    assert not target.busy


def test_a_device_that_cannot_draw_is_idle_when_nothing_computes(idle: DeviceEvidence) -> None:
    assert not is_left_alone(running(idle, known(0), unknown(Reason.NOT_SUPPORTED)))


@pytest.mark.parametrize(
    ("used", "left_alone"),
    [
        pytest.param(0, False, id="nothing-taken"),
        pytest.param(869 * 2**20, False, id="what-a-driver-keeps"),
        pytest.param(9184 * 2**20, True, id="someone-in-another-container"),
    ],
)
def test_taken_memory_without_processes_is_somebody_in_another_container(
    idle: DeviceEvidence, used: int, left_alone: bool
) -> None:
    taken = replace(idle, memory=replace(idle.memory, used_bytes=Known(value=Bytes(used), source=Source.NVML)))
    assert is_left_alone(taken) is left_alone


def test_a_device_without_uuid_is_no_target(idle: DeviceEvidence) -> None:
    nameless = replace(idle, identity=replace(idle.identity, uuid=unknown(Reason.NOT_SUPPORTED)))
    assert targets_of(evidence(nameless), busy_ok=True) == ()


def test_one_uuid_on_two_devices_is_one_target_in_use_if_either_is(idle: DeviceEvidence) -> None:
    uuid = idle.identity.uuid
    assert isinstance(uuid, Known)
    busy = running(idle, known(1), known(0))
    for pair in ((idle, busy), (busy, idle)):
        assert targets_of(evidence(*pair), busy_ok=False) == (Target(uuid=uuid.value, busy=True),)
    assert targets_of(evidence(idle, idle), busy_ok=False) == (Target(uuid=uuid.value, busy=False),)
