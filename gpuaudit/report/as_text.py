"""A view as text: no colour, sentences of at most 80 columns, and tables as wide as what shows them.

In a pipe that is 80 columns too, so that what is kept in a file or quoted in a mail reads like what was seen.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from gpuaudit.report.grid import laid_out, wrapped
from gpuaudit.report.view import Block, Commands, Facts, Listing, Picture, Section, Table, View

USUAL_WIDTH: Final = 80
_BRIEF: Final = 8
_INDENT: Final = "  "


def as_text(view: View, *, width: int = USUAL_WIDTH) -> str:
    """Write everything that the view holds, its tables at most `width` columns wide."""
    sheet = _Sheet(width=width, most=sys.maxsize)
    return "\n".join((*sheet.head(view), *(line for section in view.sections for line in sheet.section(section))))


def as_brief(view: View, *, width: int = USUAL_WIDTH) -> str:
    """Write the verdict, why, each line, what is odd or not covered, and what it rests on; what is cut short says so."""
    sheet = _Sheet(width=width, most=_BRIEF)
    brief = (section for section in view.sections if section.brief)
    return "\n".join((*sheet.head(view), *(line for section in brief for line in sheet.section(section))))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sheet:
    """How wide tables may be, and how many rows of a table or items of a list are written."""

    width: int
    most: int

    def head(self, view: View) -> Iterator[str]:
        stamp = f"  *** {view.stamp} ***" if view.stamp else ""
        yield from self._wrapped(f"{view.verdict.upper()}{stamp}  {view.tender}: {view.title}")
        for told in (view.headline, *view.remarks):
            yield from self._wrapped(told)

    def section(self, section: Section) -> Iterator[str]:
        yield ""
        yield from self._wrapped(section.title)
        for block in section.blocks:
            yield from self._block(block)

    def _block(self, block: Block) -> Iterator[str]:
        match block:
            case Facts(items=facts):
                for fact in facts:
                    yield from self._wrapped(f"{fact.label}: {fact.value}", _INDENT)
            case Listing(items=items):
                for item in items[: self.most]:
                    yield from self._wrapped(item, _INDENT)
                yield from self._hidden(len(items))
            case Commands(items=items):
                # Never broken: they are to be typed as they are.
                yield from (f"{_INDENT}$ {item}" for item in items)
            case Table(caption=caption):
                yield from self._wrapped(f"{caption}:", _INDENT)
                yield from self._table(block)
                yield from self._hidden(len(block.rows))
            case Picture(caption=caption, alternative=alternative):
                yield from self._wrapped(f"{caption}: {alternative}", _INDENT)

    def _hidden(self, count: int) -> Iterator[str]:
        if count > self.most:
            yield f"{_INDENT}and {count - self.most} more; gpuaudit report shows all"

    def _table(self, table: Table) -> Iterator[str]:
        indent = 2 * _INDENT
        lines = laid_out(table.header, table.rows[: self.most], width=self.width - len(indent))
        yield from (f"{indent}{line}" for line in lines)

    def _wrapped(self, text: str, indent: str = "") -> list[str]:
        return wrapped(text, width=min(self.width, USUAL_WIDTH), indent=indent, hang=_INDENT if indent else "")
