"""Where each key of a TOML text stands: paths to line numbers.

No TOML library at hand tells positions, and "gpus: expected a whole number" is of little use in a file of two hundred lines. The
text must have been accepted by `tomllib` first: what is checked there is not checked again.
"""

from __future__ import annotations

import re
import tomllib
from bisect import bisect_right
from collections.abc import Iterator
from typing import Final, TypeAlias

KeyPath: TypeAlias = tuple[str | int, ...]

_BLANK: Final = re.compile(r"[ \t]*")
_FILLER: Final = re.compile(r"(?:[ \t\n]|#[^\n]*)*")
_BARE_KEY: Final = re.compile(r"[A-Za-z0-9_-]+")
# The longest form first: a text in three quotes may end in up to five.
_STRING: Final = re.compile(
    r'"""(?:\\[\s\S]|[^\\])*?"{3,5}' r"|'''[\s\S]*?'{3,5}" r'|"(?:\\.|[^"\\\n])*"' r"|'[^'\n]*'",
)
_SCALAR: Final = re.compile(r"[^,\]}\n#]+")


def key_lines(text: str) -> dict[KeyPath, int]:
    """Return the line, counted from 1, of every key, table and array element of `text`.

    An element of an array, or of an array of tables, is a number in its path: `("lines", 0, "product")`. A table that only
    appears in the names of others has the line where it first does.

    Args:
        text: TOML that `tomllib.loads` accepts, with line feeds alone.
    """
    return _Reader(text).read()


class _Reader:
    """Walks through the text once."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._line_ends = [match.start() for match in re.finditer("\n", text)]
        self._lines: dict[KeyPath, int] = {}
        self._tables_in_array: dict[KeyPath, int] = {}

    def read(self) -> dict[KeyPath, int]:
        table: KeyPath = ()
        self._skip(_FILLER)
        while self._at < len(self._text):
            if self._peek() == "[":
                table = self._header()
            else:
                self._pair(table)
            self._skip(_FILLER)
        return self._lines

    def _header(self) -> KeyPath:
        is_array = self._text.startswith("[[", self._at)
        self._at += 2 if is_array else 1
        line = self._line()
        keys = tuple(self._keys())
        self._at += 2 if is_array else 1
        path: KeyPath = ()
        for key in keys[:-1]:
            path = self._entered((*path, key), line)
        path = (*path, keys[-1])
        if is_array:
            self._note(path, line)
            self._tables_in_array[path] = self._tables_in_array.get(path, -1) + 1
        path = self._entered(path, line)
        # A table may have been named before by a table inside of it; its own header is the better place.
        self._lines[path] = line
        return path

    def _entered(self, path: KeyPath, line: int) -> KeyPath:
        """Note `path`, and go into its last element where it is an array of tables."""
        self._note(path, line)
        if path in self._tables_in_array:
            path = (*path, self._tables_in_array[path])
            self._note(path, line)
        return path

    def _pair(self, table: KeyPath) -> None:
        line = self._line()
        path = table
        for key in self._keys():
            path = (*path, key)
            self._note(path, line)
        self._at += 1
        self._skip(_BLANK)
        self._value(path)

    def _keys(self) -> Iterator[str]:
        """Yield the parts of a dotted key; stands behind it afterwards, blanks included."""
        while True:
            self._skip(_BLANK)
            yield self._key()
            self._skip(_BLANK)
            if self._peek() != ".":
                return
            self._at += 1

    def _key(self) -> str:
        if self._peek() in "\"'":
            quoted = self._take(_STRING)
            # Escapes are the TOML library's business.
            return str(tomllib.loads(f"key = {quoted}")["key"])
        return self._take(_BARE_KEY)

    def _value(self, path: KeyPath) -> None:
        match self._peek():
            case "[":
                self._array(path)
            case "{":
                self._inline_table(path)
            case '"' | "'":
                self._take(_STRING)
            case _:
                self._take(_SCALAR)

    def _array(self, path: KeyPath) -> None:
        self._at += 1
        for index in range(len(self._text)):
            self._skip(_FILLER)
            if self._peek() == "]":
                break
            self._note((*path, index), self._line())
            self._value((*path, index))
            self._skip_comma()
        self._at += 1

    def _inline_table(self, path: KeyPath) -> None:
        self._at += 1
        self._skip(_FILLER)
        while self._peek() != "}":
            self._pair(path)
            self._skip_comma()
        self._at += 1

    def _skip_comma(self) -> None:
        self._skip(_FILLER)
        if self._peek() == ",":
            self._at += 1
            self._skip(_FILLER)

    def _note(self, path: KeyPath, line: int) -> None:
        self._lines.setdefault(path, line)

    def _line(self) -> int:
        return bisect_right(self._line_ends, self._at - 1) + 1

    def _peek(self) -> str:
        return self._text[self._at]

    def _skip(self, pattern: re.Pattern[str]) -> None:
        self._take(pattern)

    def _take(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self._text, self._at)
        if found is None:
            raise ValueError(f"line {self._line()}: not TOML that was accepted before")
        self._at = found.end()
        return found[0]
