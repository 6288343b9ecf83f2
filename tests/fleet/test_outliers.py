"""Who stands out: by the fleet's own distribution, however far out the odd ones lie."""

from __future__ import annotations

import random

import pytest

from gpuaudit.fleet.outliers import Outlier, RateBook
from gpuaudit.fleet.testimony import Rate


def book(values: list[float], product: str = "NVIDIA A100-SXM4-80GB") -> RateBook:
    made = RateBook()
    made.add(
        Rate(product=product, quantity="copy", subject=f"device {place}", value=value) for place, value in enumerate(values)
    )
    return made


def outliers(made: RateBook) -> tuple[Outlier, ...]:
    return made.outliers(made.distributions())


def spread(count: int, seed: int = 7) -> list[float]:
    dice = random.Random(seed)
    return [dice.gauss(1.8e12, 1e10) for _ in range(count)]


@pytest.mark.parametrize("factor", [0.1, 0.5, 0.9, 1.2, 10.0])
def test_a_card_apart_from_its_fleet_is_named(factor: float) -> None:
    values = spread(80)
    values[33] *= factor
    (found,) = outliers(book(values))
    assert found.subject == "device 33"
    assert found.median == pytest.approx(1.8e12, rel=0.01)


def test_a_third_of_bad_cards_does_not_hide_itself() -> None:
    """By mean and standard deviation these would be within two of them."""
    values = spread(60) + [1.2e12] * 30
    assert {one.subject for one in outliers(book(values))} == {f"device {place}" for place in range(60, 90)}


def test_an_honest_fleet_has_none() -> None:
    assert outliers(book(spread(400))) == ()


def test_noise_in_a_fleet_that_hardly_differs_is_no_outlier() -> None:
    assert outliers(book([1.0] * 99 + [1.04])) == ()


def test_a_card_apart_from_a_fleet_that_does_not_differ_is_one() -> None:
    (found,) = outliers(book([1.0] * 99 + [0.9]))
    assert found.score == float("inf")


def test_few_cards_have_no_distribution() -> None:
    assert outliers(book([1.0] * 10 + [0.1])) == ()


def test_products_are_kept_apart() -> None:
    made = book(spread(40))
    made.add(Rate(product="Tesla T4", quantity="copy", subject=f"t4 {place}", value=2.4e11) for place in range(40))
    assert outliers(made) == ()
    assert [one.product for one in made.distributions()] == ["NVIDIA A100-SXM4-80GB", "Tesla T4"]
