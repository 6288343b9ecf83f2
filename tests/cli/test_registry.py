"""`gpuaudit registry`, from sealed files to tables."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from gpuaudit.cli.app import run
from gpuaudit.cli.exits import Exit
from tests.cli.conftest import Gpuaudit
from tests.fleet.fleets import A100, EARLY, LATE, cast, put, simulated


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    """One machine audited twice, an hour apart."""
    folder = tmp_path / "fleet"
    for number, times in enumerate((EARLY, LATE)):
        put(folder, f"node-{number}", cast(A100, 0, times=times, nonce=number), nonce=number)
    return folder


def added(gpuaudit: Gpuaudit, folder: Path, *files: Path) -> tuple[int, str]:
    ran = gpuaudit("registry", "add", *files, "--keyring", folder / "keys")
    return ran.code, ran.out.strip()


def test_files_are_added_once(fleet: Path, gpuaudit: Gpuaudit) -> None:
    files = sorted(fleet.glob("*.json"))
    assert added(gpuaudit, fleet, *files) == (Exit.DONE, "2 added, 2 given")
    assert added(gpuaudit, fleet, *files) == (Exit.DONE, "0 added, 2 given")


def test_what_nobody_trusted_signed_is_not_added_and_the_rest_is(fleet: Path, gpuaudit: Gpuaudit) -> None:
    (fleet / "broken.json").write_text("{}")
    ran = gpuaudit("registry", "add", *sorted(fleet.glob("*.json")), "--keyring", fleet / "keys")
    assert ran.code == Exit.NOT_AUTHENTIC
    assert ran.out.strip() == "2 added, 3 given"
    assert "broken.json" in ran.err


def test_history_and_drift_are_tables(fleet: Path, gpuaudit: Gpuaudit) -> None:
    added(gpuaudit, fleet, *sorted(fleet.glob("*.json")))
    uuid = json.loads(gpuaudit("registry", "drift", "--format", "json").out)
    assert uuid == []
    database = fleet.parent / "config" / "gpuaudit" / "registry.sqlite"
    assert database.exists()
    assert simulated(A100).nvml.devices
    ran = gpuaudit("registry", "history", _any_uuid(database), "--format", "json")
    rows = json.loads(ran.out)
    assert [row["started_at"] for row in rows] == [EARLY[0], LATE[0]]
    assert rows[0]["copy"] > 1e12
    assert gpuaudit("registry", "history", _any_uuid(database)).out.startswith("started_at,")


def _any_uuid(database: Path) -> str:
    with closing(sqlite3.connect(database)) as connection:
        return str(connection.execute("SELECT uuid FROM device").fetchone()[0])


def test_a_fleets_result_covers_the_time_of_its_audits(fleet: Path, gpuaudit: Gpuaudit) -> None:
    (fleet / "node-1.json").unlink()
    gpuaudit(
        "fleet", "appraise", fleet, "--tender", "sustech-2024", "--allow-simulated", "--keyring", fleet / "keys", "--out",
        fleet.parent / "result",
    )  # fmt: skip
    added(gpuaudit, fleet, fleet / "node-0.json", fleet.parent / "result" / "result.json")
    ran = gpuaudit("registry", "coverage", "sustech-2024", "--start", "2026-11-01", "--format", "json")
    told = json.loads(ran.out)
    assert (told["audits"], told["seconds"]) == (1, 300)
    assert len(told["gaps"]) == 2


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["history", "GPU-nobody"], id="no-such-device"),
        pytest.param(["coverage", "sustech-2024"], id="no-start"),
        pytest.param(["coverage", "ustc-suzhou-2024", "--start", "2026-01-01"], id="no-length"),
        pytest.param(["coverage", "sustech-2024", "--start", "soon"], id="no-date"),
        pytest.param(["drift", "--database", "mysql://x/y"], id="another-database"),
        pytest.param(["add", "no-such-file.json"], id="no-such-file"),
    ],
)
def test_wrong_usage(arguments: list[str]) -> None:
    assert run(["registry", *arguments]) == Exit.USAGE


def test_a_database_that_is_not_there_is_the_machines_fault(tmp_path: Path) -> None:
    assert run(["registry", "drift", "--database", f"postgresql://x@/y?host={tmp_path}"]) == Exit.MACHINE
