"""Tables lose nothing, whatever is in them and however narrow they are."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from gpuaudit.report.grid import laid_out

WORD = st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=1, max_size=12)
CELL = st.lists(WORD, max_size=6).map(" ".join)
WIDTHS = st.integers(min_value=40, max_value=120)


@st.composite
def tables(draw: st.DrawFn) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    columns = draw(st.integers(min_value=1, max_value=6))
    row = st.lists(CELL, min_size=columns, max_size=columns).map(tuple)
    # A name above every column, as all tables have.
    header = tuple(f"h{number}" for number in range(columns))
    return header, draw(st.lists(row, max_size=5))


@given(tables(), WIDTHS)
def test_every_word_is_there_unbroken_and_no_line_is_too_wide(
    table: tuple[tuple[str, ...], list[tuple[str, ...]]], width: int
) -> None:
    header, rows = table
    lines = laid_out(header, rows, width=width)
    written = " ".join(lines)
    for row in rows:
        for word in (word for cell in row for word in cell.split()):
            assert word in written
    assert all(line == line.rstrip() for line in lines)
    # A paragraph counts letters, and no terminal shows more than two places for one.
    assert all(cell_len(line) <= width or len(line) <= width for line in lines)


def test_with_room_each_row_is_a_line() -> None:
    rows = [("a", "one two three"), ("b" * 300, "four")]
    assert [line.split()[0] for line in laid_out(("key", "words"), rows, width=1000)] == ["key", "a", "b" * 300]


def test_only_the_last_column_is_narrowed_where_that_is_enough() -> None:
    lines = laid_out(("name", "why"), [("NVIDIA A800-SXM4-80GB", "its device id is another than it should be")], width=44)
    assert lines == [
        "name                   why",
        "NVIDIA A800-SXM4-80GB  its device id is",
        "                       another than it",
        "                       should be",
    ]


def test_where_columns_would_break_words_each_row_is_a_paragraph() -> None:
    lines = laid_out(("device", "uuid", "bus"), [("device 0", "u" * 30, "b" * 20)], width=50)
    assert lines == ["device 0: uuid uuuuuuuuuuuuuuuuuuuuuuuuuuuuuu; bus", "  bbbbbbbbbbbbbbbbbbbb"]


@pytest.mark.parametrize(
    "text", ["[red]x[/red]", "[link=https://example.org]x[/link]", "[/]", ":boom:", "\\[x]", "[[[", "100%|", "日本語"]
)
def test_markup_of_others_is_only_text(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("FORCE_COLOR", "TTY_COMPATIBLE", "CLICOLOR_FORCE"):
        monkeypatch.setenv(variable, "1")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.setenv("COLUMNS", "10")
    assert laid_out(("name", text), [(text, "y")], width=80)[1].startswith(f"{text}  ")


def test_wide_letters_are_counted_as_wide() -> None:
    first, second = laid_out(("name", "what"), [("深圳", "x"), ("abcd", "y")], width=80)[1:]
    assert (first, second) == ("深圳  x", "abcd  y")
