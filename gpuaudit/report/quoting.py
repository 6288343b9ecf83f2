"""Text that a machine, a supplier or a path gave: inert and of bounded length, whatever form shows it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, TypeVar

from gpuaudit.evidence.reading import Reading, Unknown
from gpuaudit.printable import printable

T = TypeVar("T")

_MOST: Final = 240
_SENTENCE: Final = 1200
_LISTED: Final = 8


def quoted(text: str) -> str:
    """Return `text` with everything escaped that a terminal or a browser would obey or not show, cut off where it has no end."""
    return _bounded(text, _MOST)


def sentence(text: str) -> str:
    """As `quoted`, for text that holds several quotations."""
    return _bounded(text, _SENTENCE)


def shown(reading: Reading[T], form: Callable[[T], str] = str) -> str:
    """Write a reading: its value in that form, or that there is none and why."""
    if isinstance(reading, Unknown):
        return f"unknown ({reading.reason.value})"
    return quoted(form(reading.value))


def listed(items: Iterable[str], most: int = _LISTED) -> str:
    """Join the first of `items` and say how many more there are."""
    every = tuple(items)
    hidden = len(every) - most
    return "; ".join(every[:most]) + (f"; and {hidden} more" if hidden > 0 else "")


def spoken(subjects: Iterable[str]) -> str:
    """Say several subjects in few words: `device 0 to 7`, `device 0 and 2`, `this machine`."""
    named = tuple(dict.fromkeys(subjects))
    numbers = [name.removeprefix("device ") for name in named if name.startswith("device ")]
    if len(numbers) != len(named) or len(named) < 2 or not all(number.isdigit() for number in numbers):
        return listed(named)
    return f"device {_ranges(sorted(map(int, numbers)))}"


def _ranges(numbers: list[int]) -> str:
    parts: list[list[int]] = []
    for number in numbers:
        if parts and number == parts[-1][-1] + 1:
            parts[-1].append(number)
        else:
            parts.append([number])
    texts = [str(part[0]) if len(part) == 1 else f"{part[0]} to {part[-1]}" for part in parts]
    return ", ".join(texts[:-1]) + (" and " if texts[1:] else "") + texts[-1]


def _bounded(text: str, most: int) -> str:
    if len(text) <= most:
        return printable(text)
    return f"{printable(text[:most])}… ({len(text):,} characters)"
