"""Quantities worked out from several readings of one device. All of them only advise: part of each is the machine's own word."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Final

from gpuaudit.appraisal.threshold import Canonical
from gpuaudit.evidence.device import DeviceEvidence
from gpuaudit.evidence.measurement import Dtype, GemmTask, Measurement, MemoryTask
from gpuaudit.evidence.reading import Known, Reading, Reason, Source, Unknown

KNEE: Final = "l2-knee"
PER_CORE_CLOCK: Final = "bf16-per-core-clock"
_MEGA: Final = 1e6


def cache_knee(measurements: Sequence[Measurement], memory_rate: Reading[float], canonical: Canonical) -> Reading[float]:
    """Return the largest working set, in bytes, that a cache still speeds up; zero if none that was tried.

    Args:
        measurements: Those of one device with all at work.
        memory_rate: What its memory copies, which no cache holds.
        canonical: By how much a cache has to show.
    """
    if isinstance(memory_rate, Unknown):
        return memory_rate
    rates: dict[int, float] = {}
    for one in measurements:
        if isinstance(one.task, MemoryTask) and one.task.kind == "cached-copy" and isinstance(one.samples, Known):
            rates[one.task.working_set_bytes] = _median_rate(one)
    if not rates:
        return Unknown(reason=Reason.NOT_FOUND, source=Source.WORKLOAD, detail="no curve of copies in the evidence")
    held = [size for size, rate in rates.items() if rate >= canonical.cache_speedup * memory_rate.value]
    return Known(value=float(max(held, default=0)), source=Source.WORKLOAD)


def per_core_clock(
    device: DeviceEvidence, measurements: Sequence[Measurement], rates: Mapping[str, Reading[float]], canonical: Canonical
) -> Reading[float]:
    """Return bf16 flop per CUDA core and clock, at the median of the SM clock that NVML gave during the canonical run.

    A card that is throttled or capped does as much per clock as ever; one that is another product does not.
    """
    rate = rates.get("gemm-bf16", Unknown(reason=Reason.NOT_FOUND, source=Source.WORKLOAD, detail="not in the evidence"))
    if isinstance(rate, Unknown):
        return rate
    cores = device.identity.gpu_core_count
    if isinstance(cores, Unknown):
        return cores
    clock = _clock_during(measurements, canonical)
    if isinstance(clock, Unknown):
        return clock
    if cores.value <= 0 or clock.value <= 0:
        detail = f"got {cores.value} cores at {clock.value:g} MHz, expected both above zero"
        return Unknown(reason=Reason.FAULT, source=Source.NVML, detail=detail)
    return Known(value=rate.value / (cores.value * clock.value * _MEGA), source=Source.WORKLOAD)


def _clock_during(measurements: Sequence[Measurement], canonical: Canonical) -> Reading[float]:
    shapes = {(shape.m, shape.n, shape.k) for shape in canonical.gemm if shape.dtype is Dtype.BF16}
    for one in measurements:
        task = one.task
        if isinstance(task, GemmTask) and task.dtype is Dtype.BF16 and (task.m, task.n, task.k) in shapes:
            if isinstance(one.telemetry, Unknown):
                return one.telemetry
            clock = one.telemetry.value.sm_clock_megahertz
            if isinstance(clock, Known) and clock.value:
                return Known(value=float(statistics.median(clock.value)), source=clock.source)
    return Unknown(reason=Reason.NOT_FOUND, source=Source.NVML, detail="no SM clock was sampled beside the bf16 product")


def _median_rate(measurement: Measurement) -> float:
    """Return the rate, or zero where the samples make none."""
    samples = measurement.samples
    if isinstance(samples, Unknown):
        return 0.0
    try:
        return samples.value.median_rate()
    except ValueError:
        return 0.0
