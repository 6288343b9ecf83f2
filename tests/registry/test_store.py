"""What goes in: once, whole, on both kinds of database, whatever kills it."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import func, select

from gpuaudit.appraisal.threshold import load_thresholds
from gpuaudit.envelope import load_keyring, open_evidence
from gpuaudit.envelope.keystore import KeyStore
from gpuaudit.errors import MachineError, UsageError
from gpuaudit.registry.entries import EvidenceEntry, evidence_entry
from gpuaudit.registry.schema import APPRAISED, DEVICE, EVIDENCE, MEASUREMENT, RESULT
from gpuaudit.registry.store import Registry, open_registry
from tests.fleet.fleets import A100, cast, lay, put
from tests.fleet.killing import kill_over, nursery
from tests.registry.databases import postgresql

KILLS, FILES = 100, 6


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    # Not below pytest's own folder: another user has to reach it.
    with tempfile.TemporaryDirectory(prefix="gpuaudit-test-", dir="/var/tmp") as folder:
        Path(folder).chmod(0o755)
        with postgresql(Path(folder) / "server") as url:
            yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'history.sqlite'}"
    url: str = request.getfixturevalue("server")
    with open_registry(url) as registry, registry.engine.begin() as connection:
        for table in (APPRAISED, RESULT, MEASUREMENT, DEVICE, EVIDENCE):
            connection.execute(table.delete())
    return url


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("evidence")
    lay(made, A100, range(FILES))
    return made


@pytest.fixture(scope="module")
def entries(folder: Path) -> list[EvidenceEntry]:
    return [entry(folder, path) for path in sorted(folder.glob("*.json"))]


def entry(folder: Path, path: Path) -> EvidenceEntry:
    keyring = load_keyring(KeyStore(folder=folder / "none"), [folder / "keys"])
    opened = open_evidence(path.read_bytes(), keyring, place=path.name)
    canonical = load_thresholds().thresholds.canonical
    return evidence_entry(opened, canonical, name=path.name, size=path.stat().st_size, added_at="2026-11-23T12:00:00Z")


def counts(registry: Registry) -> dict[str, int]:
    return {
        table.name: int(registry.rows(select(func.count().label("n")).select_from(table))[0]["n"])
        for table in (EVIDENCE, DEVICE, MEASUREMENT)
    }


def test_adding_twice_changes_nothing(url: str, entries: list[EvidenceEntry]) -> None:
    with open_registry(url) as registry:
        assert [registry.add_evidence(one) for one in entries] == [True] * FILES
        before = counts(registry)
        assert [registry.add_evidence(one) for one in entries] == [False] * FILES
        assert counts(registry) == before
    assert before["evidence"] == FILES
    assert before["device"] == FILES * 8
    assert before["measurement"] >= FILES * 8 * 3


def test_what_was_added_is_there_when_it_is_opened_again(url: str, entries: list[EvidenceEntry]) -> None:
    with open_registry(url) as registry:
        registry.add_evidence(entries[0])
    with open_registry(url) as registry:
        (row,) = registry.rows(select(EVIDENCE))
        assert row == dict(entries[0].evidence)


def test_a_file_is_added_whole_or_not_at_all(url: str, entries: list[EvidenceEntry]) -> None:
    """A row that the database refuses takes its file along."""
    nothing_known = replace(entries[0], devices=({**entries[0].devices[0], "uuid": None},))
    with open_registry(url) as registry:
        with pytest.raises(MachineError):
            registry.add_evidence(nothing_known)
        assert counts(registry) == {"evidence": 0, "device": 0, "measurement": 0}
        assert registry.add_evidence(entries[0])


def test_numbers_and_texts_that_no_database_takes(url: str, tmp_path: Path) -> None:
    """A host may report a memory of 64 bits and a name with a NUL; that is no reason to lose its history."""
    payload = (
        cast(A100, 1)
        .replace(b"host-000", b"h\\u0000\\u001b")
        .replace(b'"totalBytes":{"value":8', b'"totalBytes":{"value":98', 1)
    )
    payload = payload.replace(b"NVIDIA A100-SXM4-80GB", b"a'; DROP TABLE evidence", 1)
    put(tmp_path, "odd", payload, nonce=1)
    with open_registry(url) as registry:
        assert registry.add_evidence(entry(tmp_path, tmp_path / "odd.json"))
        assert counts(registry)["device"] == 8
        (row,) = registry.rows(select(EVIDENCE))
        assert row["host_name"].startswith("h\\x00\\x1b")


@pytest.mark.parametrize("url", ["mysql://x/y", "nonsense", "", "sqlite+nothing:///x"])
def test_a_url_of_another_kind_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match="--database"), open_registry(url):
        pass


def test_a_server_that_is_not_there_is_the_machines_fault(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match="database"), open_registry(f"postgresql://gpuaudit@/postgres?host={tmp_path}"):
        pass


def test_a_password_is_not_shown(tmp_path: Path) -> None:
    with pytest.raises(MachineError) as caught, open_registry(f"postgresql://gpuaudit:secret@/postgres?host={tmp_path}"):
        pass
    assert "secret" not in str(caught.value)


def test_killed_at_any_time_nothing_added_is_lost_and_nothing_is_doubled(
    tmp_path: Path, folder: Path, entries: list[EvidenceEntry]
) -> None:
    """The whole command, killed at a hundred seeded times that cover it evenly; each state is looked at, and every tenth gone on with.

    The files are added in the order given, so what is there is a beginning of them, each whole.
    """
    states: Counter[int] = Counter()
    measurements = [len(one.measurements) for one in entries]

    def all_states() -> bool:
        return set(range(FILES)) <= states.keys()

    with nursery(tmp_path / "home") as started:
        kills = kill_over(started, lambda name: adding(folder, tmp_path / name), kills=KILLS, seed=7, covered=all_states)
        for name in kills:
            database = tmp_path / name
            with open_registry(f"sqlite:///{database}") as registry:
                there = counts(registry)
            known = there["evidence"]
            states[known] += 1
            assert there == {"evidence": known, "device": 8 * known, "measurement": sum(measurements[:known])}
            if states.total() % 10 == 0:
                assert started.run(adding(folder, database)).code == 0
                with open_registry(f"sqlite:///{database}") as registry:
                    assert counts(registry) == {"evidence": FILES, "device": 8 * FILES, "measurement": sum(measurements)}
    assert states.total() >= KILLS
    # Killed before the first file, and between any two.
    assert all_states(), states


def adding(folder: Path, database: Path) -> list[str | Path]:
    files = sorted(folder.glob("*.json"))
    return ["registry", "add", *files, "--database", f"sqlite:///{database}", "--keyring", folder / "keys"]
