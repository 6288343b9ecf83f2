"""A view as text: no colour, at most 80 columns, the same in a pipe as on a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from textwrap import TextWrapper
from typing import Final

from gpuaudit.report.view import Block, Commands, Facts, Listing, Picture, Section, Table, View

_WIDTH: Final = 80
_BRIEF: Final = 8
_INDENT: Final = "  "
_GAP: Final = "  "


def as_text(view: View) -> str:
    """Write everything that the view holds."""
    return "\n".join((*_head(view), *(line for section in view.sections for line in _section(section, sys.maxsize))))


def as_brief(view: View) -> str:
    """Write the verdict, why, each line, what is odd or not covered, and what it rests on; what is cut short says so."""
    brief = (section for section in view.sections if section.brief)
    return "\n".join((*_head(view), *(line for section in brief for line in _section(section, _BRIEF))))


def _head(view: View) -> Iterator[str]:
    stamp = f"  *** {view.stamp} ***" if view.stamp else ""
    yield from _wrapped(f"{view.verdict.upper()}{stamp}  {view.tender}: {view.title}")
    for told in (view.headline, *view.remarks):
        yield from _wrapped(told)


def _section(section: Section, most: int) -> Iterator[str]:
    yield ""
    yield from _wrapped(section.title)
    for block in section.blocks:
        yield from _block(block, most)


def _block(block: Block, most: int) -> Iterator[str]:
    match block:
        case Facts(items=facts):
            for fact in facts:
                yield from _wrapped(f"{fact.label}: {fact.value}", _INDENT)
        case Listing(items=items):
            for item in items[:most]:
                yield from _wrapped(item, _INDENT)
            yield from _hidden(len(items) - most)
        case Commands(items=items):
            # Never broken: they are to be typed as they are.
            yield from (f"{_INDENT}$ {item}" for item in items)
        case Table(caption=caption, header=header, rows=rows):
            yield from _wrapped(f"{caption}:", _INDENT)
            yield from _table(header, rows[:most])
            yield from _hidden(len(rows) - most)
        case Picture(caption=caption, alternative=alternative):
            yield from _wrapped(f"{caption}: {alternative}", _INDENT)


def _hidden(count: int) -> Iterator[str]:
    if count > 0:
        yield f"{_INDENT}and {count} more; gpuaudit report shows all"


def _table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    """Write columns where they fit, and one paragraph for each row where they do not."""
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(len(header))]
    if len(2 * _INDENT) + sum(widths) + len(_GAP) * (len(widths) - 1) <= _WIDTH:
        for row in (header, *rows):
            cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
            yield f"{2 * _INDENT}{_GAP.join(cells)}".rstrip()
        return
    for row in rows:
        first = row[0] if row[0].startswith(header[0]) else f"{header[0]} {row[0]}"
        named = (f"{name} {cell}" for name, cell in zip(header[1:], row[1:], strict=True) if cell)
        yield from _wrapped(f"{first}: {'; '.join(named)}", 2 * _INDENT)


def _wrapped(text: str, indent: str = "") -> list[str]:
    wrapper = TextWrapper(
        width=_WIDTH,
        initial_indent=indent,
        subsequent_indent=f"{indent}{_INDENT}" if indent else "",
        break_on_hyphens=False,
    )
    return wrapper.wrap(text)
