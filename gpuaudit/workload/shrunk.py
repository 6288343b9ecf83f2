"""Products that were too slow and were measured at a smaller size: none of them stands in the evidence twice."""

from __future__ import annotations

from collections.abc import Sequence

from gpuaudit.evidence.measurement import Company, GemmTask, Samples, Task
from gpuaudit.evidence.reading import Reading, Reason, Source, Unknown
from gpuaudit.units import Bytes
from gpuaudit.workload.bench import Target
from gpuaudit.workload.suite import Scope, Step, Suite, task_of


class Shrunk:
    """Remembers what is planned and what was measured, per device.

    On a slow device several products can shrink to one size. The first keeps its number; the others, and any that shrinks to a
    product that the suite measures anyway, are Unknown: no choice between two numbers of one thing is left to anyone.
    """

    def __init__(self, suite: Suite) -> None:
        """Take note of every product that `suite` plans for single devices."""
        self._planned: set[tuple[Company, Task]] = {
            (step.company, task_of(spec, free_bytes=Bytes(0), backend=""))
            for step in suite.steps
            if step.scope is Scope.DEVICE
            for spec in step.tasks
        }
        self._measured: set[tuple[Company, Task, tuple[int, ...]]] = set()

    def admit(
        self, step: Step, subjects: Sequence[Target], planned: Task, task: Task, samples: Reading[Samples]
    ) -> tuple[Task, Reading[Samples]]:
        """Return what goes into the evidence for `planned`, of which `task` was measured."""
        if task == planned or not isinstance(task, GemmTask):
            return task, samples
        here = (step.company, task, tuple(id(target) for target in subjects))
        if (step.company, task) in self._planned or here in self._measured:
            detail = f"too slow for the budget; {task.m}x{task.n}x{task.k} fits, and is measured already or will be"
            return planned, Unknown(reason=Reason.TIMED_OUT, source=Source.WORKLOAD, detail=detail)
        self._measured.add(here)
        return task, samples
