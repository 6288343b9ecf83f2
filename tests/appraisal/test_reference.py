"""A division that is looked up is the one that comparing product by product gives."""

from __future__ import annotations

from bisect import bisect_left, bisect_right

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpuaudit.appraisal.amount import PeerRates, Ratio
from gpuaudit.appraisal.reference import RuleReference, Yardstick
from gpuaudit.appraisal.result import Effect
from gpuaudit.appraisal.rule import Band, PeerBand, RatioFloor
from gpuaudit.appraisal.rules import ALL_RULES

RATES = st.floats(min_value=1.0, max_value=1e12)
CARDS = st.lists(st.lists(RATES, min_size=1, max_size=3), min_size=1, max_size=8)


def reference(yardstick: Yardstick, slug: str) -> RuleReference:
    return next(one for one in yardstick.references if one.rule.slug == slug)


@pytest.mark.parametrize("slug", [rule.slug for rule in ALL_RULES])
def test_at_and_around_each_edge_of_a_band_products_are_divided_by_their_own_band(slug: str, yardstick: Yardstick) -> None:
    one = reference(yardstick, slug)
    bands = {product: band for product, band in one.expected.items() if isinstance(band, Band)}
    edges = {edge for band in bands.values() for edge in (band.low, band.high) if abs(edge) < float("inf")}
    for value in (near for edge in edges for near in (edge * 0.999, edge, edge * 1.001)):
        division = one.divide(value, yardstick.index, peers_needed=1)
        fitting = {product for product, band in bands.items() if band.low <= value <= band.high}
        excluded = set() if one.rule.effect is Effect.SHORTFALL else bands.keys() - fitting
        assert division.fits == fitting
        assert division.excluded == excluded
        assert division.named == tuple(sorted(excluded))
        assert division.blocked == bands.keys() - fitting - excluded


@given(st.floats(min_value=1e-4, max_value=10.0), st.floats(min_value=1e9, max_value=1e16))
def test_a_ratio_excludes_where_it_is_too_low_and_its_denominator_high_enough(
    yardstick: Yardstick, value: float, denominator: float
) -> None:
    one = reference(yardstick, "fp64-bf16-ratio")
    ratio = Ratio(numerator=value * denominator, denominator=denominator)
    division = one.divide(ratio, yardstick.index, peers_needed=1)
    floors = {product: floor for product, floor in one.expected.items() if isinstance(floor, RatioFloor)}
    assert floors
    assert division.fits == {product for product, floor in floors.items() if ratio.value >= floor.low}
    assert division.excluded == {
        product for product, floor in floors.items() if ratio.value < floor.low and denominator >= floor.denominator_least
    }


@given(CARDS, RATES, RATES)
def test_a_card_counts_once_however_often_its_pair_was_measured(cards: list[list[float]], low: float, high: float) -> None:
    peers = PeerRates.of(cards)
    assert peers.count() == len(cards)
    within = peers.count(bisect_left(peers.rates, low), bisect_right(peers.rates, high))
    assert within == sum(any(low <= rate <= high for rate in rates) for rates in cards)


@settings(max_examples=40)
@given(st.lists(st.lists(st.floats(min_value=1e9, max_value=1e12), min_size=1, max_size=2), min_size=1, max_size=7))
def test_enough_peers_inside_the_band_fit_and_one_above_all_links_excludes(
    yardstick: Yardstick, cards: list[list[float]]
) -> None:
    one = reference(yardstick, "peer-rate")
    division = one.divide(PeerRates.of(cards), yardstick.index, peers_needed=len(cards))
    for product, band in one.expected.items():
        assert isinstance(band, PeerBand)
        top = max(band.ceiling, band.bridge_ceiling) if band.bridges else band.ceiling
        if all(band.floor_for(len(cards)) <= rate <= band.ceiling for rates in cards for rate in rates):
            assert product in division.fits
            assert product not in division.excluded
        elif max(max(rates) for rates in cards) > top and all(max(rates) >= band.floor_for(len(cards)) for rates in cards):
            assert product in division.excluded
