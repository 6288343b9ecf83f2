"""What a simulated device answers to NVML's questions about what it does now: from `device.state`, within what it reports."""

from __future__ import annotations

import ctypes
import os
from collections.abc import Callable
from typing import Any, Final

from gpuaudit.simulated.device import SimulatedDevice
from gpuaudit.simulated.nvml_answers import (
    INSUFFICIENT_SIZE,
    INVALID_ARGUMENT,
    NOT_FOUND,
    REFUSED,
    SUCCESS,
    VERSION_MISMATCH,
    DeviceFunction,
    long,
    pair,
    put_answer,
    traits_of,
    unsigned,
)
from gpuaudit.simulated.nvml_structs import (
    Bar1Memory,
    Memory,
    MemoryV2,
    ProcessInfo,
    TemperatureV1,
    Utilization,
    address,
    number,
    put,
)
from gpuaudit.simulated.profile import Answer, NotSupported

# What each foreign process of a `SimulatedDevice` holds.
FOREIGN_PROCESS_BYTES: Final = 1024**3
_FIRST_FOREIGN_PID: Final = 900_001
_NO_INSTANCE: Final = 0xFFFFFFFF

_MEMORY_V2: Final = 0x02000028
_TEMPERATURE_V1: Final = 0x0100000C
# In captures of idle cards BAR1 has 0 to 2 MiB in use.
_BAR1_USED: Final = 1024**2
_SAMPLING_MICROSECONDS: Final = 1_000_000


def dynamic_functions() -> dict[str, DeviceFunction]:
    """Return the functions by their C names."""
    return {**_memory(), **_clocks(), **_processes(), **_monitoring()}


def _memory() -> dict[str, DeviceFunction]:
    return {
        "nvmlDeviceGetMemoryInfo": _memory_info,
        "nvmlDeviceGetMemoryInfo_v2": _memory_info_v2,
        "nvmlDeviceGetBAR1MemoryInfo": _bar1_memory_info,
    }


def _clocks() -> dict[str, DeviceFunction]:
    reasons = long(lambda card: card.state.throttle_reasons_mask)
    return {
        "nvmlDeviceGetClockInfo": _clock(
            lambda card: card.state.sm_clock_megahertz, lambda card: card.state.memory_clock_megahertz
        ),
        "nvmlDeviceGetMaxClockInfo": _clock(
            lambda card: traits_of(card).sm_clock_max_megahertz, lambda card: traits_of(card).memory_clock_max_megahertz
        ),
        "nvmlDeviceGetCurrentClocksEventReasons": reasons,
        "nvmlDeviceGetCurrentClocksThrottleReasons": reasons,
    }


def _processes() -> dict[str, DeviceFunction]:
    computing = _process_list(_computing)
    drawing = _process_list(lambda _card: ())
    return {
        "nvmlDeviceGetComputeRunningProcesses_v2": computing,
        "nvmlDeviceGetComputeRunningProcesses_v3": computing,
        "nvmlDeviceGetGraphicsRunningProcesses_v2": drawing,
        "nvmlDeviceGetGraphicsRunningProcesses_v3": drawing,
        "nvmlDeviceGetProcessUtilization": lambda *_arguments: NOT_FOUND,
    }


def _monitoring() -> dict[str, DeviceFunction]:
    codec_idle = pair(lambda _card: (0, _SAMPLING_MICROSECONDS))
    return {
        "nvmlDeviceGetPowerUsage": unsigned(lambda card: card.state.power_milliwatts),
        "nvmlDeviceGetTotalEnergyConsumption": long(lambda card: card.state.energy_millijoules),
        "nvmlDeviceGetTemperature": _temperature,
        "nvmlDeviceGetTemperatureV": _temperature_v,
        "nvmlDeviceGetUtilizationRates": _utilization,
        "nvmlDeviceGetEncoderUtilization": codec_idle,
        "nvmlDeviceGetDecoderUtilization": codec_idle,
        "nvmlDeviceGetPcieThroughput": _pcie_throughput,
        "nvmlDeviceGetPerformanceState": unsigned(lambda _card: 0),
        "nvmlDeviceGetPersistenceMode": unsigned(lambda _card: 1),
        "nvmlDeviceGetComputeMode": unsigned(lambda _card: 0),
        "nvmlDeviceGetDisplayMode": unsigned(lambda _card: 0),
        "nvmlDeviceGetDisplayActive": unsigned(lambda _card: 0),
    }


