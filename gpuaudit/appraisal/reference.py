"""How one reading divides the catalogue: prepared once for all products, looked up for every device.

Comparing product by product costs tens of milliseconds for eight devices; dividing sets costs one or two.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from gpuaudit.appraisal.amount import PeerRates
from gpuaudit.appraisal.result import Effect
from gpuaudit.appraisal.rivals import Strengths, strengths_of
from gpuaudit.appraisal.rule import Band, Expected, Listed, OneOf, PeerBand, RatioFloor, Rule
from gpuaudit.appraisal.rules import ALL_RULES
from gpuaudit.appraisal.threshold import Thresholds
from gpuaudit.catalogue.compare import CatalogueIndex, comparison_key, index_catalogue
from gpuaudit.catalogue.model import Attribute, Catalogue, NoData, ProductId

Products: TypeAlias = frozenset[ProductId]
Place: TypeAlias = Callable[[Any], object]
NOBODY: Final[Products] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Division:
    """What a known value says of each product.

    `fits` gives such a value, `excluded` cannot, `blocked` neither way: the value is listed for nobody, or falls short. Of several
    values, as of the rates to several peers, some can fit a product and others exclude it. Who is in none of the three has no
    reference value: nothing is said of it. `misfits` have one, and do not give such a value; `named` are the excluded in order.
    """

    fits: Products
    excluded: Products
    misfits: Products
    named: tuple[ProductId, ...]

    @property
    def blocked(self) -> Products:
        """Who does not give such a value and is not excluded by it."""
        return self.misfits - self.excluded


UNDIVIDED: Final = Division(fits=NOBODY, excluded=NOBODY, misfits=NOBODY, named=())


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleReference:
    """One rule with what it expects of every product that has a reference value for it.

    `having` are all products with a reference value, `names` the same in order, `alike` groups those of which the same is expected,
    and `bands` are the groups of which a band is: low, high, products. Values of one `place` divide the catalogue in the same way,
    so each such division is worked out once and kept in `known`.
    """

    rule: Rule
    expected: Mapping[ProductId, Expected]
    having: Products
    names: tuple[ProductId, ...]
    listed: Attribute | NoData
    alike: tuple[tuple[Expected, Products], ...]
    bands: tuple[tuple[float, float, Products], ...]
    place: Place
    known: dict[object, Division]

    def divide(self, value: Any, index: CatalogueIndex, *, peers_needed: int) -> Division:
        """Divide the catalogue by a value that was read; `peers_needed` is what the claim needs of a `peer-rate`."""
        if isinstance(self.listed, Attribute):
            return self._by_listing(self.listed, str(value), index)
        if isinstance(value, PeerRates):
            return self._one_by_one(value, peers_needed)
        place = self.place(value)
        division = self.known.get(place)
        if division is None:
            division = self._by_bands(value) if self.bands else self._one_by_one(value, peers_needed)
            self.known[place] = division
        return division

    def divide_runs(self, values: Sequence[float], index: CatalogueIndex) -> Division:
        """Divide the catalogue by several runs of one quantity: one run is enough to fit, and one to exclude."""
        divisions = [self.divide(value, index, peers_needed=0) for value in values]
        return self._division(
            fits=NOBODY.union(*(division.fits for division in divisions)),
            excluded=NOBODY.union(*(division.excluded for division in divisions)),
        )

    def _by_bands(self, value: float) -> Division:
        fits = NOBODY.union(*[products for low, high, products in self.bands if low <= value <= high])
        return self._division(fits=fits, excluded=NOBODY if self.rule.effect is Effect.SHORTFALL else self.having - fits)

    def _one_by_one(self, value: Any, peers_needed: int) -> Division:
        fits: list[Products] = []
        excluded: list[Products] = []
        for expected, products in self.alike:
            fitting, excluding = _compare(expected, value, peers_needed)
            if fitting:
                fits.append(products)
            if excluding:
                excluded.append(products)
        return self._division(fits=NOBODY.union(*fits), excluded=NOBODY.union(*excluded))

    def _by_listing(self, attribute: Attribute, value: str, index: CatalogueIndex) -> Division:
        key = comparison_key(attribute, value)
        listing = index.products[attribute].get(key, NOBODY)
        division = self.known.get(listing)
        if division is None:
            division = self._division(fits=listing, excluded=self.having - listing if listing else NOBODY)
            self.known[listing] = division
        return division

    def _division(self, *, fits: Products, excluded: Products) -> Division:
        named = [name for name in self.names if name in excluded] if excluded else []
        return Division(fits=fits, excluded=excluded, misfits=self.having - fits, named=tuple(named))


@dataclass(frozen=True, slots=True, kw_only=True)
class Yardstick:
    """A catalogue with its thresholds, prepared for all rules.

    `claims` keeps what has been worked out for a claim, which is the same for every machine that is appraised against it.
    """

    catalogue: Catalogue
    thresholds: Thresholds
    index: CatalogueIndex
    references: tuple[RuleReference, ...]
    everyone: Products
    strengths: Strengths
    claims: dict[object, Any]


def prepare(catalogue: Catalogue, thresholds: Thresholds, rules: tuple[Rule, ...] = ALL_RULES) -> Yardstick:
    """Work out once what every rule expects of every product."""
    return Yardstick(
        catalogue=catalogue,
        thresholds=thresholds,
        index=index_catalogue(catalogue),
        references=tuple(_reference(rule, catalogue, thresholds) for rule in rules),
        everyone=frozenset(product.id for product in catalogue.products),
        strengths=strengths_of(catalogue),
        claims={},
    )


def _reference(rule: Rule, catalogue: Catalogue, thresholds: Thresholds) -> RuleReference:
    expected = {product.id: rule.reference(product, thresholds) for product in catalogue.products}
    known = {product: value for product, value in expected.items() if not isinstance(value, NoData)}
    alike: defaultdict[Expected, set[ProductId]] = defaultdict(set)
    for product, value in known.items():
        alike[value].add(product)
    attributes = {value.attribute for value in known.values() if isinstance(value, Listed)}
    groups = tuple((value, frozenset(products)) for value, products in alike.items())
    having = _having(known, catalogue)
    return RuleReference(
        rule=rule,
        expected=known,
        having=having,
        names=tuple(sorted(having)),
        listed=attributes.pop() if attributes else NoData(),
        alike=groups,
        bands=tuple((value.low, value.high, products) for value, products in groups if isinstance(value, Band)),
        place=_placing(alike),
        known={},
    )


def _placing(expected: Iterable[Expected]) -> Place:
    """Return what gives the place of a value: between which edges of bands or ratios a number lies; a word is its own place."""
    bands = [value for value in expected if isinstance(value, Band)]
    if bands:
        edges = sorted({edge for band in bands for edge in (band.low, band.high)})
        return lambda value: (bisect_left(edges, value), bisect_right(edges, value))
    ratios = [value for value in expected if isinstance(value, RatioFloor)]
    if ratios:
        lows, leasts = sorted({one.low for one in ratios}), sorted({one.denominator_least for one in ratios})
        return lambda value: (bisect_right(lows, value.value), bisect_right(leasts, value.denominator))
    return lambda value: value


def _having(known: Mapping[ProductId, Expected], catalogue: Catalogue) -> Products:
    """Leave out the products that have no listing of the attribute that a rule compares."""
    products = {product.id: product for product in catalogue.products}
    return frozenset(
        product
        for product, value in known.items()
        if not (isinstance(value, Listed) and isinstance(products[product].listing(value.attribute), NoData))
    )


def _compare(expected: Expected, value: Any, peers_needed: int) -> tuple[bool, bool]:
    """Say whether a value is one that is expected, and whether it excludes whoever expects that."""
    match expected:
        case OneOf(allowed=allowed, refused=refused):
            return value in allowed, value in refused
        case RatioFloor(low=low, denominator_least=least):
            fits = value.value >= low
            return fits, not fits and value.denominator >= least
        case PeerBand():
            return _compare_peers(expected, value, peers_needed)
        case Band() | Listed() | NoData():
            return False, False


def _compare_peers(expected: PeerBand, peers: PeerRates, needed: int) -> tuple[bool, bool]:
    """Say whether enough peers lie inside a product's band, and whether one is faster than its links.

    Both can be: enough peers lie inside, one above. What fits carries a claim, what is exceeded sheds a rival. Counting peers inside
    the band, rather than looking for one outside, keeps the law: a peer that is left out can only make fewer of them.
    """
    rates, floor, ceiling = peers.rates, expected.floor_for(needed), expected.ceiling
    if rates[-1] < floor:
        return False, False
    if floor <= rates[0] and rates[-1] <= ceiling:
        return peers.count() >= needed, False
    above = bisect_right(rates, ceiling)
    inside = peers.count(bisect_left(rates, floor), above)
    bridged = peers.count(above, bisect_right(rates, expected.bridge_ceiling))
    top = expected.bridge_ceiling if expected.bridges else ceiling
    return inside + min(bridged, expected.bridges) >= needed, bridged > expected.bridges or rates[-1] > top
