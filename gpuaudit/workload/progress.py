"""How far a run has come, by its plan."""

from __future__ import annotations

from gpuaudit.units import Seconds
from gpuaudit.workload.bench import Progress
from gpuaudit.workload.plan import plan
from gpuaudit.workload.suite import Step, Suite


class Tracker:
    """Tells a `Progress` where in the plan a run is."""

    def __init__(self, progress: Progress, suite: Suite, device_count: int) -> None:
        """Begin with the start of the workers for `device_count` devices; torch has been asked what it sees by then."""
        _asked, start, *steps = plan(suite, device_count)
        self._progress = progress
        self._behind = 0.0
        self._whole = start.seconds + sum(step.seconds for step in steps)
        self._share = {line.name: line.seconds for line in steps}
        self._tell(start.name)
        self._behind = start.seconds

    def task(self, step: Step) -> None:
        """Take note that the next task of `step` begins."""
        self._tell(step.name)
        self._behind += self._share[step.name] / len(step.tasks)

    def done(self) -> None:
        """Take note that all is over."""
        self._behind = self._whole
        self._tell("done")

    def _tell(self, name: str) -> None:
        fraction = min(1.0, self._behind / self._whole)
        self._progress.update(name, fraction=fraction, left=Seconds(max(0.0, self._whole - self._behind)))
