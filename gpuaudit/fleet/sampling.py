"""What a sample of servers says of all of them: exact statements from the hypergeometric distribution.

Servers are drawn without replacement, so the number of bad ones among those drawn is hypergeometric. A server that was drawn and
not confirmed, for whatever reason, counts as bad here: a server that hides does not make the statement stronger.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

from gpuaudit.errors import UsageError


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleStatement:
    """At most `most_bad` of `population` servers are bad, at `confidence`: a method that errs in no more than 1 - `confidence`."""

    population: int
    drawn: int
    not_confirmed: int
    confidence: float
    most_bad: int

    @property
    def text(self) -> str:
        """Say it in words, the share rounded down to a tenth of a percent: `at least 98 % of the servers, at 95 %`."""
        tenths = 1000 * (self.population - self.most_bad) // self.population
        return f"at least {tenths / 10:g} % of the servers, at {self.confidence * 100:g} %"


@lru_cache(maxsize=4096)
def state(population: int, drawn: int, not_confirmed: int, confidence: float) -> SampleStatement:
    """Bound the number of bad servers from above (Clopper and Pearson's bound, for draws without replacement).

    Args:
        population: How many servers there are.
        drawn: How many were drawn at random.
        not_confirmed: How many of those were not confirmed.
        confidence: From 0 to 1, both left out.

    Raises:
        UsageError: The numbers do not fit each other.
    """
    if not 0 <= not_confirmed <= drawn <= population or population < 1:
        raise UsageError(f"sample: got {not_confirmed} of {drawn} of {population}, expected each to be a part of the next")
    _require_share(confidence, "--confidence")
    from scipy.stats import hypergeom  # noqa: PLC0415 - half a second, and only samples need it

    low, high = not_confirmed, population - (drawn - not_confirmed)
    # The chance of so few bad ones in the draw falls with the number there are, so the last one that is likely enough is searched.
    while low < high:
        middle = (low + high + 1) // 2
        if float(hypergeom.cdf(not_confirmed, population, middle, drawn)) > 1 - confidence:
            low = middle
        else:
            high = middle - 1
    return SampleStatement(population=population, drawn=drawn, not_confirmed=not_confirmed, confidence=confidence, most_bad=low)


def sample_size(population: int, confidence: float, tolerance: float) -> int:
    """Return how many servers to draw so that, if all are good, at most the share `tolerance` of all is bad.

    Raises:
        UsageError: A number is out of range.
    """
    _require_share(confidence, "--confidence")
    if not 0 <= tolerance < 1:
        raise UsageError(f"--tolerance: got {tolerance:g}, expected a share from 0 to 1, as 0.02")
    tolerated = tolerated_of(population, tolerance)
    low, high = 1, population
    while low < high:
        middle = (low + high) // 2
        if state(population, middle, 0, confidence).most_bad <= tolerated:
            high = middle
        else:
            low = middle + 1
    return low


def tolerated_of(population: int, tolerance: float) -> int:
    """Return how many servers a share is, rounded down; 0.02 of 500 are 10 although 0.02 * 500 need not be in floating point."""
    return math.floor(population * tolerance + 1e-9)


def audits_needed(confidence: float, absence: float) -> int:
    """Return how many audits at random times catch an absence that lasts the share `absence` of the period, at `confidence`.

    The absence may be in one piece or in many: each audit falls into it with that chance, apart from the others.

    Raises:
        UsageError: A number is out of range.
    """
    _require_share(confidence, "--confidence")
    _require_share(absence, "--absence")
    # As many as leave no more than 1 - confidence; the tolerance is for numbers such as 0.5 ** 2 against 1 - 0.75.
    return math.ceil(math.log(1 - confidence) / math.log(1 - absence) - 1e-9)


def shortest_caught(confidence: float, audits: int) -> float:
    """Return the share of the period from which on an absence is caught by `audits` random audits, at `confidence`.

    Raises:
        UsageError: A number is out of range.
    """
    _require_share(confidence, "--confidence")
    if audits < 1:
        raise UsageError(f"--audits: got {audits}, expected at least 1")
    return float(1 - (1 - confidence) ** (1 / audits))


def _require_share(value: float, option: str) -> None:
    if not 0 < value < 1:
        raise UsageError(f"{option}: got {value:g}, expected a share between 0 and 1, as 0.95")
