"""Line numbers of keys, over every way in which TOML lets a person write one."""

from __future__ import annotations

import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpuaudit.evidence.toml_lines import KeyPath, key_lines

_TEXT = '''# a comment with [brackets] = and "quotes"
schema = 1

title = """
first line = not a key
[not.a.table]
"""
path = 'C:\\new'   # trailing, [comment]
dotted . "quo.ted".'single' = true

[money]
amount = 1.5
list = [
  1, # one
  "a ] b",
  [2, 3],
]
inline = { a = 1, b.c = "}", d = [ { e = 1 }, { e = 2 } ] }

[[lines]]
id = "first"
  [lines.product]
  named = "A100"

[[lines]]
id = "second"
[[lines.parts]]
x = """ends in quotes"""""
[[lines.parts]]
x = \'\'\'
raw \\ text
\'\'\'
y = 1979-05-27 07:32:00
'''


@pytest.mark.parametrize(
    ("path", "line"),
    [
        pytest.param(("schema",), 2, id="plain"),
        pytest.param(("title",), 4, id="multi-line-text"),
        pytest.param(("path",), 8, id="after-a-multi-line-text"),
        pytest.param(("dotted", "quo.ted", "single"), 9, id="dotted-and-quoted"),
        pytest.param(("money",), 11, id="table"),
        pytest.param(("money", "list", 1), 15, id="element-of-an-array-over-several-lines"),
        pytest.param(("money", "list", 2, 1), 16, id="array-in-an-array"),
        pytest.param(("money", "inline", "d", 1, "e"), 18, id="table-in-an-array-in-an-inline-table"),
        pytest.param(("lines", 0, "product", "named"), 23, id="table-in-an-array-of-tables"),
        pytest.param(("lines", 1, "id"), 26, id="second-table-of-an-array"),
        pytest.param(("lines", 1, "parts", 0, "x"), 28, id="array-of-tables-in-another"),
        pytest.param(("lines", 1, "parts", 1, "y"), 33, id="after-a-literal-multi-line-text"),
    ],
)
def test_each_way_to_write_a_key_has_its_line(path: KeyPath, line: int) -> None:
    assert key_lines(_TEXT)[path] == line


def test_paths_are_those_of_the_parsed_text() -> None:
    assert set(_paths(tomllib.loads(_TEXT), ())) == set(key_lines(_TEXT))


def _paths(value: object, path: KeyPath) -> list[KeyPath]:
    items: list[tuple[str | int, object]] = []
    if isinstance(value, dict):
        items = list(value.items())
    elif isinstance(value, list):
        items = list(enumerate(value))
    return [found for key, item in items for found in [(*path, key), *_paths(item, (*path, key))]]


_KEYS = st.text("ab-_", min_size=1, max_size=3)
_SCALARS = st.one_of(
    st.integers(-5, 5).map(str),
    st.sampled_from(['"x"', '"]"', "'}'", '"a#b"', "true", "1.5", '"""a\nb"""', "[\n1,\n2]", "{a=1}", "[]", '"\\""']),
)


@settings(max_examples=200)
@given(
    st.lists(
        st.one_of(
            st.tuples(st.just("table"), _KEYS, st.just("")),
            st.tuples(st.just("pair"), _KEYS, _SCALARS),
            st.tuples(st.just("array"), _KEYS, st.just("")),
        ),
        max_size=8,
    )
)
def test_any_accepted_text_is_indexed_in_full(rows: list[tuple[str, str, str]]) -> None:
    write = {"table": "[{0}]", "array": "[[{0}]]", "pair": "{0} = {1} # note"}
    text = "\n".join(write[kind].format(key, value) for kind, key, value in rows)
    try:
        parsed = tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return
    lines = key_lines(text)
    assert set(_paths(parsed, ())) == set(lines)
    assert all(1 <= line <= text.count("\n") + 1 for line in lines.values())
