"""Devices that stand out in their own fleet: by median and MAD, per product and quantity, so that the odd ones do not hide themselves.

A fleet that is bad as a whole has no outliers; what a product should reach is the catalogue's to say.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from importlib import resources
from statistics import median
from typing import Annotated, Final, Literal

from pydantic import Field

from gpuaudit.evidence.record import entry
from gpuaudit.evidence.toml_file import load_toml
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
    """Collects rates of a fleet: a number and the device's name for each, however large the evidence was."""

    def __init__(self) -> None:
        """Begin empty."""
        self._values: defaultdict[tuple[str, str], array[float]] = defaultdict(lambda: array("d"))
        self._subjects: defaultdict[tuple[str, str], list[str]] = defaultdict(list)

    def add(self, rates: Iterable[Rate]) -> None:
        """Take in the rates of one machine."""
        for rate in rates:
            key = (rate.product, rate.quantity)
            self._values[key].append(rate.value)
            self._subjects[key].append(rate.subject)

    def distributions(self) -> tuple[Distribution, ...]:
        """Describe every quantity, by product and quantity."""
        return tuple(self._distribution(key) for key in sorted(self._values))

    def outliers(self) -> tuple[Outlier, ...]:
        """Name the devices that stand out, the farthest first."""
        limits = load_outlier_thresholds()
        found = [outlier for key in sorted(self._values) for outlier in self._outliers(key, limits)]
        return tuple(sorted(found, key=lambda one: (-one.score, one.subject, one.quantity)))

    def _distribution(self, key: tuple[str, str]) -> Distribution:
        values = self._values[key]
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

    def _outliers(self, key: tuple[str, str], limits: OutlierThresholds) -> Iterable[Outlier]:
        known = self._distribution(key)
        if known.count < limits.least:
            return
        for value, subject in zip(self._values[key], self._subjects[key], strict=True):
            distance = abs(value - known.median)
            if distance <= limits.least_deviation * known.median:
                continue
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
