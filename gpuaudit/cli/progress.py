"""Progress of long steps on stderr: a bar with the time left on a terminal, a few lines everywhere else."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, TypeAlias

from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn
from rich.progress import Progress as Bar
from typing_extensions import override

from gpuaudit.cli import console
from gpuaudit.printable import printable
from gpuaudit.units import Seconds

# A fleet is counted without anything that measures.
if TYPE_CHECKING:
    from gpuaudit.workload.bench import Progress

Told: TypeAlias = Callable[[int, int], None]
"""Is told how many of how many are done."""

# How often a log is told what a terminal shows all the time.
_A_LINE_EVERY: Final = Seconds(30.0)
_COLUMNS: Final = (
    TextColumn("{task.description}", markup=False),
    BarColumn(),
    TextColumn("{task.fields[left]} left", markup=False),
)


class _Announced:
    """Says before the first step how long it may all take; in a pipe or a log, nothing more."""

    def __init__(self) -> None:
        self._said = False

    def update(self, step: str, *, fraction: float, left: Seconds) -> None:  # noqa: ARG002 - the protocol's
        """Announce the run, once."""
        if not self._said:
            self._said = True
            console.say(f"measuring: up to {_spoken(left)}")


class _Drawn(_Announced):
    """Draws a bar too."""

    def __init__(self, bar: Bar, task: TaskID) -> None:
        super().__init__()
        self._bar = bar
        self._task = task

    @override
    def update(self, step: str, *, fraction: float, left: Seconds) -> None:
        """Move the bar on."""
        super().update(step, fraction=fraction, left=left)
        self._bar.update(self._task, completed=fraction, description=printable(step), left=_spoken(left))


@contextmanager
def shown_progress() -> Iterator[Progress]:
    """Show on stderr how far a run has come; the bar is gone when it is over."""
    if not console.may_draw():
        yield _Announced()
        return
    with _drawn("") as (bar, task):
        yield _Drawn(bar, task)


@contextmanager
def counted(what: str, clock: Callable[[], float] = time.monotonic) -> Iterator[Told]:
    """Show on stderr how many of how many `what` are done, and how long the others will take at the pace so far.

    On a terminal it is a bar, gone when it is over; elsewhere a line every half minute. At its end both say how many of several were done.

    Args:
        what: The things that are counted, in the plural: our own word.
        clock: Seconds from any beginning.
    """
    pace = _Pace(what, clock)
    if console.may_draw():
        with _drawn(what) as (bar, task):

            def move(done: int, of: int) -> None:
                pace.take(done, of)
                bar.update(task, completed=done, total=of, description=pace.count(), left=_spoken(pace.left()))

            yield move
    else:

        def tell(done: int, of: int) -> None:
            pace.take(done, of)
            if pace.is_time_for_a_line():
                console.say(f"{pace.count()}, about {_spoken(pace.left())} left")

        yield tell
    if pace.of > 1:
        console.say(pace.count())


class _Pace:
    """How many are done, and how long one takes."""

    def __init__(self, what: str, clock: Callable[[], float]) -> None:
        self._what = what
        self._clock = clock
        self._began = self._said = clock()
        self._done = 0
        self.of = 0

    def take(self, done: int, of: int) -> None:
        self._done, self.of = done, of

    def count(self) -> str:
        return f"{self._done:,} of {self.of:,} {self._what}"

    def left(self) -> Seconds:
        """Return the seconds that the others take if each takes as long as those before; without end before the first."""
        passed = self._clock() - self._began
        return Seconds(passed / self._done * (self.of - self._done) if self._done else float("inf"))

    def is_time_for_a_line(self) -> bool:
        now = self._clock()
        if not 0 < self._done < self.of or now - self._said < _A_LINE_EVERY:
            return False
        self._said = now
        return True


@contextmanager
def _drawn(what: str) -> Iterator[tuple[Bar, TaskID]]:
    with Bar(*_COLUMNS, console=Console(stderr=True), transient=True) as bar:
        yield bar, bar.add_task(what, total=1.0, left="")


def _spoken(seconds: Seconds) -> str:
    if seconds == float("inf"):
        return "?"
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.1f} min"
