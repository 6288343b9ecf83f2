"""The two forms in which commands print: text for people, JSON for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import TypeVar

from gpuaudit.cli import console
from gpuaudit.evidence.reading import Known, Reading
from gpuaudit.printable import printable

T = TypeVar("T")


class Format(StrEnum):
    """How to print a result."""

    TEXT = "text"
    JSON = "json"


def as_json(value: object) -> str:
    """Write plain dicts, lists, texts and numbers as indented JSON in ASCII, which no terminal obeys."""
    return json.dumps(value, indent=2, allow_nan=False, ensure_ascii=True)


def as_table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Write a table, the header first: a line for each row in a pipe; on a terminal no wider than it is.

    Nothing is cut off, and what others wrote is shown and not obeyed.
    """
    # Only here: a command that prints no table needs no rich.
    from gpuaudit.report.grid import laid_out

    inert = [tuple(map(printable, row)) for row in rows]
    return "\n".join(laid_out(header, inert, width=console.width(sys.maxsize)))


def shown(reading: Reading[T], form: Callable[[T], str] = str) -> str:
    """Write a reading in a few words: its value in that form, or why there is none."""
    return form(reading.value) if isinstance(reading, Known) else f"unknown ({reading.reason.value})"


def in_prefixed(value: float, unit: str) -> str:
    """Write a number with an SI prefix and four digits: `312.4 TFLOP/s`."""
    for prefix, factor in (("P", 1e15), ("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if value >= factor:
            return f"{value / factor:.4g} {prefix}{unit}"
    return f"{value:.4g} {unit}"
