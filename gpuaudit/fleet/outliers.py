"""Devices that stand out in their own fleet: by median and MAD, per product and quantity, so that the odd ones do not hide themselves.

A fleet that is bad as a whole has no outliers; what a product should reach is the catalogue's to say.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib import resources
from statistics import median
from typing import Annotated, Final, Literal

from pydantic import Field

from gpuaudit.evidence.record import entry
from gpuaudit.evidence.toml_file import load_toml
from gpuaudit.fleet.archive import nameless_database
from gpuaudit.fleet.testimony import Rate

_FILE: Final = "outliers.toml"
# 0.75 quantile of the standard normal distribution: MAD / 0.6745 estimates a standard deviation.
_NORMAL: Final = 0.6745


@entry
class _Citation:
    kind: str
    source: str
    note: str


@entry
class OutlierThresholds:
    """From when on a device stands out; `least_deviation` is relative to the median."""

    schema: Literal[1]
    least: Annotated[int, Field(gt=2)]
    score: Annotated[float, Field(gt=0)]
    least_deviation: Annotated[float, Field(ge=0)]
    cited: tuple[_Citation, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Distribution:
    """One quantity over all devices that report one product. `mad` is the median of the distances from the median."""

    product: str
    quantity: str
    count: int
    smallest: float
    median: float
    mad: float
    largest: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlier:
    """A device whose value lies far from the fleet's; `score` is the modified z-score, infinite where the MAD is zero."""

    product: str
    quantity: str
    subject: str
    value: float
    median: float
    score: float


class RateBook:
    """Collects rates of a fleet on disk; the values of one product and quantity at a time are taken into memory."""

    def __init__(self) -> None:
        """Begin empty."""
        self._measures: dict[tuple[str, str], int] = {}
        self._database = nameless_database(self, "CREATE TABLE rate (measure INTEGER, value REAL, subject TEXT)")

    def add(self, rates: Iterable[Rate]) -> None:
        """Take in the rates of one machine."""
        self._database.executemany(
            "INSERT INTO rate VALUES (?, ?, ?)",
            [
                (self._measures.setdefault((one.product, one.quantity), len(self._measures)), one.value, one.subject)
                for one in rates
            ],
        )

    def distributions(self) -> tuple[Distribution, ...]:
        """Describe every quantity, by product and quantity."""
        return tuple(self._distribution(key) for key in sorted(self._measures))

    def outliers(self, distributions: Iterable[Distribution]) -> tuple[Outlier, ...]:
        """Name the devices that stand out from `distributions`, which are this book's, the farthest first."""
        limits = load_outlier_thresholds()
        found = [outlier for known in distributions for outlier in self._outliers(known, limits)]
        return tuple(sorted(found, key=lambda one: (-one.score, one.subject, one.quantity)))

    def _distribution(self, key: tuple[str, str]) -> Distribution:
        rows = self._database.execute("SELECT value FROM rate WHERE measure = ?", (self._measures[key],))
        values = array("d", (value for (value,) in rows))
        middle = median(values)
        return Distribution(
            product=key[0],
            quantity=key[1],
            count=len(values),
            smallest=min(values),
            median=middle,
            mad=median(abs(value - middle) for value in values),
            largest=max(values),
        )

    def _outliers(self, known: Distribution, limits: OutlierThresholds) -> Iterator[Outlier]:
        if known.count < limits.least:
            return
        least = limits.least_deviation * known.median
        rows = self._database.execute(
            "SELECT value, subject FROM rate WHERE measure = ? AND abs(value - ?) > ? ORDER BY rowid",
            (self._measures[(known.product, known.quantity)], known.median, least),
        )
        for value, subject in rows:
            distance = abs(value - known.median)
            score = _NORMAL * distance / known.mad if known.mad else float("inf")
            if score > limits.score:
                yield Outlier(
                    product=known.product,
                    quantity=known.quantity,
                    subject=subject,
                    value=value,
                    median=known.median,
                    score=score,
                )


@cache
def load_outlier_thresholds() -> OutlierThresholds:
    """Read the thresholds that come with gpuaudit."""
    data = resources.files("gpuaudit.fleet").joinpath(_FILE).read_bytes()
    return load_toml(OutlierThresholds, data, place=_FILE)
