"""The median of a few timed runs and how far it can be trusted, without assuming a distribution."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

_CONFIDENCE: Final = 0.95
# Below this many runs, even the interval from the smallest to the largest has less than 95 %.
LEAST_RUNS: Final = 6


def median_interval(values: Sequence[float]) -> tuple[float, float]:
    """Return an interval that holds the median of whatever `values` were drawn from, with at least 95 % confidence.

    Its ends are order statistics: the number of values below the true median is binomial whatever the distribution [1], provided
    that the values are independent. Runs timed one after the other are not quite: a slow drift makes the interval too narrow.

    Args:
        values: At least six.

    Raises:
        ValueError: There are fewer than six values; no such interval exists.

    Source:
        [1] H. A. David and H. N. Nagaraja, Order Statistics, 3rd edition, section 7.1
    """
    count = len(values)
    if count < LEAST_RUNS:
        raise ValueError(f"median interval: expected at least {LEAST_RUNS} values, got {count}")
    ordered = sorted(values)
    rank = _rank(count)
    return ordered[rank], ordered[count - 1 - rank]


def half_width_relative(values: Sequence[float]) -> float:
    """Return how far the median can be trusted, relative to it; 1 where there are too few values.

    That is half the length of its 95 % interval or, if larger, half of what the median of the later half differs from that of the
    earlier: the interval knows nothing of order, and would call a device steady that slows down evenly. On independent values the
    second is seldom the larger.
    """
    if len(values) < LEAST_RUNS:
        return 1.0
    lower, upper = median_interval(values)
    middle = len(values) // 2
    drift = abs(statistics.median(values[:middle]) - statistics.median(values[middle:]))
    return max(upper - lower, drift) / 2 / statistics.median(values)


@lru_cache(maxsize=1024)
def _rank(count: int) -> int:
    """Return the largest r for which fewer than r + 1 of `count` values lie below the median with at most 2.5 %."""
    tail = 0.0
    rank = -1
    while rank + 1 <= (count - 1) // 2:
        tail += math.comb(count, rank + 1) / 2**count
        if tail > (1 - _CONFIDENCE) / 2:
            break
        rank += 1
    return rank
