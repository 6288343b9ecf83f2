"""The registry: one database, files added whole or not at all, and once however often they are added."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Engine, Select, Table, create_engine, event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from gpuaudit.errors import MachineError, UsageError
from gpuaudit.registry.entries import EvidenceEntry, ResultEntry, Row
from gpuaudit.registry.schema import APPRAISED, DEVICE, EVIDENCE, MEASUREMENT, METADATA, RESULT

_SQLITE: Final = "sqlite"
_POSTGRESQL: Final = "postgresql"
_DRIVERS: Final = {_POSTGRESQL: "postgresql+psycopg", "postgres": "postgresql+psycopg"}
_BUSY_SECONDS: Final = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """A database with our tables in it."""

    engine: Engine
    place: str

    def add_evidence(self, entry: EvidenceEntry) -> bool:
        """Add a file of evidence; return False where it was there.

        Raises:
            MachineError: The database does not answer, or is full.
        """
        with self._transaction() as connection:
            if not _inserted(connection, EVIDENCE, entry.evidence):
                return False
            _insert(connection, DEVICE, entry.devices)
            _insert(connection, MEASUREMENT, entry.measurements)
        return True

    def add_result(self, entry: ResultEntry) -> bool:
        """Add a result; return False where it was there.

        Raises:
            MachineError: The database does not answer, or is full.
        """
        with self._transaction() as connection:
            if not _inserted(connection, RESULT, entry.result):
                return False
            _insert(connection, APPRAISED, entry.appraised)
        return True

    def rows(self, query: Select[Any]) -> tuple[dict[str, Any], ...]:
        """Return the rows of a query, by column.

        Raises:
            MachineError: The database does not answer.
        """
        with self._transaction() as connection:
            return tuple(dict(row) for row in connection.execute(query).mappings())

    @contextmanager
    def _transaction(self) -> Iterator[Connection]:
        try:
            with self.engine.begin() as connection:
                yield connection
        except DBAPIError as error:
            raise _unanswered(self.place, error) from None


@contextmanager
def open_registry(url: str) -> Iterator[Registry]:
    """Open a database, make what tables it lacks, and close it.

    Args:
        url: As `sqlite:///history.sqlite` or `postgresql://user@host/name`.

    Raises:
        UsageError: The URL cannot be read, or names another kind of database.
        MachineError: The database does not answer, or cannot be made.
    """
    engine = _engine(url)
    place = engine.url.render_as_string(hide_password=True)
    try:
        METADATA.create_all(engine)
        yield Registry(engine=engine, place=place)
    except DBAPIError as error:
        raise _unanswered(place, error) from None
    finally:
        engine.dispose()


def default_url(folder: Path) -> str:
    """Return the URL of the SQLite database that lies in one's own folder."""
    return f"sqlite:///{folder / 'registry.sqlite'}"


def _engine(url: str) -> Engine:
    try:
        parsed = make_url(url)
        backend = parsed.get_backend_name()
        if backend not in {_SQLITE, *_DRIVERS}:
            raise UsageError(f"--database: got a database of kind {backend}, expected sqlite or postgresql")
        if backend == _SQLITE:
            if parsed.database:
                Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
            engine = create_engine(parsed, connect_args={"timeout": _BUSY_SECONDS})
            event.listen(engine, "connect", _strictly)
            return engine
        return create_engine(parsed.set(drivername=_DRIVERS[backend]))
    except (ArgumentError, NoSuchModuleError):
        raise UsageError(
            f"--database: got {url[:80]!a}, expected a URL as sqlite:///history.sqlite or postgresql://user@host/name"
        ) from None
    except OSError as error:
        raise MachineError(f"--database: {error.filename}: cannot be made: {error.strerror}") from None


def _strictly(connection: Any, _record: object) -> None:
    """Let SQLite refuse a row whose evidence is not there, and reach the disk before a file counts as added."""
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA synchronous = FULL")


def _inserted(connection: Connection, table: Table, row: Row) -> bool:
    """Insert a row, and say whether it was not there yet. It is asked back: drivers count rows in ways of their own."""
    key = next(iter(table.primary_key))
    return connection.execute(_insertion(connection, table).returning(key), dict(row)).first() is not None


def _insert(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    if rows:
        connection.execute(_insertion(connection, table), [dict(row) for row in rows])


def _insertion(connection: Connection, table: Table) -> Any:
    maker = postgresql.insert if connection.dialect.name == _POSTGRESQL else sqlite.insert
    return maker(table).on_conflict_do_nothing()


def _unanswered(place: str, error: DBAPIError) -> MachineError:
    first = str(error.orig).strip().splitlines()[0] if str(error.orig).strip() else type(error.orig).__name__
    return MachineError(f"{place}: the database does not do it: {first}")
