from __future__ import annotations

import math
import random
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuaudit.workload.median import LEAST_RUNS, half_width_relative, median_interval

TIMES = st.lists(st.floats(min_value=1e-9, max_value=1e3), min_size=LEAST_RUNS, max_size=120)


@given(TIMES)
def test_the_interval_holds_the_median_of_the_sample(values: list[float]) -> None:
    lower, upper = median_interval(values)
    assert lower <= statistics.median(values) <= upper
    assert lower in values
    assert upper in values


@given(TIMES, st.randoms())
def test_the_order_of_the_runs_does_not_matter(values: list[float], shuffle: random.Random) -> None:
    before = median_interval(values)
    shuffle.shuffle(values)
    assert median_interval(values) == before


@given(TIMES, st.floats(min_value=1e-3, max_value=1e3))
def test_the_relative_width_does_not_depend_on_the_unit(values: list[float], factor: float) -> None:
    assert half_width_relative([value * factor for value in values]) == pytest.approx(half_width_relative(values), rel=1e-6)


@pytest.mark.parametrize("count", [6, 7, 8, 9, 12, 20, 25, 60, 100])
def test_its_confidence_is_at_least_95_percent_and_the_next_narrower_one_has_less(count: int) -> None:
    """By the binomial distribution of the number of values below the true median, worked out here in another way."""
    values = list(range(count))
    lower, upper = median_interval(values)

    def confidence(first: int, last: int) -> float:
        return sum(math.comb(count, below) for below in range(first + 1, last + 1)) / math.pow(2, count)

    assert confidence(int(lower), int(upper)) >= 0.95
    assert confidence(int(lower) + 1, int(upper) - 1) < 0.95


def test_it_covers_a_true_median_as_often_as_it_says() -> None:
    generator = random.Random(7)
    drawn = [[generator.expovariate(1) for _ in range(25)] for _ in range(2000)]
    covered = sum(lower <= math.log(2) <= upper for lower, upper in map(median_interval, drawn))
    assert covered / len(drawn) > 0.94


@pytest.mark.parametrize("count", range(LEAST_RUNS))
def test_too_few_runs_have_no_interval(count: int) -> None:
    assert half_width_relative([1.0] * count) == 1.0
    with pytest.raises(ValueError, match="at least 6"):
        median_interval([1.0] * count)


def test_a_device_that_slows_down_evenly_is_not_called_steady() -> None:
    """A card that warms up: two levels, each as steady as can be."""
    slowing = [1.0 + 0.0001 * each for each in range(10)] + [1.05 + 0.0001 * each for each in range(10)]
    assert half_width_relative(slowing) > 0.02
    assert half_width_relative(slowing[:10]) < 0.001


def test_drift_seldom_widens_the_interval_of_independent_runs() -> None:
    generator = random.Random(3)
    widened = 0
    for _ in range(500):
        values = [generator.gauss(1, 0.01) for _ in range(25)]
        lower, upper = median_interval(values)
        widened += half_width_relative(values) > (upper - lower) / 2 / statistics.median(values) * 1.0001
    assert widened / 500 < 0.12
