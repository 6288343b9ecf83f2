"""The processor's part of a suite: one worker, two where processes talk to each other."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from gpuaudit.evidence.measurement import Measurement
from gpuaudit.evidence.reading import Reason, Source, Unknown
from gpuaudit.units import Bytes
from gpuaudit.workload.crew import Crew, no_alarm
from gpuaudit.workload.messages import HOST, InGroup, Measure, Measured, Partners, Single
from gpuaudit.workload.plan import steps_for
from gpuaudit.workload.progress import Tracker
from gpuaudit.workload.subjects import measurement_of, not_sampled
from gpuaudit.workload.suite import LinkSpec, Spec, Step, Suite, task_of

_RANKS: Final = 2
_NO_DEVICE: Final = Unknown(reason=Reason.NOT_SUPPORTED, source=Source.NVML, detail="a processor is no device of NVML")


class HostRun:
    """Measures the processor. Its numbers have no subject and never stand for a device."""

    def __init__(self, suite: Suite, folder: Path) -> None:
        """Run the host's steps of `suite`; processes meet in `folder`, which must be theirs alone."""
        self._suite = suite
        self._folder = folder
        self._meetings = 0
        self._crew = Crew([HOST] * _RANKS, suite.limits, alarm=no_alarm)

    def __enter__(self) -> Self:
        """Return the run."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """End the workers."""
        self._crew.__exit__(kind, error, trace)

    def measurements(self, tracker: Tracker) -> Iterator[Measurement]:
        """Yield one measurement per task."""
        for step in steps_for(self._suite, 0):
            for spec in step.tasks:
                tracker.task(step)
                orders = {rank: self._order(step, spec, partners) for rank, partners in enumerate(self._partners(spec))}
                result = self._crew.measure(orders)[0]
                if isinstance(result, Measured):
                    yield measurement_of(step, result.task, (), result.samples, _NO_DEVICE)
                else:
                    task = task_of(spec, free_bytes=Bytes(0), backend="gloo")
                    yield measurement_of(step, task, (), result, not_sampled(result))
        tracker.done()

    def _partners(self, spec: Spec) -> list[Partners]:
        if not isinstance(spec, LinkSpec) or spec.kind not in {"all-reduce", "all-to-all"}:
            return [Single()]
        self._meetings += 1
        meeting_file = str(self._folder / f"meeting-{self._meetings}")
        return [InGroup(rank=rank, size=_RANKS, meeting_file=meeting_file) for rank in range(_RANKS)]

    def _order(self, step: Step, spec: Spec, partners: Partners) -> Measure:
        return Measure(
            spec=spec,
            partners=partners,
            sampling=self._suite.host_sampling,
            budget_seconds=step.budget_seconds,
            least_seconds=step.least_seconds,
        )
