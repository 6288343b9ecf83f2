"""Simulated cards for the tests of the collector, and a flat view of what it read from them."""

from __future__ import annotations

import ctypes
import dataclasses
import threading
from typing import Any

import pynvml

from gpuaudit.evidence.device import NvmlEvidence
from gpuaudit.evidence.reading import Known, Unknown
from gpuaudit.simulated.device import SimulatedDevice
from gpuaudit.simulated.libnvml import SimulatedLibrary
from gpuaudit.simulated.profile import load_profile
from gpuaudit.simulated.spec import honest_device, simulated_device

A100 = load_profile("a100-sxm4-40gb")

# The same card with two links instead of twelve, where every call counts: a sweep makes hundreds of thousands.
A100_TWO_LINKS = dataclasses.replace(A100, reported=dataclasses.replace(A100.reported, nvlink_count=2))

# A newer form of a question -> the older one that is asked where the library does not have the newer.
OLDER_FORM = {
    "nvmlSystemGetCudaDriverVersion_v2": "nvmlSystemGetCudaDriverVersion",
    "nvmlDeviceGetMemoryInfo_v2": "nvmlDeviceGetMemoryInfo",
    "nvmlDeviceGetCurrentClocksEventReasons": "nvmlDeviceGetCurrentClocksThrottleReasons",
    "nvmlDeviceGetTemperatureV": "nvmlDeviceGetTemperature",
    "nvmlDeviceGetComputeRunningProcesses_v2": "nvmlDeviceGetComputeRunningProcesses_v3",
    "nvmlDeviceGetGraphicsRunningProcesses_v2": "nvmlDeviceGetGraphicsRunningProcesses_v3",
}
NEWER_FORM = {older: newer for newer, older in OLDER_FORM.items()}


def card(index: int = 0, **changes: Any) -> SimulatedDevice:
    return dataclasses.replace(honest_device(index, A100), **changes)


def card_with_two_links(index: int = 0, **changes: Any) -> SimulatedDevice:
    return simulated_device(index, physical=A100, reported=A100_TWO_LINKS, **changes)


def readings(evidence: NvmlEvidence) -> dict[str, Known[Any] | Unknown]:
    """Every reading by its path, `devices.0.pci.bus_id`; a list of links as a reading of its length and those within."""
    return dict(_readings("", evidence))


def _readings(path: str, value: Any) -> list[tuple[str, Known[Any] | Unknown]]:
    match value:
        case Known(value=tuple() as items, source=source):
            return [(path, Known(value=len(items), source=source)), *_readings(path, items)]
        case Known() | Unknown():
            return [(path, value)]
        case tuple():
            return [each for index, item in enumerate(value) for each in _readings(f"{path}.{index}".strip("."), item)]
        case int():
            return []
        case _:
            return [
                each
                for field in dataclasses.fields(value)
                for each in _readings(f"{path}.{field.name}".strip("."), getattr(value, field.name))
            ]


def value_of(reading: Any) -> Any:
    assert isinstance(reading, Known), reading
    return reading.value


def reason_of(reading: Any) -> Any:
    assert isinstance(reading, Unknown), reading
    return reading.reason


def hang_on(library: SimulatedLibrary, function: str, *, position: int, gate: threading.Event) -> None:
    """Let `function` wait for `gate` on one device and answer as before on the others."""
    pynvml.nvmlInit()
    hung = _address(pynvml.nvmlDeviceGetHandleByIndex(position))
    pynvml.nvmlShutdown()

    def call(handle: Any, *rest: Any) -> Any:
        return int(gate.wait()) if _address(handle) == hung else before(handle, *rest)

    before = library.replace(function, call)


def _address(handle: Any) -> int | None:
    return ctypes.cast(handle, ctypes.c_void_p).value
