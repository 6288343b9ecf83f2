"""Who else could have given this answer: single cards and pools of them behind each slot, helpers for the arithmetic included.

Arithmetic excludes nobody here: rows need nothing of each other, so any other card can help with them. What ties a pool down is the
walk, where every lookup depends on the one before.
"""

from __future__ import annotations

from collections.abc import Iterable

from gpuaudit.challenge.figures import Figured, Figures, NoFigures
from gpuaudit.evidence.record import record


@record
class Rival:
    """A product that could stand behind every slot: `cards` of it for each, 0 where too little is known to exclude it."""

    product: str
    title: str
    cards: int
    why: str


def remaining(
    others: Iterable[Figured], *, resident_bytes_per_slot: float, lookup_bytes_per_second: float, most_cards: int
) -> tuple[Rival, ...]:
    """Name the products that could have answered, each with the fewest cards per slot that do it.

    Args:
        others: Everybody but the claimed products.
        resident_bytes_per_slot: What lay in the memory of one slot at least.
        lookup_bytes_per_second: How fast one slot looked up at least.
        most_cards: Pools of more cards per slot are not reckoned with.
    """
    rivals = []
    for other in others:
        if isinstance(other, NoFigures):
            rivals.append(Rival(product=other.product, title=other.title, cards=0, why=f"no data: {other.lacking}"))
            continue
        for cards in range(1, most_cards + 1):
            if _can(other, cards, resident_bytes_per_slot, lookup_bytes_per_second):
                why = "one card for each slot" if cards == 1 else f"a pool of {cards} cards for each slot"
                rivals.append(Rival(product=other.product, title=other.title, cards=cards, why=why))
                break
    return tuple(rivals)


def lookup_ceiling(figures: Figures, cards: int) -> float:
    """Return the fastest walk of one slot that so many cards can do together.

    Of a pool of k, a lookup finds its block on another card k - 1 times out of k, and each card takes in no more than its link.
    """
    if cards == 1:
        return figures.bandwidth
    return min(cards * figures.bandwidth, cards * figures.peer_link * cards / (cards - 1))


def _can(figures: Figures, cards: int, resident: float, rate: float) -> bool:
    return cards * figures.physical_bytes >= resident and lookup_ceiling(figures, cards) >= rate
