"""A machine that answers challenges: real arithmetic at small size, timed on a virtual clock at the speed of any hardware.

A miniature of a product has all of its figures divided so that memory shrinks to a megabyte and every duration stays what it is
at full size. What answers at which speed is a `Pace`: an honest machine, a pool, one card behind eight slots. Nothing here can be
taken for hardware: the hello says `simulated`, and a result of it is never read at basis challenged.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from typing_extensions import override

from gpuaudit.challenge.assumption import Assumptions
from gpuaudit.challenge.crew import ChallengeCrew, SameProcessCrew
from gpuaudit.challenge.figures import Figures
from gpuaudit.challenge.messages import DeviceKind, SlotOffer, SlotOpening
from gpuaudit.challenge.rivals import lookup_ceiling
from gpuaudit.challenge.sizes import Sizes
from gpuaudit.challenge.slot import ChallengeDevice, NumpyDevice
from gpuaudit.challenge.stopwatch import NANOSECONDS, Stamp, Stopwatch
from gpuaudit.units import Seconds

_WIDTH: Final = 512
_BLOCK_BYTES: Final = 256
_GROUP_ROWS: Final = 256
_MEMORY_BYTES: Final = 512 * 1024
_LARGEST_RUNG: Final = 95


class VirtualStopwatch(Stopwatch):
    """A clock that moves only when told to, both faces together unless one is held back."""

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        """Begin at `start`."""
        self._nanoseconds = 0
        self._wall = start

    @override
    def stamp(self) -> Stamp:
        return Stamp(elapsed_nanoseconds=self._nanoseconds, wall=self._wall)

    def advance(self, seconds: float, *, suspended: float = 0.0) -> None:
        """Let time pass; for `suspended` further seconds only the wall clock runs, as for a clock that stops during sleep."""
        self._nanoseconds += round(seconds * NANOSECONDS)
        self._wall += timedelta(seconds=seconds + suspended)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How fast a machine is: operations of all slots together, bytes looked up of each slot, and the way to it and back."""

    operations_per_second: float
    lookup_bytes_per_second: float
    round_trip: Seconds


def honest_pace(figures: Figures, slots: int, assumptions: Assumptions) -> Pace:
    """Return the pace of a machine with one genuine card for each slot."""
    return Pace(
        operations_per_second=slots * figures.expected_operations,
        lookup_bytes_per_second=figures.bandwidth * assumptions.walk.bandwidth_share,
        round_trip=Seconds(assumptions.walk.round_trip_seconds),
    )


def pool_pace(figures: Figures, cards: int, slots: int, assumptions: Assumptions) -> Pace:
    """Return the pace of a machine with so many cards behind each slot, at the best that they can do."""
    return Pace(
        operations_per_second=slots * cards * figures.ceiling,
        lookup_bytes_per_second=lookup_ceiling(figures, cards),
        round_trip=Seconds(assumptions.walk.round_trip_seconds),
    )


def miniature_assumptions(assumptions: Assumptions) -> Assumptions:
    """Return assumptions for small matrices and blocks, in the same proportion to each other as at full size."""
    shape = replace(assumptions.shape, width=_WIDTH, block_bytes=_BLOCK_BYTES, group_rows=_GROUP_ROWS)
    return replace(assumptions, shape=shape)


def scale_of(figures: Figures) -> float:
    """Return by which number a miniature of this product divides its memory."""
    return figures.memory_bytes / _MEMORY_BYTES


def miniature(figures: Figures, scale: float, full: Assumptions) -> Figures:
    """Return the product at small size: a challenge of the same wish takes it exactly as long.

    Args:
        figures: At full size.
        scale: As `scale_of` the claimed product: rivals must shrink alike.
        full: The assumptions at full size.
    """
    # Work per byte is in proportion to the width.
    work = scale * full.shape.width / _WIDTH
    return replace(
        figures,
        memory_bytes=int(figures.memory_bytes / scale),
        physical_bytes=int(figures.physical_bytes / scale),
        operations=figures.operations / work,
        expected_operations=figures.expected_operations / work,
        ceiling=figures.ceiling / work,
        bandwidth=figures.bandwidth / scale,
        link=figures.link / scale,
        peer_link=figures.peer_link / scale,
    )


class PacedCrew(ChallengeCrew):
    """Devices whose answers are worked out here, and take as long as a `Pace` says."""

    def __init__(self, devices: Sequence[ChallengeDevice], pace: Pace, stopwatch: VirtualStopwatch) -> None:
        """Advance `stopwatch` with every answer."""
        offers = tuple(
            SlotOffer(uuid=f"GPU-SIMULATED-{number}", bus_id=f"{number:08X}:00:00.0", largest_rung=_LARGEST_RUNG)
            for number in range(len(devices))
        )
        self._inner = SameProcessCrew(DeviceKind.SIMULATED, devices, offers)
        self._pace = pace
        self._stopwatch = stopwatch

    @property
    @override
    def kind(self) -> DeviceKind:
        return self._inner.kind

    @override
    def offers(self) -> tuple[SlotOffer, ...]:
        return self._inner.offers()

    @override
    def prepare(self, sizes: Sizes) -> None:
        self._sizes = sizes
        self._inner.prepare(sizes)

    @override
    def fill(self, keys: Sequence[bytes]) -> tuple[tuple[bytes, ...], ...]:
        operations = self._sizes.slots * self._sizes.slot_operations
        self._stopwatch.advance(self._pace.round_trip + operations / self._pace.operations_per_second)
        return self._inner.fill(keys)

    @override
    def walk(self, seeds: Sequence[bytes]) -> tuple[tuple[bytes, ...], ...]:
        self._stopwatch.advance(self._pace.round_trip + self._sizes.walk_bytes / self._pace.lookup_bytes_per_second)
        return self._inner.walk(seeds)

    @override
    def open(self, openings: Sequence[SlotOpening]) -> tuple[bytes, ...]:
        return self._inner.open(openings)

    @override
    def release(self) -> None:
        self._inner.release()


def simulated_devices(slots: int) -> list[ChallengeDevice]:
    """Return honest devices that work things out on the host."""
    return [NumpyDevice() for _ in range(slots)]
