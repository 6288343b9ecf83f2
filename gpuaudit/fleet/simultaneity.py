"""What machines showed at the same time, and what not: windows that have a moment in common, and floors over all of them.

Nothing that one machine reached in its own window is added to what another reached in another. Work, lookups and memory are those
of all slots of all machines, over the time from the first seed to the last answer; and cards may have served slots in turns.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from gpuaudit.challenge.floors import Assumed, moved_in_bytes_per_second, wrong_shares
from gpuaudit.challenge.sizes import Sizes
from gpuaudit.challenge.stopwatch import NANOSECONDS
from gpuaudit.evidence.record import record
from gpuaudit.units import Bytes, BytesPerSecond, Seconds

APART: Final = "answered at another time than the others: it may be one of their machines"
LATE: Final = "took so long that the others show more without it"


@record
class Window:
    """From a seed's leaving to the answer's arrival, on the verifier's clock, counted from the first seed of the round."""

    began_nanoseconds: int
    ended_nanoseconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One machine's accepted answer: of which sizes, under which assumptions, and when."""

    node: str
    sizes: Sizes
    assumed: Assumed
    fill: Window
    walk: Window


@dataclass(frozen=True, slots=True, kw_only=True)
class Pool:
    """What all answers prove at least of whatever gave them, if no event of probability alpha occurred.

    `operations_per_second` and `lookup_bytes_per_second` are over the whole window. `held_bytes` had to lie in memory at one moment,
    because the links could not have brought them in between; mostly that bounds nothing, and is 0. `cards` is how many of the
    claimed product it takes if nothing else helped, `machines` how many machines of them.
    """

    slots: int
    fill_seconds: Seconds
    walk_seconds: Seconds
    operations_per_second: float
    lookup_bytes_per_second: BytesPerSecond
    held_bytes: Bytes
    cards: int
    machines: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Simultaneity:
    """Which nodes answered at the same time, what that proves, and why the others do not count. No node: no pool."""

    nodes: tuple[str, ...]
    left_out: Mapping[str, str]
    pools: tuple[Pool, ...]


def simultaneity_of(answers: Sequence[Answer], *, seeds: int, lookup_ceiling: float) -> Simultaneity:
    """Find those who answered at the same time, and what they prove together.

    Any choice among the answers is sound, since whoever is chosen is reckoned over a window that holds all of his work. So those who
    are so late that the floors would fall are left out.

    Args:
        answers: All that were accepted.
        seeds: To how many machines of the round a seed was revealed. A machine that failed is not counted, so it had one more
            chance that another would escape: all share the odds.
        lookup_ceiling: The most bytes a second that one claimed card can look up.
    """
    # Those who filled at one moment, and among them those who walked at one.
    filled = [answers[number] for number in sorted(at_one_moment([one.fill for one in answers]))]
    met = [filled[number] for number in sorted(at_one_moment([one.walk for one in filled]))]
    there = {one.node for one in met}
    left_out = {one.node: APART for one in answers if one.node not in there}
    if not met:
        return Simultaneity(nodes=(), left_out=left_out, pools=())
    first_fill, first_walk = _first(one.fill for one in met), _first(one.walk for one in met)
    ordered = sorted(met, key=lambda one: one.fill.ended_nanoseconds - first_fill + one.walk.ended_nanoseconds - first_walk)
    weighed = [weigh(ordered[:count], seeds=seeds, lookup_ceiling=lookup_ceiling) for count in range(1, len(ordered) + 1)]
    best = max(range(len(weighed)), key=lambda number: (weighed[number].cards, number))
    left_out |= {one.node: LATE for one in ordered[best + 1 :]}
    return Simultaneity(nodes=tuple(sorted(one.node for one in ordered[: best + 1])), left_out=left_out, pools=(weighed[best],))


def at_one_moment(windows: Sequence[Window]) -> frozenset[int]:
    """Return which of the windows hold one moment: the earliest of those that lie in the most of them."""
    best: frozenset[int] = frozenset()
    for moment in sorted({one.began_nanoseconds for one in windows}):
        holding = frozenset(
            number for number, one in enumerate(windows) if one.began_nanoseconds <= moment < one.ended_nanoseconds
        )
        best = max(best, holding, key=len)
    return best


def weigh(answers: Sequence[Answer], *, seeds: int, lookup_ceiling: float) -> Pool:
    """Reckon what answers prove together; as `simultaneity_of`, which chooses them.

    Raises:
        ValueError: A window is empty.
    """
    fill, walk = _union([one.fill for one in answers]), _union([one.walk for one in answers])
    slots = sum(one.sizes.slots for one in answers)
    worked = looked_up = resident = brought = exchangeable = 0.0
    for one in answers:
        rows, walks = (1 - share for share in wrong_shares(one.sizes, one.assumed, machines=seeds))
        worked += one.sizes.slots * rows * one.sizes.slot_operations
        looked_up += one.sizes.slots * walks * one.sizes.walk_bytes
        resident += one.sizes.slots * rows * one.sizes.memory_bytes
        into_one = moved_in_bytes_per_second(one.sizes, one.assumed) * walk
        brought += one.sizes.slots * into_one
        exchangeable = max(exchangeable, one.assumed.physical_bytes + into_one)
    ceiling = max(one.assumed.ceiling_operations_per_second for one in answers)
    # Each is a floor for itself, whoever served which slot and when; so is the largest of them.
    cards = min(
        slots,
        max(
            math.ceil(worked / fill / ceiling),
            math.ceil(looked_up / walk / lookup_ceiling),
            math.ceil(resident / exchangeable),
        ),
    )
    return Pool(
        slots=slots,
        fill_seconds=fill,
        walk_seconds=walk,
        operations_per_second=worked / fill,
        lookup_bytes_per_second=BytesPerSecond(looked_up / walk),
        held_bytes=Bytes(max(0, int(resident - brought))),
        cards=cards,
        machines=math.ceil(cards / max(one.sizes.slots for one in answers)),
    )


def _first(windows: Iterable[Window]) -> int:
    return min(one.began_nanoseconds for one in windows)


def _union(windows: Sequence[Window]) -> Seconds:
    nanoseconds = max(one.ended_nanoseconds for one in windows) - _first(windows)
    if nanoseconds <= 0:
        raise ValueError(f"simultaneity: a window must be longer than 0 s, got {nanoseconds} ns")
    return Seconds(nanoseconds / NANOSECONDS)
