"""Sampling a device's counters beside a run, without a stalled counter ever holding the run up."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, fields
from types import MappingProxyType
from typing import Final, Protocol

from gpuaudit.evidence.reading import Known, Reading, Reason, Source, Unknown
from gpuaudit.evidence.telemetry import Telemetry
from gpuaudit.units import Seconds
from gpuaudit.workload.accelerator import NotMeasurableError

# 25 Hz: the rhythm asked for is 20 Hz or better, and one slow counter (20 ms) fits between two moments.
INTERVAL_SECONDS: Final = 0.04
_JOIN_SECONDS: Final = 1.0
_NOTHING_REFUSED: Final[Mapping[str, Unknown]] = MappingProxyType({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """All counters of one device at one time; the fields are the series of `Telemetry`."""

    sm_clock_megahertz: Reading[int]
    memory_clock_megahertz: Reading[int]
    power_milliwatts: Reading[int]
    energy_millijoules: Reading[int]
    temperature_celsius: Reading[int]
    throttle_reasons_mask: Reading[int]
    gpu_utilization_percent: Reading[int]
    pcie_transmit_kilobytes_per_second: Reading[int]
    pcie_receive_kilobytes_per_second: Reading[int]
    process_count: Reading[int]


_SERIES: Final = tuple(each.name for each in fields(Moment))


class Sampler(Protocol):
    """Reads the counters of devices. `attester.nvml.telemetry.NvmlSampler` does so through NVML."""

    def watch(self, uuid: str) -> AbstractContextManager[Callable[[], Moment]]:
        """Open the device called `uuid`, give a function that reads one moment, and close it at the end.

        Opening, reading and closing all happen in the one thread that called this.

        Raises:
            NotMeasurableError: The device cannot be opened.
        """
        ...


class NoSampler:
    """Reads nothing, where nobody gave a way to read counters."""

    def watch(self, uuid: str) -> AbstractContextManager[Callable[[], Moment]]:
        """Refuse.

        Raises:
            NotMeasurableError: Always.
        """
        raise NotMeasurableError(Reason.NOT_ATTEMPTED, f"no telemetry was asked for on {uuid}")


@dataclass(slots=True)
class _Log:
    """What a recorder's thread has seen so far; only ever appended to, so that reading needs no lock."""

    moments: list[tuple[float, Moment]] = field(default_factory=list)
    costs: list[float] = field(default_factory=list)
    failure: list[Unknown] = field(default_factory=list)


class Recorder:
    """Samples one device in a thread of its own until it is stopped.

    A call that never returns blocks that thread alone: what was seen before stays, later runs have no telemetry, and the thread is
    given up (it is a daemon thread) when the recorder stops.
    """

    def __init__(self, sampler: Sampler, uuid: str) -> None:
        """Begin to sample the device called `uuid`."""
        self._log = _Log()
        self._stop = threading.Event()
        self._awake = threading.Event()
        self._awake.set()
        self._thread = threading.Thread(target=self._record, args=(sampler, uuid), daemon=True, name=f"telemetry {uuid}")
        self._thread.start()

    def temperature(self) -> Reading[int]:
        """Return the last temperature seen, in degrees Celsius."""
        moments = self._log.moments
        return moments[-1][1].temperature_celsius if moments else _nothing("no sample yet")

    def between(self, begin: float, end: float) -> Reading[Telemetry]:
        """Return what was seen between two moments of `time.monotonic`."""
        log = self._log
        count = min(len(log.moments), len(log.costs))
        chosen = [position for position in range(count) if begin <= log.moments[position][0] <= end]
        if not chosen:
            return log.failure[0] if log.failure else _nothing(f"no sample fell into a run of {end - begin:.3g} s")
        cost = sum(log.costs[position] for position in chosen) / (end - begin)
        moments = [(Seconds(log.moments[position][0] - begin), log.moments[position][1]) for position in chosen]
        return Known(value=series_of(moments, cost_relative=cost), source=Source.NVML)

    def pause(self) -> None:
        """Read nothing until `resume`."""
        self._awake.clear()

    def resume(self) -> None:
        """Read again."""
        self._awake.set()

    def stop(self) -> None:
        """End sampling; wait a moment for the thread, and leave it behind if a call holds it."""
        self._stop.set()
        self._awake.set()
        self._thread.join(_JOIN_SECONDS)

    def _record(self, sampler: Sampler, uuid: str) -> None:
        try:
            with sampler.watch(uuid) as read:
                while self._awake.wait() and not self._stop.is_set():
                    begin, processor = time.monotonic(), time.thread_time()
                    moment = read()
                    self._log.moments.append((begin, moment))
                    self._log.costs.append(time.thread_time() - processor)
                    self._stop.wait(max(0.0, INTERVAL_SECONDS - (time.monotonic() - begin)))
        except NotMeasurableError as error:
            self._log.failure.append(Unknown(reason=error.reason, source=Source.NVML, detail=error.detail))


def series_of(
    moments: Sequence[tuple[Seconds, Moment]], *, cost_relative: float, refused: Mapping[str, Unknown] = _NOTHING_REFUSED
) -> Telemetry:
    """Turn moments into series.

    A counter that failed at the first moment is Unknown throughout; one that failed later ends all series before that moment.

    Args:
        moments: At least one, each with its offset from the run's start.
        cost_relative: Processor time of sampling per second of the run.
        refused: Series that are Unknown whatever the moments hold.
    """
    first = moments[0][1]
    answering = [name for name in _SERIES if isinstance(getattr(first, name), Known)]
    whole = []
    for offset, moment in moments:
        if not all(isinstance(getattr(moment, name), Known) for name in answering):
            break
        whole.append((offset, moment))
    series: dict[str, Reading[tuple[int, ...]]] = {}
    for name in _SERIES:
        reading = refused.get(name, getattr(first, name))
        if isinstance(reading, Known):
            series[name] = Known(value=tuple(getattr(moment, name).value for _, moment in whole), source=reading.source)
        else:
            series[name] = reading
    return Telemetry(
        offsets_seconds=tuple(Seconds(round(offset, 3)) for offset, _ in whole),
        cost_relative=round(cost_relative, 6),
        **series,
    )


def _nothing(detail: str) -> Unknown:
    return Unknown(reason=Reason.NOT_CAPTURED, source=Source.NVML, detail=detail)
