"""Tables as text, laid out by rich: nothing cut off, no box, no colour, and no markup of others obeyed.

Where a cell takes several lines, the others of its row are blank from their end on: each row begins a line with its first cell.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from textwrap import TextWrapper
from typing import Final

from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

_GAP: Final = 2
_HANG: Final = "  "
# As tall as rows may be on average before they are easier to read as sentences.
_TALLEST: Final = 3


def laid_out(header: Sequence[str], rows: Sequence[Sequence[str]], *, width: int) -> list[str]:
    """Write a table in columns of at most `width` characters, or, where those are too few, each row as a paragraph.

    Columns are narrowed only where they have to be, first the last one alone, so that all other cells can be searched for as
    they are; then the widest; none below its longest word. What takes the place of two (Chinese) is counted so.

    Args:
        header: The names of the columns.
        rows: Cells without line breaks and without anything that a terminal would obey.
        width: How many characters a line may have.

    Returns:
        Lines without blanks at their ends.
    """
    columns = list(zip(header, *rows, strict=True))
    room = width - _GAP * (len(columns) - 1)
    for rigid in (len(columns) - 1, 0):
        widths = _narrowed(columns, room, rigid)
        lines = _in_columns(header, rows, widths) if sum(widths) <= room else []
        if 0 < len(lines) <= _TALLEST * (len(rows) + 1):
            return lines
    return [line for row in rows for line in _as_paragraph(header, row, width)]


def wrapped(text: str, *, width: int, indent: str = "", hang: str = "") -> list[str]:
    """Break a text into lines between its words: the first set in by `indent`, the others by `indent` and `hang`."""
    wrapper = TextWrapper(width=width, initial_indent=indent, subsequent_indent=f"{indent}{hang}", break_on_hyphens=False)
    return wrapper.wrap(text)


def _narrowed(columns: Sequence[Sequence[str]], room: int, rigid: int) -> list[int]:
    """Return the widths of columns that fit into `room`, the first `rigid` not narrowed; or the least that there can be."""
    widths = [max(map(cell_len, column)) for column in columns]
    least = [
        width if place < rigid else max((cell_len(word) for cell in column for word in cell.split()), default=0)
        for place, (width, column) in enumerate(zip(widths, columns, strict=True))
    ]
    while sum(widths) > room:
        able = [place for place in range(len(columns)) if widths[place] > least[place]]
        if not able:
            break
        widths[max(able, key=widths.__getitem__)] -= 1
    return widths


def _in_columns(header: Sequence[str], rows: Sequence[Sequence[str]], widths: Sequence[int]) -> list[str]:
    # A `Text` is shown as it is: of a plain `str` rich would obey `[red]` and `[link=…]`.
    table = Table(box=None, padding=(0, _GAP, 0, 0), header_style="")
    for name, width in zip(header, widths, strict=True):
        table.add_column(Text(name), width=width, overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    written = io.StringIO()
    # All said here, so that neither a terminal nor a variable of the environment decides.
    console = Console(
        file=written,
        width=sum(widths) + _GAP * len(widths),
        color_system=None,
        force_terminal=False,
        force_jupyter=False,
        legacy_windows=False,
    )
    console.print(table)
    return [line.rstrip() for line in written.getvalue().split("\n")[:-1]]


def _as_paragraph(header: Sequence[str], row: Sequence[str], width: int) -> Iterator[str]:
    first = row[0] if row[0].startswith(header[0]) else f"{header[0]} {row[0]}"
    named = (f"{name} {cell}" for name, cell in zip(header[1:], row[1:], strict=True) if cell)
    yield from wrapped(f"{first}: {'; '.join(named)}", width=width, hang=_HANG)
