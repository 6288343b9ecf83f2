"""`gpuaudit compare` on sealed files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Gpuaudit


@pytest.fixture
def audits(gpuaudit: Gpuaudit, home: Path) -> Path:
    for name, machine in (("monday", "t4:2"), ("tuesday", "t4:2"), ("friday", "t4:1,l40s:1")):
        assert gpuaudit("attest", "--simulate", machine, "--out", home / name).code == 0
    return home


def test_equal_machines_have_no_change_and_are_marked_as_simulated(audits: Path, gpuaudit: Gpuaudit) -> None:
    ran = gpuaudit("compare", "monday", "tuesday")
    assert ran.code == 0
    assert "SIMULATED" in ran.out
    assert "2 cards are the same" in ran.out
    assert "0 changed" in ran.out


def test_a_switched_card_is_told_in_text_and_json(audits: Path, gpuaudit: Gpuaudit) -> None:
    ran = gpuaudit("compare", "monday", "friday/evidence.json")
    assert ran.code == 0
    assert "vanished" in ran.out
    assert "NVIDIA L40S" in ran.out
    plain = json.loads(gpuaudit("compare", "monday", "friday", "--format", "json").out)
    assert [one["kind"] for one in plain["changes"][:2]] == ["vanished", "appeared"]
    assert plain["sameCards"] == 1
    assert plain["origins"] == ["simulated", "simulated"]


def test_what_nobody_trusted_signed_is_not_compared(audits: Path, gpuaudit: Gpuaudit) -> None:
    file = audits / "friday" / "evidence.json"
    file.write_bytes(file.read_bytes().replace(b'"sig":"', b'"sig":"A', 1))
    ran = gpuaudit("compare", "monday", "friday")
    assert ran.code == 3
    assert ran.out == ""


def test_a_missing_file_is_wrong_usage(audits: Path, gpuaudit: Gpuaudit) -> None:
    assert gpuaudit("compare", "monday", "sunday").code == 2
