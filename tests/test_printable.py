"""No character that a terminal obeys, or hides, gets through."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuaudit.printable import printable


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("NVIDIA A100-SXM4-80GB", "NVIDIA A100-SXM4-80GB", id="a-name"),
        pytest.param("Ünïcödé 深圳 🙂", "Ünïcödé 深圳 🙂", id="other-scripts"),
        pytest.param("\x1b[2J", "\\x1b[2J", id="clear-screen"),
        pytest.param("\x1b]52;c;eA==\x07", "\\x1b]52;c;eA==\\x07", id="set-clipboard"),
        pytest.param("\x9b31m", "\\x9b31m", id="eight-bit-control"),
        pytest.param("a\u202eb", "a\\u202eb", id="right-to-left"),
        pytest.param("a\u2066b", "a\\u2066b", id="isolate"),
        pytest.param("A\u200b100", "A\\u200b100", id="zero-width"),
        pytest.param("a\ufeffb", "a\\ufeffb", id="byte-order-mark"),
        pytest.param("a\u2028b", "a\\u2028b", id="line-separator"),
        pytest.param("a\nb\tc\rd", "a\\nb\\tc\\rd", id="white-space"),
        pytest.param("\ud800", "\\ud800", id="lone-surrogate"),
        pytest.param("\U000e0041", "\\U000e0041", id="tag-letter"),
    ],
)
def test_a_text_is_shown(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(st.text())
def test_nothing_hidden_is_left(text: str) -> None:
    assert all(unicodedata.category(character)[0] not in "C" for character in printable(text))
    assert printable(printable(text)) == printable(text)


def test_a_page_keeps_its_lines() -> None:
    assert printable("a\n\x1bb", keep="\n") == "a\n\\x1bb"
