"""Amounts as people read them, in findings and reasons."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """One rate over another, both kept."""

    numerator: float
    denominator: float

    @property
    def value(self) -> float:
        """The quotient; rates are above zero."""
        return self.numerator / self.denominator


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerRates:
    """The rates to the other cards, the slowest first, and to which card each is: several to one where a pair was measured again."""

    rates: tuple[float, ...]
    cards: tuple[int, ...]

    @classmethod
    def of(cls, cards: Iterable[Iterable[float]]) -> PeerRates:
        """Put in order what was measured to each card."""
        pairs = sorted((rate, card) for card, rates in enumerate(cards) for rate in rates)
        return cls(rates=tuple(rate for rate, _ in pairs), cards=tuple(card for _, card in pairs))

    def count(self, start: int = 0, end: int | None = None) -> int:
        """Return to how many cards the rates from one place in the order to another are."""
        return len(set(self.cards[start:end]))


class Unit(StrEnum):
    """In which unit a rule's reading is shown."""

    TEXT = "text"
    COUNT = "count"
    BYTES = "bytes"
    BITS = "bits"
    MEGAHERTZ = "MHz"
    MILLIWATTS = "mW"
    FLOP_PER_SECOND = "FLOP/s"
    BYTES_PER_SECOND = "bytes/s"
    RATIO = "ratio"


_SCALED: Final = {Unit.FLOP_PER_SECOND: (1e12, "TFLOP/s"), Unit.BYTES_PER_SECOND: (1e9, "GB/s")}
_WHOLE: Final = {Unit.BYTES: "MiB", Unit.MILLIWATTS: "W", Unit.MEGAHERTZ: "MHz", Unit.BITS: "bit"}
_WHOLE_SCALE: Final = {Unit.BYTES: 1024**2, Unit.MILLIWATTS: 1000}
_SHOWN: Final = 3


def show(value: object, unit: Unit) -> str:
    """Write one value with its unit, as `81920 MiB` or `271 TFLOP/s`."""
    match value:
        case int() | float() if unit is not Unit.TEXT:
            return _number(float(value), unit)
        case Ratio():
            return _number(value.value, unit)
        case PeerRates():
            return f"{value.count()} peers at {show_range(value.rates, unit)}"
        case _:
            return str(value)


def show_range(values: Iterable[float], unit: Unit) -> str:
    """Write the smallest and the largest of `values`, or the one value if they look alike."""
    ordered = sorted(values)
    if not ordered:
        return "nothing"
    low, high = _number(ordered[0], unit), _number(ordered[-1], unit)
    return low if low == high else f"{low} to {high}"


def show_band(low: float, high: float, unit: Unit) -> str:
    """Write a band whose ends may be infinite, as `at least 156 TFLOP/s`."""
    if high == float("inf"):
        return f"at least {_number(low, unit)}"
    if low == float("-inf"):
        return f"at most {_number(high, unit)}"
    return show_range((low, high), unit)


def show_set(names: Iterable[str]) -> str:
    """Write the first few of a set and how many more there are."""
    ordered = sorted(names)
    shown = ", ".join(ordered[:_SHOWN])
    return shown if len(ordered) <= _SHOWN else f"{shown} and {len(ordered) - _SHOWN} more"


def _number(value: float, unit: Unit) -> str:
    scaled = _SCALED.get(unit)
    if scaled is not None:
        scale, suffix = scaled
        return f"{_significant(value / scale)} {suffix}"
    if unit is Unit.RATIO:
        return f"1/{1 / value:.3g}" if 0 < value < 1 else f"{value:.3g}"
    suffix = _WHOLE.get(unit, "")
    return f"{value / _WHOLE_SCALE.get(unit, 1):.0f} {suffix}".rstrip()


def _significant(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"
