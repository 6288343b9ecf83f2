"""Text of others is short and obeyed by nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuaudit.report.quoting import listed, quoted, sentence, spoken


@given(st.text())
def test_what_is_quoted_is_printable_and_bounded(text: str) -> None:
    for short in (quoted(text), sentence(text)):
        assert short.isprintable() or all(character.isspace() or character.isprintable() for character in short)
    assert len(quoted(text * 100)) < 240 * 10 + 40


@given(st.text(st.characters(categories=["L", "N", "P"]), max_size=240))
def test_plain_text_stays_as_it_is(text: str) -> None:
    assert quoted(text) == text


def test_what_is_cut_off_says_how_long_it_was() -> None:
    assert quoted("x" * 10_000) == "x" * 240 + "… (10,000 characters)"


@pytest.mark.parametrize(
    ("subjects", "told"),
    [
        (["device 0"], "device 0"),
        (["device 0", "device 1", "device 2"], "device 0 to 2"),
        (["device 0", "device 2"], "device 0 and 2"),
        (["device 7", "device 0", "device 1", "device 4"], "device 0 to 1, 4 and 7"),
        (["this machine"], "this machine"),
        (["device 0", "this machine"], "device 0; this machine"),
        (["device 0", "device x"], "device 0; device x"),
        (["device 1", "device 1"], "device 1"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_subjects_are_spoken_of_in_few_words(subjects: list[str], told: str) -> None:
    assert spoken(subjects) == told


def test_a_long_list_says_how_much_is_left_out() -> None:
    assert listed(map(str, range(10)), most=3) == "0; 1; 2; and 7 more"
    assert listed(["a", "b"], most=2) == "a; b"
