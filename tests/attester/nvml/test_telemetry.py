from __future__ import annotations

import dataclasses
import threading
import time
from collections import Counter
from dataclasses import fields

import pytest

from gpuaudit.attester.nvml.telemetry import NvmlSampler
from gpuaudit.evidence.reading import Known, Reason, Source, Unknown
from gpuaudit.simulated.device import DeviceState
from gpuaudit.simulated.nvml import simulated_nvml
from gpuaudit.workload.accelerator import NotMeasurableError
from gpuaudit.workload.telemetry import Moment, Recorder
from tests.attester.nvml.cards import card

STATE = DeviceState(
    sm_clock_megahertz=1395,
    memory_clock_megahertz=1215,
    power_milliwatts=401_234,
    energy_millijoules=7_000_000_123,
    temperature_celsius=61,
    throttle_reasons_mask=0x24,
    gpu_utilization_percent=99,
    pcie_transmit_kilobytes_per_second=111,
    pcie_receive_kilobytes_per_second=222,
    used_bytes=2**30,
)
FUNCTIONS = {
    "nvmlDeviceGetClockInfo": ("sm_clock_megahertz", "memory_clock_megahertz"),
    "nvmlDeviceGetPowerUsage": ("power_milliwatts",),
    "nvmlDeviceGetTotalEnergyConsumption": ("energy_millijoules",),
    "nvmlDeviceGetUtilizationRates": ("gpu_utilization_percent",),
    "nvmlDeviceGetPcieThroughput": ("pcie_transmit_kilobytes_per_second", "pcie_receive_kilobytes_per_second"),
    "nvmlDeviceGetComputeRunningProcesses_v2": ("process_count",),
}


def test_every_counter_is_what_nvml_says() -> None:
    device = card(state=dataclasses.replace(STATE))
    with simulated_nvml([card(1), device]), NvmlSampler().watch(device.uuid) as read:
        moment = read()
    values = {each.name: getattr(moment, each.name) for each in fields(Moment)}
    expected = {each.name: getattr(STATE, each.name) for each in fields(DeviceState) if each.name in values}
    assert values == {name: Known(value=value, source=Source.NVML) for name, value in (expected | {"process_count": 1}).items()}


@pytest.mark.parametrize(("function", "names"), FUNCTIONS.items(), ids=list(FUNCTIONS))
def test_a_refused_counter_keeps_its_reason_and_the_others_stand(function: str, names: tuple[str, ...]) -> None:
    device = card(refuses={function: 4})
    with simulated_nvml([device]), NvmlSampler().watch(device.uuid) as read:
        moment = read()
    for each in fields(Moment):
        reading = getattr(moment, each.name)
        if each.name in names:
            assert isinstance(reading, Unknown)
            assert reading.reason is Reason.NO_PERMISSION
        else:
            assert isinstance(reading, Known)


@pytest.mark.parametrize(
    ("newer", "older", "name"),
    [
        ("nvmlDeviceGetTemperatureV", "nvmlDeviceGetTemperature", "temperature_celsius"),
        ("nvmlDeviceGetCurrentClocksEventReasons", "nvmlDeviceGetCurrentClocksThrottleReasons", "throttle_reasons_mask"),
    ],
)
def test_an_older_library_is_asked_in_the_older_way(newer: str, older: str, name: str) -> None:
    device = card(state=dataclasses.replace(STATE))
    with simulated_nvml([device]) as library:
        library.remove(newer)
        with NvmlSampler().watch(device.uuid) as read:
            moment = read()
    assert older in library.calls
    assert getattr(moment, name) == Known(value=getattr(STATE, name), source=Source.NVML)


def test_one_slow_counter_is_read_per_moment_and_the_last_value_of_the_others_stands() -> None:
    """NVML takes 20 ms for each direction of PCIe: both at every moment would halve the rhythm."""
    device = card(state=dataclasses.replace(STATE))
    with simulated_nvml([device]) as library, NvmlSampler().watch(device.uuid) as read:
        library.calls.clear()
        moments = [read() for _ in range(30)]
    calls = Counter(library.calls)
    assert calls["nvmlDeviceGetPcieThroughput"] == 20
    assert calls["nvmlDeviceGetComputeRunningProcesses_v2"] == 10
    assert calls["nvmlDeviceGetPowerUsage"] == 30
    assert moments[-1].pcie_receive_kilobytes_per_second == Known(value=222, source=Source.NVML)


def test_nvml_is_stopped_as_often_as_it_was_started() -> None:
    device = card()
    with simulated_nvml([device]) as library:
        with NvmlSampler().watch(device.uuid) as read:
            read()
        assert Counter(library.calls)["nvmlShutdown"] == 1
        with pytest.raises(NotMeasurableError), NvmlSampler().watch("GPU-unknown"):
            pytest.fail("a device that is not there was opened")
        assert Counter(library.calls)["nvmlShutdown"] == 2


@pytest.mark.parametrize(
    ("refuses", "reason"),
    [({"nvmlInitWithFlags": 9}, Reason.NOT_FOUND), ({"nvmlDeviceGetHandleByUUID": 15}, Reason.LOST)],
    ids=["driver-not-loaded", "lost"],
)
def test_a_device_that_cannot_be_opened_has_a_reason(refuses: dict[str, int], reason: Reason) -> None:
    device = card(refuses=refuses)
    with simulated_nvml([device]):
        recorder = Recorder(NvmlSampler(), device.uuid)
        recorder.stop()
        reading = recorder.between(0.0, 1.0)
    assert isinstance(reading, Unknown)
    assert reading.reason is reason


def test_a_call_that_never_returns_holds_up_its_own_thread_only() -> None:
    device = card()
    never, entered = threading.Event(), threading.Event()

    def hang(*_arguments: object) -> int:
        entered.set()
        never.wait()
        return 0

    with simulated_nvml([device]) as library:
        library.replace("nvmlDeviceGetPowerUsage", hang)
        recorder = Recorder(NvmlSampler(), device.uuid)
        assert entered.wait(60)
        began = time.monotonic()
        reading = recorder.between(began - 1, began)
        recorder.stop()
        assert time.monotonic() - began < 30
        never.set()
        recorder.stop()
    assert isinstance(reading, Unknown)
    assert reading.reason is Reason.NOT_CAPTURED
