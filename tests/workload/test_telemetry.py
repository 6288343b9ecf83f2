from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import fields
from functools import partial

import pytest

from gpuaudit.evidence.reading import Known, Reading, Reason, Source, Unknown
from gpuaudit.evidence.telemetry import Telemetry
from gpuaudit.units import Seconds
from gpuaudit.workload.accelerator import NotMeasurableError
from gpuaudit.workload.telemetry import INTERVAL_SECONDS, Moment, NoSampler, Recorder, series_of

LOST = Unknown(reason=Reason.LOST, source=Source.NVML, detail="the GPU has fallen off the bus")


def moment(celsius: int = 40, **changes: Reading[int]) -> Moment:
    known = {each.name: Known(value=1, source=Source.NVML) for each in fields(Moment)}
    honest = Moment(**(known | {"temperature_celsius": Known(value=celsius, source=Source.NVML)}))
    return dataclasses.replace(honest, **changes)


class Sampler:
    """Gives one moment after another; `gate`, once closed, blocks every further call for good."""

    def __init__(self, *moments: Moment, cost_seconds: float = 0.0) -> None:
        self.moments = moments or (moment(),)
        self.reads = 0
        self.cost_seconds = cost_seconds
        self.blocked = threading.Event()
        self.never = threading.Event()
        self.closed = False

    @contextmanager
    def watch(self, uuid: str) -> Iterator[Callable[[], Moment]]:
        yield self._read
        self.closed = True

    def _read(self) -> Moment:
        if self.blocked.is_set():
            self.never.wait()
        began = time.thread_time()
        while time.thread_time() - began < self.cost_seconds:
            pass
        self.reads += 1
        return self.moments[min(self.reads, len(self.moments)) - 1]


def telemetry_of(reading: Reading[Telemetry]) -> Telemetry:
    assert isinstance(reading, Known)
    return reading.value


def _has_read(sampler: Sampler, times: int) -> bool:
    return sampler.reads >= times


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "never happened"
        time.sleep(0.005)


def test_a_run_has_the_moments_that_fell_into_it() -> None:
    sampler = Sampler()
    recorder = Recorder(sampler, "GPU-0")
    wait_until(lambda: sampler.reads >= 3)
    begin = time.monotonic()
    seen = sampler.reads
    # The first of them may have begun before, and the last may not be noted yet.
    wait_until(lambda: sampler.reads >= seen + 5)
    telemetry = telemetry_of(recorder.between(begin, time.monotonic()))
    recorder.stop()
    assert len(telemetry.offsets_seconds) >= 3
    assert telemetry.offsets_seconds[0] >= 0
    assert all(
        later > earlier for earlier, later in zip(telemetry.offsets_seconds, telemetry.offsets_seconds[1:], strict=False)
    )
    assert sampler.closed


def test_the_rhythm_is_20_hz_or_better() -> None:
    assert 1 / INTERVAL_SECONDS >= 20


def test_a_sampler_that_blocks_neither_holds_the_run_up_nor_loses_what_was_seen() -> None:
    sampler = Sampler(moment(55))
    recorder = Recorder(sampler, "GPU-0")
    begin = time.monotonic()
    wait_until(lambda: sampler.reads >= 4)
    sampler.blocked.set()
    asked = time.monotonic()
    telemetry = telemetry_of(recorder.between(begin, asked))
    assert recorder.temperature() == Known(value=55, source=Source.NVML)
    time.sleep(3 * INTERVAL_SECONDS)
    later = recorder.between(time.monotonic() - INTERVAL_SECONDS, time.monotonic())
    assert time.monotonic() - asked < 30
    assert len(telemetry.offsets_seconds) >= 2
    assert isinstance(later, Unknown)
    assert later.reason is Reason.NOT_CAPTURED
    stopping = time.monotonic()
    recorder.stop()
    assert time.monotonic() - stopping < 30
    sampler.never.set()


