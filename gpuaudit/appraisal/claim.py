"""What one line asks of each device: worked out once from the tender and the catalogue, never from the evidence."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from gpuaudit.appraisal.case import PEER, is_quantity
from gpuaudit.appraisal.count import least
from gpuaudit.appraisal.reference import NOBODY, Products, Yardstick
from gpuaudit.appraisal.result import Basis, Effect
from gpuaudit.appraisal.rivals import lesser_than, nearest_first
from gpuaudit.catalogue.model import Product
from gpuaudit.tender.expectation import products_of
from gpuaudit.tender.model import HardwareLine, Unsaid

# The bases whose readings are in the evidence itself.
OWN_BASES: Final = (Basis.REPORTED, Basis.MEASURED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What a confirmation by certain claimed products needs, of one basis.

    `readings` must all be known; `rules` are the places, among the yardstick's, of the rules that read nothing else. `provable`
    are the products with a floor for each of the quantities: one without would be reached by a card that does nothing.
    """

    readings: tuple[str, ...]
    rules: tuple[int, ...]
    provable: Products


@dataclass(frozen=True, slots=True, kw_only=True)
class DemandGroup:
    """Claimed products that require the same, with what they require."""

    products: Products
    demands: Mapping[Basis, Demand]


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """The products that would satisfy a line, their lesser rivals, what each requires, and how many peers a card must reach.

    `others` are all products that would not, `lesser` those of them that are worse in some respect, and `nearest` the same, the
    nearest first. `required_rules` are the places of all rules on which a verdict may rest. `words` keeps what has been said of the
    claim, whatever the machine.
    """

    products: tuple[Product, ...]
    claimed: Products
    others: Products
    lesser: Products
    nearest: tuple[Product, ...]
    peers_needed: int
    groups: tuple[DemandGroup, ...]
    required_readings: tuple[str, ...]
    required_rules: frozenset[int]
    rule_sets: frozenset[tuple[int, ...]]
    words: dict[object, Any]


def claim_of(line: HardwareLine, yardstick: Yardstick) -> Claim:
    """Work out what a line asks.

    A line that does not say how many cards a server holds asks for no copies between cards.

    Raises:
        UsageError: The line names no product of the catalogue.
    """
    peers_needed = 0 if isinstance(line.per_server, Unsaid) else least(line.per_server) - 1
    key = (line.product, peers_needed)
    known: Claim | None = yardstick.claims.get(key)
    if known is None:
        named = frozenset(products_of(line.product, yardstick.catalogue))
        products = tuple(product for product in yardstick.catalogue.products if product.id in named)
        known = yardstick.claims[key] = make_claim(products, peers_needed, yardstick)
    return known


def make_claim(products: tuple[Product, ...], peers_needed: int, yardstick: Yardstick) -> Claim:
    """Work out what it takes to be one of `products`, with copies to `peers_needed` others."""
    alike: defaultdict[frozenset[str], set[str]] = defaultdict(set)
    for product in products:
        alike[_required(product, peers_needed)].add(product.id)
    groups = tuple(
        DemandGroup(
            products=frozenset(members),
            demands={basis: _demand(required, basis, yardstick) for basis in OWN_BASES},
        )
        for required, members in alike.items()
    )
    claimed = frozenset(product.id for product in products)
    everyone = {product.id: product for product in yardstick.catalogue.products}
    lesser = lesser_than(claimed, yardstick.strengths, yardstick.thresholds.lesser.fraction)
    return Claim(
        products=products,
        claimed=claimed,
        others=yardstick.everyone - claimed,
        lesser=lesser,
        nearest=tuple(everyone[rival] for rival in nearest_first(lesser, claimed, yardstick.strengths)),
        peers_needed=peers_needed,
        groups=groups,
        required_readings=tuple(
            dict.fromkeys(name for group in groups for demand in group.demands.values() for name in demand.readings)
        ),
        required_rules=frozenset(place for group in groups for demand in group.demands.values() for place in demand.rules),
        rule_sets=frozenset(demand.rules for group in groups for demand in group.demands.values()),
        words={},
    )


def _required(product: Product, peers_needed: int) -> frozenset[str]:
    quantities = (name for name in product.required.measurements if name != PEER or peers_needed > 0)
    return frozenset(product.required.readings) | frozenset(quantities)


def _demand(required: frozenset[str], basis: Basis, yardstick: Yardstick) -> Demand:
    readings = tuple(sorted(name for name in required if is_quantity(name) is (basis is Basis.MEASURED)))
    floored = [_floored(name, yardstick) for name in readings] if basis is Basis.MEASURED else []
    return Demand(
        readings=readings,
        rules=tuple(
            place
            for place, reference in enumerate(yardstick.references)
            if reference.rule.basis is basis and frozenset(reference.rule.reads) <= required
        ),
        provable=yardstick.everyone.intersection(*floored),
    )


def _floored(quantity: str, yardstick: Yardstick) -> Products:
    """Return the products that have a floor for a quantity."""
    return NOBODY.union(
        *(
            reference.having
            for reference in yardstick.references
            if reference.rule.reads == (quantity,) and (reference.rule.effect is Effect.SHORTFALL or quantity == PEER)
        )
    )
