"""What NVML said about a device while work ran on it. Reported, never measured: whoever owns NVML can replay a curve."""

from __future__ import annotations

from gpuaudit.evidence.reading import Reading
from gpuaudit.evidence.record import record
from gpuaudit.units import Seconds


@record
class Telemetry:
    """Series sampled beside one run, one value per moment of `offsets_seconds` (from the run's start).

    A series is Unknown as a whole when its first call failed; a later failure ends all series there. Counters (energy) are as
    NVML counts them, since the driver was loaded. `cost_relative` is the part of the run's time that sampling took.
    """

    offsets_seconds: tuple[Seconds, ...]
    sm_clock_megahertz: Reading[tuple[int, ...]]
    memory_clock_megahertz: Reading[tuple[int, ...]]
    power_milliwatts: Reading[tuple[int, ...]]
    energy_millijoules: Reading[tuple[int, ...]]
    temperature_celsius: Reading[tuple[int, ...]]
    throttle_reasons_mask: Reading[tuple[int, ...]]
    gpu_utilization_percent: Reading[tuple[int, ...]]
    pcie_transmit_kilobytes_per_second: Reading[tuple[int, ...]]
    pcie_receive_kilobytes_per_second: Reading[tuple[int, ...]]
    process_count: Reading[tuple[int, ...]]
    cost_relative: float