def test_a_device_that_cannot_be_opened_gives_its_reason() -> None:
    class Refusing:
        def watch(self, uuid: str) -> AbstractContextManager[Callable[[], Moment]]:
            raise NotMeasurableError(Reason.NO_PERMISSION, "no permission")

    recorder = Recorder(Refusing(), "GPU-0")
    recorder.stop()
    reading = recorder.between(0.0, 1.0)
    assert isinstance(reading, Unknown)
    assert (reading.reason, reading.detail) == (Reason.NO_PERMISSION, "no permission")
    assert isinstance(recorder.temperature(), Unknown)


def test_without_a_sampler_telemetry_was_not_attempted() -> None:
    recorder = Recorder(NoSampler(), "GPU-0")
    recorder.stop()
    reading = recorder.between(0.0, 1.0)
    assert isinstance(reading, Unknown)
    assert reading.reason is Reason.NOT_ATTEMPTED


def test_a_pause_reads_nothing_until_it_ends() -> None:
    sampler = Sampler()
    recorder = Recorder(sampler, "GPU-0")
    wait_until(lambda: sampler.reads >= 1)
    recorder.pause()
    paused = sampler.reads
    time.sleep(5 * INTERVAL_SECONDS)
    seen = sampler.reads
    # One reading may have been under way.
    assert seen <= paused + 1
    recorder.resume()
    wait_until(lambda: sampler.reads > seen + 1)
    recorder.pause()
    recorder.stop()
    assert sampler.closed


def test_the_cost_of_sampling_is_the_processor_time_it_took() -> None:
    dear, cheap = Sampler(cost_seconds=0.02), Sampler()
    costs = []
    for sampler in (dear, cheap):
        recorder = Recorder(sampler, "GPU-0")
        begin = time.monotonic()
        wait_until(partial(_has_read, sampler, 6))
        end = time.monotonic()
        recorder.stop()
        telemetry = telemetry_of(recorder.between(begin, end))
        assert telemetry.cost_relative <= 1
        costs.append(telemetry.cost_relative * (end - begin) / len(telemetry.offsets_seconds))
    # For each reading.
    assert 0.019 < costs[0] < 0.04
    assert costs[1] < costs[0] / 4


def test_a_counter_that_fails_at_first_is_unknown_throughout() -> None:
    moments = [(Seconds(0.1 * each), moment(power_milliwatts=LOST)) for each in range(3)]
    telemetry = series_of(moments, cost_relative=0.0)
    assert telemetry.power_milliwatts == LOST
    assert telemetry.sm_clock_megahertz == Known(value=(1, 1, 1), source=Source.NVML)


def test_a_counter_that_fails_later_ends_every_series_there() -> None:
    moments = [
        (Seconds(0.0), moment()),
        (Seconds(0.1), moment()),
        (Seconds(0.2), moment(power_milliwatts=LOST)),
        (Seconds(0.3), moment()),
    ]
    telemetry = series_of(moments, cost_relative=0.0)
    assert telemetry.offsets_seconds == (0.0, 0.1)
    assert telemetry.power_milliwatts == Known(value=(1, 1), source=Source.NVML)
    assert telemetry.temperature_celsius == Known(value=(40, 40), source=Source.NVML)


def test_every_series_of_the_evidence_comes_from_a_counter() -> None:
    series = {each.name for each in fields(Telemetry)} - {"offsets_seconds", "cost_relative"}
    assert series == {each.name for each in fields(Moment)}


@pytest.mark.parametrize("count", [1, 2, 25])
def test_all_series_are_as_long_as_the_offsets(count: int) -> None:
    telemetry = series_of([(Seconds(0.04 * each), moment()) for each in range(count)], cost_relative=0.0)
    for name in {each.name for each in fields(Moment)}:
        reading = getattr(telemetry, name)
        assert len(reading.value) == count == len(telemetry.offsets_seconds)
