"""What is kept of every file while a fleet is heard: on disk, so that memory does not follow the number of nodes.

The databases are SQLite's nameless ones: pages beyond its cache go to a file that no other process can open and that is gone with
this process, whatever ends it.
"""

from __future__ import annotations

import pickle
import sqlite3
import weakref
from collections.abc import Iterable, Iterator
from typing import Final

from gpuaudit.fleet.testimony import Testimony

_NAMELESS: Final = ""
# SQLite's own order, which is not Python's.


class Archive:
    """Testimonies in the order of their files' names, to be gone through as often as wanted; see `testimony.Testimonies`."""

    def __init__(self) -> None:
        """Begin empty."""
        self._database = nameless_database(self, "CREATE TABLE heard (file TEXT, testimony BLOB)")

    def add(self, one: Testimony) -> None:
        """Keep a testimony."""
        self._database.execute("INSERT INTO heard VALUES (?, ?)", (one.file, pickle.dumps(one, pickle.HIGHEST_PROTOCOL)))

    def __len__(self) -> int:
        """How many there are."""
        return int(self._database.execute("SELECT count(*) FROM heard").fetchone()[0])

    def __iter__(self) -> Iterator[Testimony]:
        """Read them one after another."""
        for (written,) in self._database.execute("SELECT testimony FROM heard ORDER BY file, rowid"):
            one: Testimony = pickle.loads(written)  # noqa: S301 - written above, to a file that only this process has open
            yield one


def repeated(texts: Iterable[str]) -> frozenset[str]:
    """Return the texts that occur more than once. They are sorted on disk: only what is returned is held in memory."""
    return _Sorted().repeated(texts)


class _Sorted:
    def __init__(self) -> None:
        self._database = nameless_database(self, "CREATE TABLE told (text TEXT)")

    def repeated(self, texts: Iterable[str]) -> frozenset[str]:
        self._database.executemany("INSERT INTO told VALUES (?)", ((text,) for text in texts))
        found = self._database.execute("SELECT text FROM told GROUP BY text HAVING count(*) > 1")
        return frozenset(text for (text,) in found)


def nameless_database(holder: object, *statements: str) -> sqlite3.Connection:
    """Make a database with these tables in it, which lasts as long as `holder` does."""
    # One transaction that nothing ever commits: nothing in it outlives the process.
    database = sqlite3.connect(_NAMELESS, isolation_level=None, check_same_thread=False)
    weakref.finalize(holder, database.close)
    for statement in ("PRAGMA journal_mode = OFF", "PRAGMA synchronous = OFF", *statements, "BEGIN"):
        database.execute(statement)
    return database