def _used_bytes(card: SimulatedDevice) -> int:
    return card.state.used_bytes + card.foreign_processes * FOREIGN_PROCESS_BYTES


def _memory_info(card: SimulatedDevice, target: Any) -> int:
    traits = traits_of(card)
    total = traits.memory_total_bytes
    reserved = 0 if isinstance(traits.memory_reserved_bytes, NotSupported) else traits.memory_reserved_bytes
    used = min(_used_bytes(card) + reserved, total)
    put(target, Memory(total=total, free=total - used, used=used))
    return SUCCESS


def _memory_info_v2(card: SimulatedDevice, target: Any) -> int:
    total, reserved = traits_of(card).memory_total_bytes, traits_of(card).memory_reserved_bytes
    if isinstance(reserved, NotSupported):
        return REFUSED
    if MemoryV2.from_address(address(target)).version != _MEMORY_V2:
        return VERSION_MISMATCH
    used = min(_used_bytes(card), total - reserved)
    put(target, MemoryV2(version=_MEMORY_V2, total=total, reserved=reserved, free=total - reserved - used, used=used))
    return SUCCESS


def _bar1_memory_info(card: SimulatedDevice, target: Any) -> int:
    total = traits_of(card).bar1_total_bytes
    if isinstance(total, NotSupported):
        return REFUSED
    put(target, Bar1Memory(total=total, free=total - _BAR1_USED, used=_BAR1_USED))
    return SUCCESS


def _clock(
    sm: Callable[[SimulatedDevice], Answer[int]],
    memory: Callable[[SimulatedDevice], Answer[int]],
) -> DeviceFunction:
    def function(card: SimulatedDevice, kind: Any, target: Any) -> int:
        # nvmlClockType_t: graphics, SM, memory, video.
        match number(kind):
            case 0 | 1:
                return put_answer(sm(card), target)
            case 2:
                return put_answer(memory(card), target)
            case 3:
                return REFUSED
            case _:
                return INVALID_ARGUMENT

    return function


def _computing(card: SimulatedDevice) -> tuple[ProcessInfo, ...]:
    own = (_process(os.getpid(), card.state.used_bytes),) if card.state.used_bytes else ()
    foreign = (_process(_FIRST_FOREIGN_PID + each, FOREIGN_PROCESS_BYTES) for each in range(card.foreign_processes))
    return (*own, *foreign)


def _process(pid: int, used_bytes: int) -> ProcessInfo:
    return ProcessInfo(pid=pid, used_bytes=used_bytes, gpu_instance=_NO_INSTANCE, compute_instance=_NO_INSTANCE)


def _process_list(get: Callable[[SimulatedDevice], tuple[ProcessInfo, ...]]) -> DeviceFunction:
    def function(card: SimulatedDevice, count: Any, infos: Any) -> int:
        running = get(card)
        room = 0 if infos is None else ctypes.c_uint.from_address(address(count)).value
        put(count, ctypes.c_uint(len(running)))
        if room < len(running):
            return INSUFFICIENT_SIZE
        if running:
            put(infos, (ProcessInfo * len(running))(*running))
        return SUCCESS

    return function


def _temperature(card: SimulatedDevice, sensor: Any, target: Any) -> int:
    return put_answer(card.state.temperature_celsius, target) if number(sensor) == 0 else INVALID_ARGUMENT


def _temperature_v(card: SimulatedDevice, target: Any) -> int:
    asked = TemperatureV1.from_address(address(target))
    if asked.version != _TEMPERATURE_V1:
        return VERSION_MISMATCH
    asked.temperature = card.state.temperature_celsius
    return SUCCESS


def _utilization(card: SimulatedDevice, target: Any) -> int:
    put(target, Utilization(gpu=card.state.gpu_utilization_percent, memory=0))
    return SUCCESS


def _pcie_throughput(card: SimulatedDevice, counter: Any, target: Any) -> int:
    # nvmlPcieUtilCounter_t: transmitted, received.
    match number(counter):
        case 0:
            return put_answer(card.state.pcie_transmit_kilobytes_per_second, target)
        case 1:
            return put_answer(card.state.pcie_receive_kilobytes_per_second, target)
        case _:
            return INVALID_ARGUMENT
