"""How one reading divides the catalogue: prepared once for all products, looked up for every device.

Comparing product by product costs tens of milliseconds for eight devices; dividing sets costs one or two.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from gpuaudit.appraisal.result import Effect
from gpuaudit.appraisal.rule import Band, Expected, Listed, OneOf, PeerBand, Rule
from gpuaudit.appraisal.rules import ALL_RULES
from gpuaudit.appraisal.threshold import Thresholds
from gpuaudit.catalogue.compare import CatalogueIndex, comparison_key, index_catalogue
from gpuaudit.catalogue.model import Attribute, Catalogue, NoData, ProductId

Products: TypeAlias = frozenset[ProductId]
NOBODY: Final[Products] = frozenset()


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
    """One rule with what it expects of every product that has a reference value for it."""

    rule: Rule
    expected: Mapping[ProductId, Expected]
    listed: Attribute | NoData
    bands: tuple[tuple[ProductId, float, float], ...]

    def divide(self, value: Any, index: CatalogueIndex, *, peers_needed: int) -> Division:
        """Divide the catalogue by a value that was read; `peers_needed` is what the claim needs of a `peer-rate`."""
        if isinstance(self.listed, Attribute):
            return _by_listing(self.listed, str(value), index)
        if self.bands:
            return self._by_band(float(value))
        return self._one_by_one(value, peers_needed)

    def _by_band(self, value: float) -> Division:
        outside = frozenset(product for product, low, high in self.bands if not low <= value <= high)
        fits = frozenset(self.expected) - outside
        if self.rule.effect is Effect.SHORTFALL:
            return Division(fits=fits, excluded=NOBODY, blocked=outside)
        return Division(fits=fits, excluded=outside, blocked=NOBODY)

    def _one_by_one(self, value: Any, peers_needed: int) -> Division:
        fits: set[ProductId] = set()
        excluded: set[ProductId] = set()
        blocked: set[ProductId] = set()
        for product, expected in self.expected.items():
            match expected:
                case OneOf(allowed=allowed, refused=refused):
                    (fits if value in allowed else excluded if value in refused else blocked).add(product)
                case PeerBand():
                    _place_peers(product, expected, value, peers_needed, (fits, excluded, blocked))
                case _:
                    continue
        return Division(fits=frozenset(fits), excluded=frozenset(excluded), blocked=frozenset(blocked))


@dataclass(frozen=True, slots=True, kw_only=True)
class Yardstick:
    """A catalogue with its thresholds, prepared for all rules."""

    catalogue: Catalogue
    thresholds: Thresholds
    index: CatalogueIndex
    references: tuple[RuleReference, ...]
    everyone: Products


def prepare(catalogue: Catalogue, thresholds: Thresholds, rules: tuple[Rule, ...] = ALL_RULES) -> Yardstick:
    """Work out once what every rule expects of every product."""
    return Yardstick(
        catalogue=catalogue,
        thresholds=thresholds,
        index=index_catalogue(catalogue),
        references=tuple(_reference(rule, catalogue, thresholds) for rule in rules),
        everyone=frozenset(product.id for product in catalogue.products),
    )


def _reference(rule: Rule, catalogue: Catalogue, thresholds: Thresholds) -> RuleReference:
    expected = {product.id: rule.reference(product, thresholds) for product in catalogue.products}
    known = {product: value for product, value in expected.items() if not isinstance(value, NoData)}
    attributes = {value.attribute for value in known.values() if isinstance(value, Listed)}
    return RuleReference(
        rule=rule,
        expected=known,
        listed=attributes.pop() if attributes else NoData(),
        bands=tuple((product, value.low, value.high) for product, value in known.items() if isinstance(value, Band)),
    )


def _by_listing(attribute: Attribute, value: str, index: CatalogueIndex) -> Division:
    having = frozenset(index.keys[attribute])
    listing = index.products[attribute].get(comparison_key(attribute, value), NOBODY)
    if not listing:
        return Division(fits=NOBODY, excluded=NOBODY, blocked=having)
    return Division(fits=listing, excluded=having - listing, blocked=NOBODY)


def _place_peers(
    product: ProductId,
    expected: PeerBand,
    rates: tuple[float, ...],
    needed: int,
    places: tuple[set[ProductId], set[ProductId], set[ProductId]],
) -> None:
    """Put a product where the rates to its peers put it.

    Counting peers inside the band, rather than looking for one outside, keeps the law: a peer that is left out can only make
    fewer of them.
    """
    fits, excluded, blocked = places
    floor = expected.direct_floor if needed < expected.direct_board_cards else expected.floor
    inside = sum(floor <= rate <= expected.ceiling for rate in rates)
    bridged = sum(expected.ceiling < rate <= expected.bridge_ceiling for rate in rates)
    top = expected.bridge_ceiling if expected.bridges else expected.ceiling
    if inside + min(bridged, expected.bridges) >= needed:
        fits.add(product)
    elif bridged > expected.bridges or any(rate > top for rate in rates):
        excluded.add(product)
    else:
        blocked.add(product)
