"""Progress of a measuring run: a bar on a terminal, one line before it everywhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, TaskID, TextColumn
from rich.progress import Progress as Bar
from typing_extensions import override

from gpuaudit.cli import console
from gpuaudit.printable import printable
from gpuaudit.units import Seconds
from gpuaudit.workload.bench import Progress


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
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), TextColumn("{task.fields[left]} left"))
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        yield _Drawn(bar, bar.add_task("", total=1.0, left=""))


def _spoken(seconds: Seconds) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{seconds / 60:.1f} min"
