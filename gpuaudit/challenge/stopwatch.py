"""The verifier's clock: one that runs on while the machine sleeps, watched by the wall clock.

A clock that stops during sleep (CLOCK_MONOTONIC, and `perf_counter` with it) makes the time too short, and a floor too high.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol

from typing_extensions import override

from gpuaudit.clock import Clock, WallClock
from gpuaudit.errors import MachineError
from gpuaudit.units import Seconds

NANOSECONDS: Final = 1_000_000_000
# More than this between the two clocks, and neither is believed: sleep, a snapshot, or somebody set the time.
_DISAGREEMENT_SECONDS: Final = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """One moment on both clocks; `elapsed_nanoseconds` counts from an arbitrary start."""

    elapsed_nanoseconds: int
    wall: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """From one moment to another, of one stopwatch or of several that count from the same start."""

    began: Stamp
    ended: Stamp


class Stopwatch(Protocol):
    """Tells the moment on both clocks. Implemented by `BootStopwatch` and by the simulation's."""

    def stamp(self) -> Stamp:
        """Return the present moment."""
        ...


class BootStopwatch(Stopwatch):
    """This machine's clock since it was started, sleep included."""

    def __init__(self, wall: Clock | WallClock = WallClock()) -> None:  # noqa: B008 - it has no state
        """Watch it by `wall`."""
        self._wall = wall

    @override
    def stamp(self) -> Stamp:
        return Stamp(elapsed_nanoseconds=_since_boot(), wall=self._wall.now())


def seconds_between(began: Stamp, ended: Stamp) -> Seconds:
    """Return the time between two moments.

    Raises:
        MachineError: The two clocks disagree about it.
    """
    elapsed = (ended.elapsed_nanoseconds - began.elapsed_nanoseconds) / NANOSECONDS
    wall = (ended.wall - began.wall).total_seconds()
    if abs(elapsed - wall) > _DISAGREEMENT_SECONDS:
        raise MachineError(
            f"clock: {elapsed:.3f} s passed on one clock and {wall:.3f} s on the other; expected at most "
            f"{_DISAGREEMENT_SECONDS} s between them; was the machine suspended, or the time set?"
        )
    return Seconds(elapsed)


def _since_boot() -> int:
    # On macOS this one runs on during sleep; Linux has one by that name that does not.
    clock = "CLOCK_MONOTONIC_RAW" if sys.platform == "darwin" else "CLOCK_BOOTTIME"
    return time.clock_gettime_ns(getattr(time, clock))
