"""How far a fleet has come is said, or not, as asked."""

from __future__ import annotations

from pathlib import Path

from gpuaudit.cli.exits import Exit
from tests.cli.conftest import Gpuaudit

RUN = ("fleet", "run", "--simulate", "t4:1", "--nodes", "2", "--workers", "1")


def test_a_fleet_is_run_and_appraised_quietly(gpuaudit: Gpuaudit, home: Path) -> None:
    ran = gpuaudit(*RUN, "--out", "fleet", "--quiet")
    assert (ran.code, ran.err) == (Exit.DONE, "")
    ran = gpuaudit("fleet", "appraise", "fleet", "--tender", "cnki", "--keyring", "fleet/keys", "--quiet")
    assert (ran.code in {Exit.REFUTED, Exit.INCONCLUSIVE}, ran.err) == (True, "")
    assert ran.out


def test_what_failed_is_said_quiet_or_not(gpuaudit: Gpuaudit, home: Path) -> None:
    ran = gpuaudit(*RUN, "--out", "fleet", "--suite", "endless", "--quiet")
    assert ran.code == Exit.MACHINE
    assert ran.err.startswith("failed: node-000, node-001; see fleet/NODE.failed")


def test_a_run_says_how_many_nodes_are_done(gpuaudit: Gpuaudit, home: Path) -> None:
    assert "2 of 2 nodes\n" in gpuaudit(*RUN, "--out", "fleet").err
