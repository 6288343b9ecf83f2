"""Statements from samples, against counting every draw that there is."""

from __future__ import annotations

from fractions import Fraction
from itertools import combinations
from math import comb

import pytest

from gpuaudit.errors import UsageError
from gpuaudit.fleet.sampling import audits_needed, sample_size, shortest_caught, state, tolerated_of


def chance_of_at_most(found: int, population: int, bad: int, drawn: int) -> Fraction:
    """The exact chance of so few bad ones, by counting draws."""
    ways = sum(comb(bad, k) * comb(population - bad, drawn - k) for k in range(found + 1) if drawn - k >= 0)
    return Fraction(ways, comb(population, drawn))


@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.99])
@pytest.mark.parametrize("population", range(1, 13))
def test_the_bound_is_the_last_number_that_is_likely_enough(population: int, confidence: float) -> None:
    limit = 1 - Fraction(confidence)
    for drawn in range(1, population + 1):
        for found in range(drawn + 1):
            possible = [
                bad
                for bad in range(found, population - (drawn - found) + 1)
                if chance_of_at_most(found, population, bad, drawn) > limit
            ]
            assert state(population, drawn, found, confidence).most_bad == max(possible, default=found)


def test_counting_draws_is_what_listing_them_gives() -> None:
    """The count above, checked by listing every draw of a small fleet."""
    for bad in range(8):
        draws = list(combinations(range(7), 3))
        few = sum(sum(server < bad for server in draw) <= 1 for draw in draws)
        assert chance_of_at_most(1, 7, min(bad, 7), 3) == Fraction(few, len(draws))


@pytest.mark.parametrize(("population", "confidence", "share"), [(9, 0.9, 0.2), (11, 0.95, 0.1), (12, 0.8, 0.25)])
def test_a_statement_errs_in_no_more_draws_than_it_says(population: int, confidence: float, share: float) -> None:
    """For every number of bad servers, and over every draw: the share of draws whose statement is wrong."""
    drawn = sample_size(population, confidence, share)
    for bad in range(population + 1):
        wrong = sum(
            Fraction(comb(bad, found) * comb(population - bad, drawn - found), comb(population, drawn))
            for found in range(max(0, drawn - (population - bad)), min(bad, drawn) + 1)
            if state(population, drawn, found, confidence).most_bad < bad
        )
        assert wrong <= 1 - Fraction(confidence)


def test_five_hundred_servers_take_a_hundred_and_nineteen() -> None:
    assert sample_size(500, 0.95, 0.02) == 119
    assert state(500, 119, 0, 0.95).text == "at least 98 % of the servers, at 95 %"
    assert state(500, 118, 0, 0.95).most_bad > tolerated_of(500, 0.02)


@pytest.mark.parametrize(
    ("drawn", "found", "text"),
    [
        pytest.param(500, 0, "at least 100 % of the servers, at 95 %", id="all-drawn"),
        pytest.param(500, 1, "at least 99.8 % of the servers, at 95 %", id="all-drawn-one-bad"),
        pytest.param(0, 0, "at least 0 % of the servers, at 95 %", id="none-drawn"),
        pytest.param(119, 119, "at least 0 % of the servers, at 95 %", id="none-confirmed"),
    ],
)
def test_a_statement_is_rounded_down(drawn: int, found: int, text: str) -> None:
    assert state(500, drawn, found, 0.95).text == text


def test_what_hides_does_not_make_the_statement_stronger() -> None:
    bounds = [state(500, 119, hidden, 0.95).most_bad for hidden in range(0, 119, 7)]
    assert bounds == sorted(bounds)
    assert len(set(bounds)) == len(bounds)


@pytest.mark.parametrize(("confidence", "absence", "audits"), [(0.95, 0.1, 29), (0.75, 0.5, 2), (0.99, 0.01, 459)])
def test_random_audits_catch_an_absence(confidence: float, absence: float, audits: int) -> None:
    assert audits_needed(confidence, absence) == audits
    assert (1 - absence) ** audits <= 1 - confidence < (1 - absence) ** (audits - 1)
    assert shortest_caught(confidence, audits) <= absence


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(lambda: state(10, 11, 0, 0.95), id="more-drawn-than-there-are"),
        pytest.param(lambda: state(10, 5, 6, 0.95), id="more-bad-than-drawn"),
        pytest.param(lambda: state(0, 0, 0, 0.95), id="nobody"),
        pytest.param(lambda: state(10, 5, 0, 1.0), id="certainty"),
        pytest.param(lambda: state(10, 5, 0, float("nan")), id="nan"),
        pytest.param(lambda: sample_size(10, 0.95, 1.0), id="all-may-be-bad"),
        pytest.param(lambda: audits_needed(0.95, 0.0), id="no-absence"),
        pytest.param(lambda: shortest_caught(0.95, 0), id="no-audit"),
    ],
)
def test_numbers_that_do_not_fit_are_refused(call: object) -> None:
    with pytest.raises(UsageError, match="expected"):
        call()  # type: ignore[operator]
