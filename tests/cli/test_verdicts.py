"""The table of expected verdicts, one machine each, through the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gpuaudit.cli.app import run
from gpuaudit.cli.exits import Exit

A100, A800, H100, T4 = "a100-sxm4-80gb:8", "a800-sxm4-80gb:8", "h100-sxm5-80gb:8", "t4:8"
CONFIRMED, REFUTED, INCONCLUSIVE, OUT = Exit.CONFIRMED, Exit.REFUTED, Exit.INCONCLUSIVE, Exit.OUT_OF_SCOPE

EXPECTED = [
    ("zhejiang-lab-2024", A100, (), OUT, ""),
    ("zhejiang-lab-2024", T4, (), OUT, ""),
    ("eda-center-2024", A100, (), OUT, ""),
    ("eda-center-2024", T4, (), OUT, ""),
    ("changan-2023", A100, (), OUT, ""),
    ("changan-2023", T4, (), OUT, ""),
    ("sichuan-university-2024", A100, (), OUT, ""),
    ("sichuan-university-2024", T4, (), OUT, ""),
    ("shenzhen-university-2024", A100, (), INCONCLUSIVE, "no H100 seen"),
    ("shenzhen-university-2024", "a100-sxm4-80gb:1,h100-sxm5-80gb:1", (), CONFIRMED, "1 A100 seen"),
    ("shenzhen-university-2024", T4, (), INCONCLUSIVE, "no A100 seen; no H100 seen"),
    ("shenzhen-university-2024", T4, ("--complete",), REFUTED, "no A100 seen"),
    ("fujian-chuanzheng-2023", A100, (), INCONCLUSIVE, "8 of more than 4,000"),
    ("fujian-chuanzheng-2023", T4, (), INCONCLUSIVE, "0 of more than 4,000"),
    ("fujian-chuanzheng-2023", T4, ("--complete",), REFUTED, "0 of more than 4,000"),
    ("ustc-suzhou-2024", A100, (), INCONCLUSIVE, "1 of 500 servers"),
    ("ustc-suzhou-2024", T4, (), REFUTED, "0 of 8 A100"),
    ("sustech-2024", A100, (), CONFIRMED, "8 of 8 devices are A100"),
    ("sustech-2024", A800, (), REFUTED, "10de:20f3"),
    ("sustech-2024", H100, (), REFUTED, "10de:2330"),
    ("sustech-2024", "a100-sxm4-80gb:7", (), REFUTED, "7 of 8 A100"),
    ("tsinghua-2023", A100, (), INCONCLUSIVE, "1 of at least 10"),
    ("tsinghua-2023", T4, (), REFUTED, "0 of 8 A100"),
    ("china-coal-2024", A100, (), INCONCLUSIVE, "1 of 4"),
    ("china-coal-2024", T4, (), REFUTED, "A100"),
    ("cnki", A100, (), CONFIRMED, "8 A100 seen"),
    ("cnki", T4, (), INCONCLUSIVE, "no A100 seen"),
    ("cnki", T4, ("--complete",), REFUTED, "no A100 seen"),
]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path


def audit(home: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any]]:
    status = run(["audit", "--out", str(home / "out"), "--format", "json", *arguments])
    return status, json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("tender", "machine", "options", "status", "reason"),
    EXPECTED,
    ids=[f"{tender}-{machine}{''.join(options)}" for tender, machine, options, _, _ in EXPECTED],
)
def test_the_table_of_expected_verdicts(
    tender: str,
    machine: str,
    options: tuple[str, ...],
    status: Exit,
    reason: str,
    home: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    got, result = audit(home, capsys, "--simulate", machine, "--tender", tender, "--allow-simulated", *options)
    assert got == status
    assert reason in result["headline"]
    assert result["origin"] == "simulated"
    assert result["headline"].startswith("SIMULATED")


def test_a_confirmed_simulation_that_nobody_allowed_is_not_accepted(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, result = audit(home, capsys, "--simulate", A100, "--tender", "sustech-2024")
    assert status == Exit.SIMULATED
    assert result["verdict"] == "confirmed"
    assert result["accepted"] is False


def test_a_confirmed_result_says_what_it_does_not_cover(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, result = audit(home, capsys, "--simulate", A100, "--tender", "sustech-2024", "--allow-simulated")
    covered = " ".join(result["coverage"])
    assert all(word in covered for word in ("period", "cloud", "supplier", "freshness"))


@pytest.mark.parametrize(
    ("machine", "rule", "observed", "expected"),
    [
        pytest.param(A800, "pci-device-id", "10de:20f3", "10de:20b2", id="a800"),
        pytest.param(H100, "pci-device-id", "10de:2330", "10de:20b2", id="h100"),
        pytest.param("a100-sxm4-80gb:7", "count", "of 7 devices", "8 A100", id="seven"),
    ],
)
def test_a_refutation_names_the_rule_and_both_values(
    machine: str, rule: str, observed: str, expected: str, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, result = audit(home, capsys, "--simulate", machine, "--tender", "sustech-2024")
    (line,) = result["lines"]
    found = next(one for one in line["findings"] if one["rule"] == rule)
    assert found["outcome"] == "contradicted"
    assert observed in found["observed"]
    assert expected in found["expected"]


def test_the_sealed_files_appraise_to_the_same_verdict(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    audit(home, capsys, "--simulate", A100, "--tender", "sustech-2024", "--allow-simulated")
    evidence = str(home / "out/evidence.json")
    assert run(["verify", evidence]) == Exit.DONE
    assert run(["verify", str(home / "out/result.json")]) == Exit.DONE
    capsys.readouterr()
    for tender, status in (("sustech-2024", CONFIRMED), ("ustc-suzhou-2024", INCONCLUSIVE), ("changan-2023", OUT)):
        assert run(["appraise", evidence, "--tender", tender, "--allow-simulated"]) == status
    assert "SIMULATED" in capsys.readouterr().out


def test_evidence_that_answers_another_nonce_is_not_authentic(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    audit(home, capsys, "--simulate", A100, "--tender", "sustech-2024", "--nonce", "ab" * 32)
    evidence = str(home / "out/evidence.json")
    assert run(["appraise", evidence, "--tender", "sustech-2024", "--nonce", "cd" * 32]) == Exit.NOT_AUTHENTIC
    assert "replay" in capsys.readouterr().err
    assert run(["appraise", evidence, "--tender", "sustech-2024", "--nonce", "ab" * 32]) == Exit.SIMULATED


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["--tender", "no-such"], id="unknown-tender"),
        pytest.param(["--tender", "sustech-2024", "--policy", "lenient"], id="unknown-policy"),
        pytest.param(["--tender", "sustech-2024", "--simulate", "a100:0"], id="no-devices"),
        pytest.param(["--tender", "sustech-2024", "--suite", "endless"], id="unknown-suite"),
        pytest.param(["--tender", "sustech-2024", "--nonce", "xyz"], id="not-a-nonce"),
        pytest.param([], id="no-tender"),
    ],
)
def test_wrong_usage_is_one_line_and_leaves_nothing(
    arguments: list[str], home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = arguments if "--simulate" in arguments else [*arguments, "--simulate", A100]
    assert run(["audit", "--out", str(home / "out"), *options]) == Exit.USAGE
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "Traceback" not in captured.err
    assert not (home / "out").exists()
