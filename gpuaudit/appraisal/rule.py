"""What a rule is: one reading of a device, and what each product would give for it.

A rule is a pure function of a product and the thresholds; its name is a sentence that is true when the product fits, its docstring
its manual. The frame around it (`reference.py`) does once what every rule needs: an unknown reading leaves every product in and
blocks where it is required, an absent reference leaves the product in as "no data", and each finding names the set of products
that was excluded.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

from gpuaudit.appraisal.amount import Unit
from gpuaudit.appraisal.result import Basis, Effect
from gpuaudit.appraisal.threshold import Thresholds
from gpuaudit.catalogue.model import Attribute, NoData, Product


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """A genuine card gives a value from `low` to `high`."""

    low: float
    high: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A genuine card gives a value that the catalogue lists for it; a value listed for others only excludes it."""

    attribute: Attribute


@dataclass(frozen=True, slots=True, kw_only=True)
class OneOf:
    """A genuine whole card gives one of `allowed`, never one of `refused`; anything else leaves the question open."""

    allowed: frozenset[str]
    refused: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerBand:
    """What the links to the other cards of one server give.

    At least as many peers as the claim needs must lie from `floor` to `ceiling`; up to `bridges` of them may lie above, to
    `bridge_ceiling`, because a bridge joins so many cards and leaves the others to PCI Express.
    `direct_floor` stands in for `floor` where the claim needs no more than `direct_board_cards` cards: on such boards each pair has
    its share of the links only.
    """

    floor: float
    direct_floor: float
    direct_board_cards: int
    ceiling: float
    bridges: int
    bridge_ceiling: float

    def floor_for(self, peers_needed: int) -> float:
        """Return the floor that holds where a claim needs so many peers."""
        return self.direct_floor if peers_needed < self.direct_board_cards else self.floor


@dataclass(frozen=True, slots=True, kw_only=True)
class RatioFloor:
    """One rate is at least `low` of another, where the other is at least `denominator_least`.

    Below that the card was not at work for itself, and the ratio leaves the question open.
    """

    low: float
    denominator_least: float


Expected: TypeAlias = Band | Listed | OneOf | PeerBand | RatioFloor | NoData
Reference: TypeAlias = Callable[[Product, Thresholds], Expected]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One rule. `reads` are paths into `DeviceEvidence` or names of measured quantities; the first is the one compared."""

    slug: str
    statement: str
    manual: str
    basis: Basis
    effect: Effect
    reads: tuple[str, ...]
    unit: Unit
    reference: Reference


def rule(slug: str, *, basis: Basis, effect: Effect, reads: str | tuple[str, ...], unit: Unit) -> Callable[[Reference], Rule]:
    """Make a rule of a function from product and thresholds to what a genuine card gives."""

    def make(reference: Reference) -> Rule:
        return Rule(
            slug=slug,
            statement=reference.__name__.replace("_", " "),
            manual=inspect.getdoc(reference) or "",
            basis=basis,
            effect=effect,
            reads=(reads,) if isinstance(reads, str) else reads,
            unit=unit,
            reference=reference,
        )

    return make
