"""What people write wrong in a file, and what they are told."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from enum import StrEnum
from typing import Annotated, Literal

import pytest
from pydantic import Field

from gpuaudit.errors import MalformedFileError
from gpuaudit.evidence.record import entry
from gpuaudit.evidence.toml_file import Fault, load_toml


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


@entry
class Some:
    kind: Literal["some"] = "some"
    n: Annotated[int, Field(gt=0)]


@entry
class Unsaid:
    kind: Literal["unsaid"] = "unsaid"


@entry
class Item:
    name: str
    colour: Colour = Colour.RED
    count: Annotated[Some | Unsaid, Field(discriminator="kind")]


@entry
class Box:
    schema: Literal[1]
    items: tuple[Item, ...]
    weights: dict[Colour, float] = Field(default_factory=dict)


_GOOD = b"""schema = 1
[[items]]
name = "a"
count = { kind = "some", n = 2 }
[[items]]
name = "b"
colour = "blue"
count = { kind = "unsaid" }
[weights]
red = 1
"""


def test_a_good_file_is_read_with_tuples_enums_and_unions() -> None:
    box = load_toml(Box, _GOOD, place="box.toml")
    assert box.items[0].count == Some(n=2)
    assert box.items[1].colour is Colour.BLUE
    assert box.weights == {Colour.RED: 1.0}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        pytest.param(
            b'name = "a"',
            b'nmae = "a"',
            r"box.toml:2: items\[0\]\.name: field required; box.toml:3: items\[0\]\.nmae: unknown key",
            id="misspelt-key-is-no-default",
        ),
        pytest.param(
            b"n = 2", b'n = "2"', r"box.toml:4: items\[0\]\.count\.n: expected a valid integer, got '2'", id="text-for-a-number"
        ),
        pytest.param(
            b"n = 2",
            b"n = 0",
            r"box.toml:4: items\[0\]\.count\.n: expected greater than 0|box.toml:4: items\[0\]\.count\.n: expected to be greater than 0, got 0",
            id="out-of-range",
        ),
        pytest.param(
            b"n = 2", b"n = true", r"box.toml:4: items\[0\]\.count\.n: expected a valid integer, got true", id="yes-is-not-one"
        ),
        pytest.param(
            b'kind = "some", n = 2', b"n = 2", r"box.toml:4: items\[0\]\.count\.kind: field required", id="union-without-kind"
        ),
        pytest.param(
            b'"some"',
            b'"sum"',
            r"box.toml:4: items\[0\]\.count\.kind: got 'sum', expected one of 'some', 'unsaid'",
            id="union-of-another-kind",
        ),
        pytest.param(
            b'"blue"',
            b'"green"',
            r"box.toml:7: items\[1\]\.colour: expected 'red' or 'blue', got 'green'",
            id="not-in-the-enum",
        ),
        pytest.param(b"red = 1", b"rde = 1", r"box.toml:10: weights\.rde: unknown key", id="misspelt-key-of-a-mapping"),
        pytest.param(
            b"red = 1", b"red = nan", r"box.toml:10: weights\.red: expected a finite number, got nan", id="not-a-number"
        ),
        pytest.param(
            b"red = 1",
            b"red = 1" + b"0" * 30,
            r"box.toml:10: weights\.red: expected a whole number of at most 64 bits",
            id="long-integer",
        ),
        pytest.param(
            b'name = "b"',
            b"name = 2024-04-01",
            r'box.toml:6: items\[1\]\.name: expected a text, got a date or time; write it in quotes: "2024-04-01"',
            id="date-without-quotes",
        ),
        pytest.param(
            b"schema = 1", b"schema = 1\nschema = 1", r"box.toml:2: not TOML: Cannot overwrite a value", id="duplicate-key"
        ),
        pytest.param(b'name = "b"', b"name = b", r"box.toml:6: not TOML: Invalid value", id="not-toml"),
        pytest.param(b'name = "b"', b'name = "\xff"', r"box.toml: not TOML: 'utf-8' codec can't decode", id="not-utf-8"),
        pytest.param(b'name = "b"', b'name = "b"\rx', r"box.toml:6: not TOML", id="stray-carriage-return"),
        pytest.param(
            b"red = 1", b"red = 1" + b"0" * 5000, r"box.toml: not TOML: Exceeds the limit", id="integer-of-five-thousand-digits"
        ),
    ],
)
def test_a_fault_is_told_with_its_line(old: bytes, new: bytes, message: str) -> None:
    assert old in _GOOD
    with pytest.raises(MalformedFileError, match=f"^(?:{message})"):
        load_toml(Box, _GOOD.replace(old, new, 1), place="box.toml")


def test_all_faults_are_told_at_once_in_the_order_of_the_file() -> None:
    bad = _GOOD.replace(b"schema = 1", b"schema = 2").replace(b"n = 2", b"n = -1").replace(b"blue", b"green")
    with pytest.raises(MalformedFileError) as raised:
        load_toml(Box, bad, place="box.toml")
    assert re.findall(r"box\.toml:(\d+)", str(raised.value)) == ["1", "4", "7"]


def test_windows_line_ends_count_once() -> None:
    bad = _GOOD.replace(b"blue", b"green").replace(b"\n", b"\r\n")
    with pytest.raises(MalformedFileError, match=r"^box\.toml:7:"):
        load_toml(Box, bad, place="box.toml")


def test_what_types_cannot_say_is_asked_last_and_has_a_line_too() -> None:
    def check(box: Box) -> Iterator[Fault]:
        yield Fault(path=("items", 1, "name"), message="already taken")

    with pytest.raises(MalformedFileError, match=r"^box.toml:6: items\[1\]\.name: already taken$"):
        load_toml(Box, _GOOD, place="box.toml", check=check)


@pytest.mark.parametrize(
    "bomb",
    [
        pytest.param(b"a = " + b"[" * 60_000, id="deep-arrays"),
        pytest.param(b"a = " + b"{b=" * 30_000, id="deep-inline-tables"),
        pytest.param(b"[" + b"a." * 60_000 + b"a]", id="deep-table-name"),
        pytest.param(b".".join([b"a"] * 60_000) + b" = 1", id="deep-dotted-key"),
        pytest.param(b'schema = 1\nitems = "' + b"x" * 200_000 + b'"', id="too-large"),
        pytest.param(b'"a" . ' * 9_000 + b'"a" = 1', id="deep-quoted-key"),
        pytest.param(b"x = [" + b"[" * 40 + b"]" * 40 + b"]", id="deeper-than-any-type"),
        pytest.param(b"a" * 60_000, id="one-long-word"),
        pytest.param(b"'" * 60_000, id="nothing-but-quotes"),
        pytest.param(b"[[items]]\n" * 6_000, id="thousands-of-faults"),
    ],
)
def test_a_bomb_is_refused_in_a_moment_and_in_few_words(bomb: bytes) -> None:
    started = time.monotonic()
    with pytest.raises(MalformedFileError) as raised:
        load_toml(Box, bomb, place="box.toml")
    assert time.monotonic() - started < 5
    assert len(str(raised.value)) < 4000


def test_a_terminal_is_not_obeyed() -> None:
    with pytest.raises(MalformedFileError) as raised:
        load_toml(Box, _GOOD + b'\n["\\u001b[31m"]\n', place="box.toml")
    assert "\x1b" not in str(raised.value)
