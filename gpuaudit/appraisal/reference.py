"""How one reading divides the catalogue: prepared once for all products, looked up for every device.

Comparing product by product costs tens of milliseconds for eight devices; dividing sets costs one or two.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Final, TypeAlias

from gpuaudit.appraisal.result import Effect
from gpuaudit.appraisal.rivals import Strengths, strengths_of
from gpuaudit.appraisal.rule import Band, Expected, Listed, OneOf, PeerBand, Rule
from gpuaudit.appraisal.rules import ALL_RULES
from gpuaudit.appraisal.threshold import Thresholds
from gpuaudit.catalogue.compare import CatalogueIndex, comparison_key, index_catalogue
from gpuaudit.catalogue.model import Attribute, Catalogue, NoData, ProductId

Products: TypeAlias = frozenset[ProductId]
NOBODY: Final[Products] = frozenset()


class Place(Enum):
    """Where a known value puts a product that has a reference value."""

    FITS = auto()
    EXCLUDED = auto()
    BLOCKED = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Division:
    """What a known value says of each product.

    `fits` gives such a value, `excluded` cannot, `blocked` neither way: the value is listed for nobody, or falls short. Who is in
    none of the three has no reference value: nothing is said of it.
    """

    fits: Products
    excluded: Products
    blocked: Products


UNDIVIDED: Final = Division(fits=NOBODY, excluded=NOBODY, blocked=NOBODY)


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleReference:
    """One rule with what it expects of every product that has a reference value for it.

    `alike` groups the products of which the same is expected, as a hundred products share a few dozen values; `bands` are those
    of its groups that are bands, laid out for speed, and `having` are all products with a reference value.
    """

    rule: Rule
    expected: Mapping[ProductId, Expected]
    having: Products
    listed: Attribute | NoData
    alike: tuple[tuple[Expected, Products], ...]
    bands: tuple[tuple[float, float, Products], ...]

    def divide(self, value: Any, index: CatalogueIndex, *, peers_needed: int) -> Division:
        """Divide the catalogue by a value that was read; `peers_needed` is what the claim needs of a `peer-rate`."""
        if isinstance(self.listed, Attribute):
            return _by_listing(self.listed, str(value), index)
        if self.bands:
            return self._by_band(float(value))
        places: dict[Place, Products] = dict.fromkeys(Place, NOBODY)
        for expected, products in self.alike:
            place = _place(expected, value, peers_needed)
            places[place] |= products
        return Division(fits=places[Place.FITS], excluded=places[Place.EXCLUDED], blocked=places[Place.BLOCKED])

    def _by_band(self, value: float) -> Division:
        outside = NOBODY.union(*(products for low, high, products in self.bands if not low <= value <= high))
        fits = self.having - outside
        if self.rule.effect is Effect.SHORTFALL:
            return Division(fits=fits, excluded=NOBODY, blocked=outside)
        return Division(fits=fits, excluded=outside, blocked=NOBODY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Yardstick:
    """A catalogue with its thresholds, prepared for all rules."""

    catalogue: Catalogue
    thresholds: Thresholds
    index: CatalogueIndex
    references: tuple[RuleReference, ...]
    everyone: Products
    strengths: Strengths


def prepare(catalogue: Catalogue, thresholds: Thresholds, rules: tuple[Rule, ...] = ALL_RULES) -> Yardstick:
    """Work out once what every rule expects of every product."""
    return Yardstick(
        catalogue=catalogue,
        thresholds=thresholds,
        index=index_catalogue(catalogue),
        references=tuple(_reference(rule, catalogue, thresholds) for rule in rules),
        everyone=frozenset(product.id for product in catalogue.products),
        strengths=strengths_of(catalogue),
    )


def _reference(rule: Rule, catalogue: Catalogue, thresholds: Thresholds) -> RuleReference:
    expected = {product.id: rule.reference(product, thresholds) for product in catalogue.products}
    known = {product: value for product, value in expected.items() if not isinstance(value, NoData)}
    alike: defaultdict[Expected, set[ProductId]] = defaultdict(set)
    for product, value in known.items():
        alike[value].add(product)
    attributes = {value.attribute for value in known.values() if isinstance(value, Listed)}
    groups = tuple((value, frozenset(products)) for value, products in alike.items())
    return RuleReference(
        rule=rule,
        expected=known,
        having=_having(known, catalogue),
        listed=attributes.pop() if attributes else NoData(),
        alike=groups,
        bands=tuple((value.low, value.high, products) for value, products in groups if isinstance(value, Band)),
    )


def _having(known: Mapping[ProductId, Expected], catalogue: Catalogue) -> Products:
    """Leave out the products that have no listing of the attribute that a rule compares."""
    products = {product.id: product for product in catalogue.products}
    return frozenset(
        product
        for product, value in known.items()
        if not (isinstance(value, Listed) and isinstance(products[product].listing(value.attribute), NoData))
    )


def _place(expected: Expected, value: Any, peers_needed: int) -> Place:
    match expected:
        case OneOf(allowed=allowed, refused=refused):
            if value in allowed:
                return Place.FITS
            return Place.EXCLUDED if value in refused else Place.BLOCKED
        case PeerBand():
            return _place_peers(expected, value, peers_needed)
        case _:
            return Place.BLOCKED


def _by_listing(attribute: Attribute, value: str, index: CatalogueIndex) -> Division:
    having = frozenset(index.keys[attribute])
    listing = index.products[attribute].get(comparison_key(attribute, value), NOBODY)
    if not listing:
        return Division(fits=NOBODY, excluded=NOBODY, blocked=having)
    return Division(fits=listing, excluded=having - listing, blocked=NOBODY)


def _place_peers(expected: PeerBand, rates: tuple[float, ...], needed: int) -> Place:
    """Say where the rates to its peers put a product.

    Counting peers inside the band, rather than looking for one outside, keeps the law: a peer that is left out can only make
    fewer of them.
    """
    floor = expected.direct_floor if needed < expected.direct_board_cards else expected.floor
    inside = sum(floor <= rate <= expected.ceiling for rate in rates)
    bridged = sum(expected.ceiling < rate <= expected.bridge_ceiling for rate in rates)
    if inside + min(bridged, expected.bridges) >= needed:
        return Place.FITS
    top = expected.bridge_ceiling if expected.bridges else expected.ceiling
    too_fast = bridged > expected.bridges or any(rate > top for rate in rates)
    return Place.EXCLUDED if too_fast else Place.BLOCKED
