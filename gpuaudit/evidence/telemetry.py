"""What NVML said about a device while work ran on it. Reported, never measured: whoever owns NVML can replay a curve."""

from __future__ import annotations

import re
import statistics
from enum import IntFlag
from functools import lru_cache
from typing import Annotated, Final, TypeAlias

from pydantic import BeforeValidator, PlainSerializer, ValidationInfo

from gpuaudit.evidence.reading import Known, Reading
from gpuaudit.evidence.record import record
from gpuaudit.units import Seconds

# A day at 20 Hz has 1.7 million moments; a thorough run of eight devices has some hundred thousand values in all its series.
_MOST_VALUES: Final = 2_000_000
_MOST_VALUES_OF_A_DOCUMENT: Final = 4_000_000
_TOKEN: Final = re.compile(r"(-?[0-9]{1,20})(?:\*([0-9]{1,7}))?", re.ASCII)
_INTEGERS: Final = range(-(2**63), 2**64)


class SeriesBudget:
    """How many values the packed series of one document may still give: a few bytes of text can stand for millions."""

    def __init__(self) -> None:
        """Begin with what one document may hold."""
        self._left = _MOST_VALUES_OF_A_DOCUMENT

    def take(self, count: int) -> None:
        """Use up `count` values.

        Raises:
            ValueError: There are not so many left.
        """
        self._left -= count
        if self._left < 0:
            raise ValueError(f"packed series: more than {_MOST_VALUES_OF_A_DOCUMENT} values in one document")


def pack(series: tuple[int, ...]) -> str:
    """Write a series as its first value and then the differences, equal ones counted: 210 210 210 1410 as `210 0*2 1200`."""
    tokens: list[str] = [str(value) for value in series[:1]]
    run = 0
    for position in range(1, len(series)):
        step = series[position] - series[position - 1]
        run += 1
        if position + 1 == len(series) or series[position + 1] - series[position] != step:
            tokens.append(f"{step}*{run}" if run > 1 else str(step))
            run = 0
    return " ".join(tokens)


def unpack(text: object, info: ValidationInfo) -> object:
    """Read what `pack` wrote; anything but text is passed on for the type's own check.

    Args:
        text: The packed series.
        info: Its context is the `SeriesBudget` of the document, if any.

    Raises:
        ValueError: The text is not a packed series, or one of more values than any run gives.
    """
    if not isinstance(text, str):
        return text
    budget = info.context if isinstance(info.context, SeriesBudget) else SeriesBudget()
    values: list[int] = []
    for token in text.split(" ") if text else ():
        step, count = _step(token)
        # Counted before they are made.
        budget.take(count)
        if len(values) + count > _MOST_VALUES:
            raise ValueError(f"packed series: got more than {_MOST_VALUES} values")
        last = values[-1] if values else 0
        values.extend(range(last + step, last + step * (count + 1), step) if step else [last] * count)
        if values[-1] not in _INTEGERS:
            raise ValueError("packed series: a value that does not fit into 64 bits")
    return tuple(values)


# A few hundred tokens make up most series of most machines.
@lru_cache(maxsize=4096)
def _step(token: str) -> tuple[int, int]:
    found = _TOKEN.fullmatch(token)
    if found is None or int(found[2] or 1) == 0:
        raise ValueError(f"packed series: got {token[:40]!a}, expected a difference such as 15 or 0*20")
    return int(found[1]), int(found[2] or 1)


def pack_offsets(offsets: tuple[Seconds, ...]) -> str:
    """Write offsets as a packed series of milliseconds."""
    return pack(tuple(round(offset * 1e3) for offset in offsets))


def unpack_offsets(text: object, info: ValidationInfo) -> object:
    """Read what `pack_offsets` wrote; anything but text is passed on for the type's own check.

    Raises:
        ValueError: As `unpack`.
    """
    milliseconds = unpack(text, info)
    if isinstance(text, str) and isinstance(milliseconds, tuple):
        return tuple(each / 1e3 for each in milliseconds)
    return text


Series: TypeAlias = Annotated[tuple[int, ...], PlainSerializer(pack, return_type=str), BeforeValidator(unpack)]
Offsets: TypeAlias = Annotated[
    tuple[Seconds, ...], PlainSerializer(pack_offsets, return_type=str), BeforeValidator(unpack_offsets)
]


class Throttle(IntFlag):
    """Bits of `throttle_reasons_mask`, as nvml.h names them (nvmlClocksThrottleReason…)."""

    GPU_IDLE = 0x1
    APPLICATIONS_CLOCKS = 0x2
    SW_POWER_CAP = 0x4
    HW_SLOWDOWN = 0x8
    SYNC_BOOST = 0x10
    SW_THERMAL = 0x20
    HW_THERMAL = 0x40
    HW_POWER_BRAKE = 0x80
    DISPLAY_CLOCKS = 0x100


@record
class Telemetry:
    """Series sampled beside one run, one value per moment of `offsets_seconds` (from the run's start).

    A series is Unknown as a whole when its first call failed; a later failure ends all series there. Counters (energy) are as
    NVML counts them, since the driver was loaded. PCIe throughput and processes are read in turn, one of them per moment, because
    NVML takes 20 ms for each; in between, the last value stands. `cost_relative` is the processor time that sampling took per
    second of the run. In JSON a series is packed as text (see `pack`), and so are the offsets, in milliseconds.
    """

    offsets_seconds: Offsets
    sm_clock_megahertz: Reading[Series]
    memory_clock_megahertz: Reading[Series]
    power_milliwatts: Reading[Series]
    energy_millijoules: Reading[Series]
    temperature_celsius: Reading[Series]
    throttle_reasons_mask: Reading[Series]
    gpu_utilization_percent: Reading[Series]
    pcie_transmit_kilobytes_per_second: Reading[Series]
    pcie_receive_kilobytes_per_second: Reading[Series]
    process_count: Reading[Series]
    cost_relative: float


@record
class SeriesSummary:
    """One series in three numbers."""

    smallest: int
    median: float
    largest: int


def summary_of(series: Reading[tuple[int, ...]]) -> Reading[SeriesSummary]:
    """Return smallest, median and largest of a series; Unknown stays Unknown.

    Raises:
        ValueError: The series is Known and empty.
    """
    if not isinstance(series, Known):
        return series
    if not series.value:
        raise ValueError("series: expected at least one value, got none")
    summary = SeriesSummary(smallest=min(series.value), median=statistics.median(series.value), largest=max(series.value))
    return Known(value=summary, source=series.source)


def throttled_seconds(telemetry: Telemetry) -> Reading[dict[Throttle, Seconds]]:
    """Return for each throttle reason how long it was set; several can be at once, and reasons never set are left out.

    Each moment stands for the time until the next; the last one for none.
    """
    masks = telemetry.throttle_reasons_mask
    if not isinstance(masks, Known):
        return masks
    times: dict[Throttle, Seconds] = {}
    moments = telemetry.offsets_seconds
    for mask, begin, end in zip(masks.value, moments, moments[1:], strict=False):
        for reason in Throttle(mask & sum(Throttle)):
            times[reason] = Seconds(times.get(reason, 0.0) + end - begin)
    return Known(value=times, source=masks.source)
