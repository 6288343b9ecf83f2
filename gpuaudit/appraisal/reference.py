"""How one reading divides the catalogue: prepared once for all products, looked up for every device.

Comparing product by product costs tens of milliseconds for eight devices; dividing sets costs one or two.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any, Final, TypeAlias

from gpuaudit.appraisal.result import Effect
from gpuaudit.appraisal.rivals import Strengths, strengths_of
from gpuaudit.appraisal.rule import Band, Expected, Listed, OneOf, PeerBand, RatioFloor, Rule
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

    `fits` gives such a value, `excluded` cannot, `blocked` neither way: the value is listed for nobody, or falls short. Of several
    values, as of the rates to several peers, some can fit a product and others exclude it. Who is in none of the three has no
    reference value: nothing is said of it.
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
            if isinstance(expected, PeerBand):
                fits, too_fast = _compare_peers(expected, value, peers_needed)
                # A product can fit and be exceeded: enough peers lie inside, one above. What fits carries a claim, what is
                # exceeded sheds a rival; each is the weaker for every peer that is left out.
                for place, holds in ((Place.FITS, fits), (Place.EXCLUDED, too_fast), (Place.BLOCKED, not (fits or too_fast))):
                    places[place] |= products if holds else NOBODY
            else:
                places[_place(expected, value)] |= products
        return Division(fits=places[Place.FITS], excluded=places[Place.EXCLUDED], blocked=places[Place.BLOCKED])

    def divide_runs(self, values: Sequence[float], index: CatalogueIndex) -> Division:
        """Divide the catalogue by several runs of one quantity: one run is enough to fit, and one to exclude."""
        divisions = [self.divide(value, index, peers_needed=0) for value in values]
        return Division(
            fits=NOBODY.union(*(division.fits for division in divisions)),
            excluded=NOBODY.union(*(division.excluded for division in divisions)),
            blocked=NOBODY.union(*(division.blocked for division in divisions)),
        )

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


def _place(expected: Expected, value: Any) -> Place:
    match expected:
        case OneOf(allowed=allowed, refused=refused):
            if value in allowed:
                return Place.FITS
            return Place.EXCLUDED if value in refused else Place.BLOCKED
        case RatioFloor(low=low, denominator_least=least):
            if value.value >= low:
                return Place.FITS
            return Place.EXCLUDED if value.denominator >= least else Place.BLOCKED
        case _:
            return Place.BLOCKED


def _by_listing(attribute: Attribute, value: str, index: CatalogueIndex) -> Division:
    having = frozenset(index.keys[attribute])
    listing = index.products[attribute].get(comparison_key(attribute, value), NOBODY)
    if not listing:
        return Division(fits=NOBODY, excluded=NOBODY, blocked=having)
    return Division(fits=listing, excluded=having - listing, blocked=NOBODY)


def _compare_peers(expected: PeerBand, peers: tuple[tuple[float, ...], ...], needed: int) -> tuple[bool, bool]:
    """Say whether enough peers lie inside a product's band, and whether one is faster than its links.

    Counting peers inside the band, rather than looking for one outside, keeps the law: a peer that is left out can only make
    fewer of them.
    """
    floor = expected.floor_for(needed)
    inside = sum(any(floor <= rate <= expected.ceiling for rate in rates) for rates in peers)
    bridged = sum(any(expected.ceiling < rate <= expected.bridge_ceiling for rate in rates) for rates in peers)
    top = expected.bridge_ceiling if expected.bridges else expected.ceiling
    return (
        inside + min(bridged, expected.bridges) >= needed,
        bridged > expected.bridges or any(rate > top for rates in peers for rate in rates),
    )
