"""A device's memory, clocks and power."""

from __future__ import annotations

from collections.abc import Callable
from operator import attrgetter, itemgetter
from typing import Any, Final

from gpuaudit.attester.nvml.answers import number
from gpuaudit.attester.nvml.read import Reader, unless_missing
from gpuaudit.evidence.device import ClockReadings, MemoryReadings, PowerReadings
from gpuaudit.evidence.reading import Reading
from gpuaudit.units import Bytes, Megahertz, Milliwatts

# nvmlMemory_v2 of nvml.h: the struct's version in the top byte, its size of 40 bytes below.
_MEMORY_V2: Final = 0x02000028
# Values of nvmlClockType_t and nvmlTemperatureSensors_t in nvml.h.
_SM_CLOCK: Final = 1
_MEMORY_CLOCK: Final = 2
_GPU_SENSOR: Final = 0


def read_memory(reader: Reader, device: Any) -> MemoryReadings:
    """Ask for the frame buffer and BAR1.

    The older form of the question knows no reserved memory and counts it as used: where `reserved_bytes` is Unknown,
    `used_bytes` includes it.
    """
    return MemoryReadings(
        total_bytes=_memory(reader, device, "total"),
        reserved_bytes=reader.read("nvmlDeviceGetMemoryInfo", device, _MEMORY_V2, of=_bytes("reserved")),
        used_bytes=_memory(reader, device, "used"),
        free_bytes=_memory(reader, device, "free"),
        bus_width_bits=reader.read("nvmlDeviceGetMemoryBusWidth", device, of=number),
        bar1_total_bytes=reader.read("nvmlDeviceGetBAR1MemoryInfo", device, of=_bytes("bar1Total")),
        bar1_used_bytes=reader.read("nvmlDeviceGetBAR1MemoryInfo", device, of=_bytes("bar1Used")),
    )


def read_clocks(reader: Reader, device: Any) -> ClockReadings:
    """Ask for current and greatest clocks, and why they are held below."""
    return ClockReadings(
        sm_current_megahertz=reader.read("nvmlDeviceGetClockInfo", device, _SM_CLOCK, of=_megahertz),
        sm_max_megahertz=reader.read("nvmlDeviceGetMaxClockInfo", device, _SM_CLOCK, of=_megahertz),
        memory_current_megahertz=reader.read("nvmlDeviceGetClockInfo", device, _MEMORY_CLOCK, of=_megahertz),
        memory_max_megahertz=reader.read("nvmlDeviceGetMaxClockInfo", device, _MEMORY_CLOCK, of=_megahertz),
        throttle_reasons_mask=unless_missing(
            reader.read("nvmlDeviceGetCurrentClocksEventReasons", device, of=number),
            lambda: reader.read("nvmlDeviceGetCurrentClocksThrottleReasons", device, of=number),
        ),
    )


def read_power(reader: Reader, device: Any) -> PowerReadings:
    """Ask for power limits, draw and temperature."""
    return PowerReadings(
        limit_default_milliwatts=reader.read("nvmlDeviceGetPowerManagementDefaultLimit", device, of=_milliwatts),
        limit_enforced_milliwatts=reader.read("nvmlDeviceGetEnforcedPowerLimit", device, of=_milliwatts),
        limit_min_milliwatts=reader.read("nvmlDeviceGetPowerManagementLimitConstraints", device, of=_milliwatts_at(0)),
        limit_max_milliwatts=reader.read("nvmlDeviceGetPowerManagementLimitConstraints", device, of=_milliwatts_at(1)),
        draw_milliwatts=reader.read("nvmlDeviceGetPowerUsage", device, of=_milliwatts),
        temperature_celsius=unless_missing(
            reader.read("nvmlDeviceGetTemperatureV", device, _GPU_SENSOR, of=number),
            lambda: reader.read("nvmlDeviceGetTemperature", device, _GPU_SENSOR, of=number),
        ),
    )


def _memory(reader: Reader, device: Any, field: str) -> Reading[Bytes]:
    return unless_missing(
        reader.read("nvmlDeviceGetMemoryInfo", device, _MEMORY_V2, of=_bytes(field)),
        lambda: reader.read("nvmlDeviceGetMemoryInfo", device, of=_bytes(field)),
    )


def _bytes(field: str) -> Callable[[Any], Bytes]:
    pick = attrgetter(field)
    return lambda answer: Bytes(number(pick(answer)))


def _megahertz(answer: Any) -> Megahertz:
    return Megahertz(number(answer))


def _milliwatts(answer: Any) -> Milliwatts:
    return Milliwatts(number(answer))


def _milliwatts_at(position: int) -> Callable[[Any], Milliwatts]:
    pick = itemgetter(position)
    return lambda answer: Milliwatts(number(pick(answer)))
