"""The devices' part of a suite: all at once, one by one, in pairs and as a group, each with its telemetry."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from gpuaudit.evidence.measurement import Company, Measurement
from gpuaudit.evidence.reading import Known, Reading, Reason, Source, Unknown
from gpuaudit.evidence.telemetry import Telemetry
from gpuaudit.units import Bytes
from gpuaudit.workload.bench import Target
from gpuaudit.workload.crew import Crew
from gpuaudit.workload.messages import HOST, InGroup, Measure, Measured, Partners, Single, WithPeer
from gpuaudit.workload.plan import steps_for
from gpuaudit.workload.progress import Tracker
from gpuaudit.workload.shrunk import Shrunk
from gpuaudit.workload.subjects import busy_reading, measurement_of, not_sampled, subjects_of
from gpuaudit.workload.suite import Scope, Spec, Step, Suite, task_of
from gpuaudit.workload.telemetry import Recorder, Sampler

_BACKEND: Final = "nccl"
_OF_SEVERAL: Final = Unknown(
    reason=Reason.NOT_ATTEMPTED, source=Source.NVML, detail="a task of several devices has no series of one"
)


class DeviceRun:
    """One run on CUDA devices. Busy ones get neither a worker nor a sampler."""

    def __init__(self, suite: Suite, targets: Sequence[Target], sampler: Sampler, folder: Path) -> None:
        """Start telemetry; workers start with the first step.

        Args:
            suite: What to run.
            targets: The devices.
            sampler: Where their counters are read.
            folder: Where processes of a group meet; theirs alone.
        """
        self._suite = suite
        self._targets = tuple(targets)
        self._folder = folder
        self._meetings = 0
        self._shrunk = Shrunk(suite)
        # The last seat opens no device of its own: it works between pairs, so that no other worker touches a second device.
        self._pair_seat = len(self._targets)
        self._crew = Crew([*(target.uuid for target in targets), HOST], suite.limits, alarm=self._too_hot)
        self._recorders = {
            position: Recorder(sampler, target.uuid) for position, target in enumerate(self._targets) if not target.busy
        }

    def __enter__(self) -> Self:
        """Return the run."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """End workers and telemetry."""
        self._crew.__exit__(kind, error, trace)
        for recorder in self._recorders.values():
            recorder.stop()

    def measurements(self, tracker: Tracker) -> Iterator[Measurement]:
        """Yield one measurement per task and subject, in the order of the plan."""
        # All at once, for the time it takes to load torch; whoever fails is asked again, and Unknown, with its first task.
        self._crew.open([*self._recorders, self._pair_seat])
        for step in steps_for(self._suite, len(self._targets)):
            self._let_sample(step)
            for spec in step.tasks:
                tracker.task(step)
                if step.scope is Scope.DEVICE and step.company is Company.TOGETHER:
                    yield from self._together(step, spec)
                else:
                    for subjects in self._subjects(step, spec):
                        yield self._in_turn(step, spec, subjects)
        tracker.done()

    def _together(self, step: Step, spec: Spec) -> Iterator[Measurement]:
        results = self._crew.measure({position: self._order(step, spec, Single()) for position in self._recorders})
        for position, target in enumerate(self._targets):
            yield self._measurement(step, spec, (position,), busy_reading((target,)) if target.busy else results[position])

    def _in_turn(self, step: Step, spec: Spec, subjects: tuple[int, ...]) -> Measurement:
        """Measure on one device, between two or over all, while the others rest."""
        targets = [self._targets[position] for position in subjects]
        if any(target.busy for target in targets):
            return self._measurement(step, spec, subjects, busy_reading(targets))
        orders = self._orders(step, spec, subjects)
        results = self._crew.measure(orders)
        return self._measurement(step, spec, subjects, results[min(orders)])

    def _orders(self, step: Step, spec: Spec, subjects: tuple[int, ...]) -> dict[int, Measure]:
        match step.scope:
            case Scope.PAIRS:
                first, second = (self._targets[position].uuid for position in subjects)
                return {self._pair_seat: self._order(step, spec, WithPeer(first_uuid=first, second_uuid=second))}
            case Scope.GROUP:
                self._meetings += 1
                meeting_file = str(self._folder / f"meeting-{self._meetings}")
                return {
                    position: self._order(step, spec, InGroup(rank=rank, size=len(subjects), meeting_file=meeting_file))
                    for rank, position in enumerate(subjects)
                }
            case Scope.DEVICE | Scope.HOST:
                return {position: self._order(step, spec, Single()) for position in subjects}

    def _order(self, step: Step, spec: Spec, partners: Partners) -> Measure:
        return Measure(
            spec=spec,
            partners=partners,
            sampling=self._suite.sampling,
            budget_seconds=step.budget_seconds,
            least_seconds=step.least_seconds,
        )

    def _subjects(self, step: Step, spec: Spec) -> Iterator[tuple[int, ...]]:
        """Yield subjects as positions: two targets may bear one UUID."""
        places = {id(target): position for position, target in enumerate(self._targets)}
        for subjects in subjects_of(step, spec, self._targets):
            yield tuple(places[id(target)] for target in subjects)

    def _measurement(self, step: Step, spec: Spec, subjects: tuple[int, ...], result: Measured | Unknown) -> Measurement:
        targets = [self._targets[position] for position in subjects]
        planned = task_of(spec, free_bytes=Bytes(0), backend=_BACKEND)
        if isinstance(result, Unknown):
            return measurement_of(step, planned, targets, result, not_sampled(result))
        task, samples = self._shrunk.admit(step, targets, planned, result.task, result.samples)
        if isinstance(samples, Unknown) or not step.telemetry:
            return measurement_of(step, task, targets, samples, not_sampled(samples))
        return measurement_of(step, task, targets, samples, self._telemetry(subjects, result))

    def _telemetry(self, subjects: tuple[int, ...], result: Measured) -> Reading[Telemetry]:
        if len(subjects) > 1:
            return _OF_SEVERAL
        return self._recorders[subjects[0]].between(result.began, result.ended)

    def _let_sample(self, step: Step) -> None:
        for recorder in self._recorders.values():
            if step.telemetry:
                recorder.resume()
            else:
                recorder.pause()

    def _too_hot(self, position: int) -> Unknown | None:
        """Look at the temperature of a seat's device, or of all for the seat that works between them."""
        limit = self._suite.limits.stop_celsius
        watched = self._recorders if position == self._pair_seat else {position: self._recorders[position]}
        for place, recorder in watched.items():
            match recorder.temperature():
                case Known(value=celsius) if celsius >= limit:
                    detail = f"{self._targets[place].uuid} reached {celsius} degrees Celsius; the suite stops at {limit}"
                    return Unknown(reason=Reason.TOO_HOT, source=Source.NVML, detail=detail)
                case _:
                    continue
        return None
