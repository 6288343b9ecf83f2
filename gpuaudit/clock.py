"""The only reader of the wall clock.

Everything that needs the time takes a `Clock`, so that a simulation and a test can set it. Durations of measurements do not
come from here: those use the accelerator's own timer.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Tells what time it is."""

    def now(self) -> datetime:
        """Return the present moment, in UTC."""
        ...


class WallClock:
    """The machine's own clock: what its owner has set it to."""

    def now(self) -> datetime:
        """Return the present moment as the operating system tells it."""
        return datetime.now(UTC)  # noqa: TID251 - this module is where the wall clock is read


class SteppingClock:
    """A clock for simulations: starts at a given moment and moves on at every look."""

    def __init__(self, start: datetime, step: timedelta = timedelta(seconds=1)) -> None:
        """Begin at `start`, which must be in UTC, and add `step` after each look."""
        self._next = start
        self._step = step

    def now(self) -> datetime:
        """Return the moment, then move on."""
        moment = self._next
        self._next += self._step
        return moment


def rfc3339(moment: datetime) -> str:
    """Write `moment` as RFC 3339 in UTC with whole seconds, as `2026-11-23T17:15:06Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
