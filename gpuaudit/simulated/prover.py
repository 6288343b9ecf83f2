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

from gpuaudit.catalogue.model import Catalogue, Product, Quantity, Span
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
_SHRINKING: Final = frozenset(
    {
        Quantity.MEMORY_TOTAL_BYTES,
        Quantity.CUDA_MEMORY_TOTAL_BYTES,
        Quantity.MEMORY_BANDWIDTH_BYTES_PER_SECOND,
        Quantity.NVLINK_BIDIRECTIONAL_BYTES_PER_SECOND,
    }
)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Miniature:
    """All products, and what is assumed of them, at small size: a challenge of the same wish takes each exactly as long."""

    catalogue: Catalogue
    assumptions: Assumptions


def miniature_of(claimed: Figures, catalogue: Catalogue, assumptions: Assumptions) -> Miniature:
    """Shrink everything alike, so that the memory of the claimed product becomes half a mebibyte.

    Matrices and blocks get smaller in the same proportion to each other; memory, bandwidth and links by one number, and rates by
    that number times the one for the width, since work per byte is in proportion to the width.
    """
    scale = claimed.memory_bytes / _MEMORY_BYTES
    work = scale * assumptions.shape.width / _WIDTH
    shape = replace(assumptions.shape, width=_WIDTH, block_bytes=_BLOCK_BYTES, group_rows=_GROUP_ROWS)
    links = replace(
        assumptions.links,
        superchip=assumptions.links.superchip / scale,
        other_machine=assumptions.links.other_machine / scale,
        per_lane={generation: rate / scale for generation, rate in assumptions.links.per_lane.items()},
    )
    steps = assumptions.checking.row_steps_per_second * (assumptions.shape.width / _WIDTH) ** 2
    checking = replace(assumptions.checking, row_steps_per_second=steps)
    return Miniature(
        catalogue=replace(catalogue, products=tuple(_shrunk(product, scale, work) for product in catalogue.products)),
        assumptions=replace(assumptions, shape=shape, links=links, checking=checking),
    )


def _shrunk(product: Product, scale: float, work: float) -> Product:
    spans = {quantity: _divided(span, scale) if quantity in _SHRINKING else span for quantity, span in product.spans.items()}
    return replace(product, spans=spans, rates={dtype: _divided(rate, work) for dtype, rate in product.rates.items()})


def _divided(span: Span, number: float) -> Span:
    return replace(span, smallest=span.smallest / number, largest=span.largest / number)


def slowest_pace(cards: Sequence[Figures], assumptions: Assumptions) -> Pace:
    """Return the pace of a machine of these cards, one for each slot: a line is sent when the last of them is done."""
    paces = [honest_pace(card, len(cards), assumptions) for card in cards]
    return Pace(
        operations_per_second=min(pace.operations_per_second for pace in paces),
        lookup_bytes_per_second=min(pace.lookup_bytes_per_second for pace in paces),
        round_trip=Seconds(assumptions.walk.round_trip_seconds),
    )


class SmallDevice(NumpyDevice):
    """A device with so much memory and no more."""

    def __init__(self, memory_bytes: int) -> None:
        """Have so many bytes."""
        super().__init__()
        self._memory_bytes = memory_bytes

    @override
    def prepare(self, sizes: Sizes) -> None:
        if sizes.memory_bytes > self._memory_bytes:
            raise MemoryError(f"{sizes.memory_bytes} bytes are wanted, this simulated device has {self._memory_bytes}")
        super().prepare(sizes)


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
    def walk_epoch(self, seeds: Sequence[bytes]) -> tuple[bytes, ...]:
        whole = self._pace.round_trip + self._sizes.walk_bytes / self._pace.lookup_bytes_per_second
        self._stopwatch.advance(whole / self._sizes.epochs)
        return self._inner.walk_epoch(seeds)

    @override
    def open(self, openings: Sequence[SlotOpening]) -> tuple[bytes, ...]:
        return self._inner.open(openings)

    @override
    def release(self) -> None:
        self._inner.release()


def simulated_devices(slots: int) -> list[ChallengeDevice]:
    """Return honest devices that work things out on the host."""
    return [NumpyDevice() for _ in range(slots)]
