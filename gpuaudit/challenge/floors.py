"""What an accepted answer proves: "at least", with the odds and the assumptions beside every number.

All of it is worked out from sizes, times and assumptions that stand in the result, so that anybody can do it again. None of it is a
figure of one device: arithmetic is of the pool of whatever answered, memory is of the node.
"""

from __future__ import annotations

import math
from typing import Final

from gpuaudit.challenge.figures import Figures
from gpuaudit.challenge.sizes import Sizes
from gpuaudit.evidence.record import record
from gpuaudit.units import Bytes, BytesPerSecond, Seconds

_STAGES: Final = 2


@record
class Assumed:
    """What the floors rest on beside the sizes and the times.

    `alpha` is for both stages together and for all attempts. `link_bytes_per_second` is the fastest way into one device's memory from
    elsewhere, `ceiling_operations_per_second` the fastest that bytes could be worked out again instead, `physical_bytes` the most
    that one claimed card holds.
    """

    alpha: float
    attempts: int
    link_bytes_per_second: float
    ceiling_operations_per_second: float
    physical_bytes: int


@record
class Floors:
    """At least so much, unless an event of probability `alpha` occurred.

    `wrong_rows` and `wrong_walks` are the shares that may be wrong, `elsewhere` the share of the memory that may be elsewhere.
    `operations_per_second` (two for a multiply-add) is of everything together; `lookup_bytes_per_second` of one slot.
    `cards` is how many claimed cards it takes to hold `resident_bytes`; 0 where nothing is bounded.
    """

    wrong_rows: float
    wrong_walks: float
    elsewhere: float
    operations_per_second: float
    resident_bytes: Bytes
    lookup_bytes_per_second: BytesPerSecond
    cards: int


def assumed_of(figures: Figures, *, alpha: float, attempts: int) -> Assumed:
    """Return the assumptions for a claimed product."""
    return Assumed(
        alpha=alpha,
        attempts=attempts,
        link_bytes_per_second=figures.link,
        ceiling_operations_per_second=figures.ceiling,
        physical_bytes=figures.physical_bytes,
    )


def escaping_share(alpha: float, samples: int) -> float:
    """Return which share of wrong items escapes so many samples with probability `alpha`."""
    return float(1 - alpha ** (1 / samples))


def wrong_shares(sizes: Sizes, assumed: Assumed, *, machines: int = 1) -> tuple[float, float]:
    """Return which shares of rows and of walks may be wrong, where so many machines share the odds.

    The same event bounds every slot, so slots do not add; stages, attempts and machines do.
    """
    alpha = assumed.alpha / _STAGES / assumed.attempts / machines
    return escaping_share(alpha, sizes.row_samples), escaping_share(alpha, sizes.walk_samples)


def moved_in_bytes_per_second(sizes: Sizes, assumed: Assumed) -> float:
    """Return how fast a whole slot comes into one device: over its link, and worked out anew from nothing."""
    return assumed.link_bytes_per_second + assumed.ceiling_operations_per_second / (2 * sizes.width * sizes.steps)


def work_floors(sizes: Sizes, assumed: Assumed, *, fill: Seconds, walk: Seconds) -> Floors:
    """Work out the floors of an accepted answer.

    Args:
        sizes: Of the challenge.
        assumed: What is taken for granted.
        fill: From sending the first seed to the line of commitments, above 0.
        walk: From sending the second seed to the line of digests, above 0.

    Raises:
        ValueError: A time is not above 0.
    """
    if fill <= 0 or walk <= 0:
        raise ValueError(f"floors: times must be above 0 s, got {fill} and {walk}")
    rows, walks = wrong_shares(sizes, assumed)
    looked_up = (1 - walks) * sizes.walk_bytes
    elsewhere = min(1.0, _elsewhere(sizes, assumed, walk) / (1 - walks))
    resident = sizes.slots * sizes.memory_bytes * (1 - elsewhere)
    return Floors(
        wrong_rows=rows,
        wrong_walks=walks,
        elsewhere=elsewhere,
        operations_per_second=(1 - rows) * sizes.slot_operations * sizes.slots / fill,
        resident_bytes=Bytes(int(resident)),
        lookup_bytes_per_second=BytesPerSecond(looked_up / walk),
        # More than the cards before it can hold: that proves the last one.
        cards=min(sizes.slots, math.ceil(resident * (1 - rows) / assumed.physical_bytes)),
    )


def _elsewhere(sizes: Sizes, assumed: Assumed, walk: Seconds) -> float:
    """Return the share of the memory that can be elsewhere, in the cheaper way of two, if every walk is right.

    A byte crosses the link, or is worked out again, whenever it is looked up; or once in each epoch, for a slot that is moved in
    whole. Once for all epochs is not enough: none begins before every slot has ended the last.
    """
    by_lookup = (assumed.link_bytes_per_second + _recomputed(sizes, assumed)) * walk / sizes.walk_bytes
    by_epoch = moved_in_bytes_per_second(sizes, assumed) * walk / (sizes.epochs * sizes.memory_bytes)
    return max(by_lookup, by_epoch)


def _recomputed(sizes: Sizes, assumed: Assumed) -> float:
    """Return how many bytes a second can be worked out again from the cheapest state that is worth keeping.

    A block of another row's last state costs its whole row's last step; states are kept every second step, never the first.
    """
    per_byte = 2 * sizes.width * ((sizes.steps - 1) * sizes.width / sizes.block_bytes + 1)
    return assumed.ceiling_operations_per_second / per_byte
