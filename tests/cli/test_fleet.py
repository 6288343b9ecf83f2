"""The fleet columns of the table of expected verdicts, through the command line, at full size."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from gpuaudit.cli.app import run
from gpuaudit.cli.collect import DEFAULT_SUITE
from gpuaudit.cli.exits import Exit
from tests.cli.conftest import Gpuaudit
from tests.fleet.fleets import A100, A800, H100, LATE, T4, cast, lay, link, name, put

CONFIRMED, REFUTED, INCONCLUSIVE, OUT = Exit.CONFIRMED, Exit.REFUTED, Exit.INCONCLUSIVE, Exit.OUT_OF_SCOPE
MOST = 501

Layer = Callable[[Path, Path], None]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """501 honest servers of eight A100."""
    folder = tmp_path_factory.mktemp("store")
    lay(folder, A100, range(MOST))
    return folder


def good(count: int) -> Layer:
    return lambda folder, store: link(store, folder, range(count))


def beside(spec: str, count: int, others: int = 1) -> Layer:
    def layer(folder: Path, store: Path) -> None:
        link(store, folder, range(count))
        for number in range(others):
            put(folder, f"other-{number}", cast(spec, 700 + number), nonce=700 + number)

    return layer


def one_shown(count: int) -> Layer:
    """One file under many names."""

    def layer(folder: Path, store: Path) -> None:
        link(store, folder, [0])
        for number in range(1, count):
            (folder / f"{name(number)}.json").hardlink_to(store / f"{name(0)}.json")

    return layer


def again(count: int, audited_again: Iterable[int]) -> Layer:
    """Some machines audited a second time, an hour later, and handed in under new names."""

    def layer(folder: Path, store: Path) -> None:
        link(store, folder, range(count))
        for number in audited_again:
            put(folder, f"again-{number:03}", cast(A100, number, times=LATE, nonce=900 + number), nonce=900 + number)

    return layer


# tender, fleet, options, exit status, words of the headline
EXPECTED: list[Any] = [
    *(
        pytest.param(tender, layer, (), OUT, "Nothing in the tender is about hardware", id=f"{tender}-{fleet}")
        for tender in ("zhejiang-lab-2024", "eda-center-2024", "changan-2023", "sichuan-university-2024")
        for fleet, layer in (("matches", good(2)), ("has-a-fault", beside(A800, 1)))
    ),
    pytest.param("shenzhen-university-2024", beside(H100, 1), (), CONFIRMED, "8 A100 seen", id="shenzhen-matches"),
    pytest.param("fujian-chuanzheng-2023", good(501), (), CONFIRMED, "4,008 A100 seen", id="fujian-501-x-8"),
    pytest.param("fujian-chuanzheng-2023", good(500), (), INCONCLUSIVE, "4,000 of more than 4,000", id="fujian-500-x-8"),
    pytest.param(
        "fujian-chuanzheng-2023", again(500, [3]), (), INCONCLUSIVE, "4,000 of more than 4,000", id="fujian-duplicates-removed"
    ),
    pytest.param("ustc-suzhou-2024", good(500), (), CONFIRMED, "500 servers with 8 A100 each", id="ustc-500"),
    pytest.param("ustc-suzhou-2024", good(499), (), INCONCLUSIVE, "499 of 500 servers", id="ustc-499"),
    pytest.param("ustc-suzhou-2024", beside(A800, 499), (), REFUTED, "other-0", id="ustc-499-and-1-a800"),
    pytest.param("ustc-suzhou-2024", one_shown(500), (), REFUTED, "one card in two places", id="ustc-one-shown-500-times"),
    pytest.param("sustech-2024", good(1), (), CONFIRMED, "8 of 8 devices are A100", id="sustech-matches"),
    pytest.param("tsinghua-2023", good(10), (), CONFIRMED, "10 servers", id="tsinghua-10"),
    pytest.param("tsinghua-2023", beside(A800, 9), (), REFUTED, "other-0", id="tsinghua-9-and-1-bad"),
    pytest.param("tsinghua-2023", beside(A800, 10), (), CONFIRMED, "10 servers", id="tsinghua-10-and-1-bad"),
    pytest.param("china-coal-2024", good(4), (), CONFIRMED, "4 servers", id="china-coal-4"),
    pytest.param("china-coal-2024", beside(T4, 3), (), REFUTED, "other-0", id="china-coal-3-and-1-bad"),
    pytest.param("cnki", good(2), (), CONFIRMED, "16 A100 seen", id="cnki-matches"),
    pytest.param("cnki", beside(T4, 0), ("--complete",), REFUTED, "no A100 seen", id="cnki-none-complete"),
]


@pytest.mark.parametrize(("tender", "layer", "options", "status", "words"), EXPECTED)
def test_the_fleet_columns_of_expected_verdicts(
    tender: str,
    layer: Layer,
    options: tuple[str, ...],
    status: Exit,
    words: str,
    store: Path,
    tmp_path: Path,
    gpuaudit: Gpuaudit,
) -> None:
    layer(tmp_path / "fleet", store)
    ran = appraised(gpuaudit, tmp_path / "fleet", tender, *options)
    result = json.loads(ran.out)
    assert (ran.code, result["origin"]) == (status, "simulated")
    assert words in result["headline"]
    assert result["headline"].startswith("SIMULATED")


def appraised(gpuaudit: Gpuaudit, folder: Path, tender: str, *options: str | Path) -> Any:
    trust = ("--keyring", folder / "keys") if "--trust-on-first-use" not in options else ()
    return gpuaudit("fleet", "appraise", folder, "--tender", tender, "--allow-simulated", "--format", "json", *trust, *options)


def test_a_surplus_server_that_is_bad_is_in_the_findings(store: Path, tmp_path: Path, gpuaudit: Gpuaudit) -> None:
    beside(A800, 10)(tmp_path / "fleet", store)
    result = json.loads(appraised(gpuaudit, tmp_path / "fleet", "tsinghua-2023").out)
    assert any("would be refuted alone: other-0" in notice for notice in result["notices"])
    assert any("mixed products" in notice for notice in result["notices"])


def test_a_confirmed_simulation_that_nobody_allowed_is_not_accepted(store: Path, tmp_path: Path, gpuaudit: Gpuaudit) -> None:
    good(1)(tmp_path / "fleet", store)
    ran = gpuaudit("fleet", "appraise", tmp_path / "fleet", "--tender", "sustech-2024", "--keyring", tmp_path / "fleet/keys")
    assert ran.code == Exit.SIMULATED
    assert "Not accepted" in ran.out


def test_without_keys_nothing_is_authentic(store: Path, tmp_path: Path, gpuaudit: Gpuaudit) -> None:
    good(2)(tmp_path / "fleet", store)
    ran = gpuaudit("fleet", "appraise", tmp_path / "fleet", "--tender", "sustech-2024")
    assert ran.code == Exit.NOT_AUTHENTIC
    assert "no trusted key" in ran.err


def test_trust_on_first_use_is_named_and_remembers(store: Path, tmp_path: Path, gpuaudit: Gpuaudit) -> None:
    good(2)(tmp_path / "fleet", store)
    first = json.loads(appraised(gpuaudit, tmp_path / "fleet", "tsinghua-2023", "--trust-on-first-use").out)
    assert first["trust"]["kind"] == "first-use"
    assert [row["state"] for row in first["rows"]] == ["appraised", "appraised"]
    put(tmp_path / "later", name(0), cast(A100, 0, times=LATE), nonce=0)
    put(tmp_path / "later", name(5), cast(A100, 5, times=LATE), nonce=5)
    later = json.loads(appraised(gpuaudit, tmp_path / "later", "tsinghua-2023", "--trust-on-first-use").out)
    assert [row["state"] for row in later["rows"]] == ["changed-key", "appraised"]
    assert "seen before with key" in later["rows"][0]["reason"]


def test_first_use_and_a_keyring_are_two_things(store: Path, tmp_path: Path, gpuaudit: Gpuaudit) -> None:
    good(1)(tmp_path / "fleet", store)
    ran = appraised(gpuaudit, tmp_path / "fleet", "cnki", "--trust-on-first-use", "--keyring", tmp_path / "fleet/keys")
    assert ran.code == Exit.USAGE


def test_a_sample_of_the_planned_size_is_inconclusive_and_says_what_it_shows(
    store: Path, tmp_path: Path, gpuaudit: Gpuaudit
) -> None:
    planned = gpuaudit("fleet", "plan", "--tender", "ustc-suzhou-2024", "--out", tmp_path / "plan.json", "--format", "json")
    drawn = json.loads(planned.out)["drawn"]
    assert len(drawn) == 119
    link(store, tmp_path / "fleet", [int(node.removeprefix("node-")) for node in drawn])
    ran = appraised(gpuaudit, tmp_path / "fleet", "ustc-suzhou-2024", "--plan", tmp_path / "plan.json")
    (line,) = json.loads(ran.out)["lines"]
    assert ran.code == INCONCLUSIVE
    assert line["statement"] == "at least 98 % of the servers, at 95 %"


def test_a_result_is_sealed_and_shown_again(store: Path, tmp_path: Path, gpuaudit: Gpuaudit) -> None:
    good(2)(tmp_path / "fleet", store)
    shown = appraised(gpuaudit, tmp_path / "fleet", "tsinghua-2023", "--out", tmp_path / "result")
    sealed = tmp_path / "result" / "result.json"
    assert gpuaudit("verify", sealed).code == Exit.DONE
    assert json.loads(gpuaudit("fleet", "report", sealed, "--format", "json").out) == json.loads(shown.out)
    assert "node-001" in gpuaudit("fleet", "report", sealed).out
    assert "<title>" in gpuaudit("fleet", "report", sealed, "--format", "html").out
    assert "gpuaudit_fleet_servers{" in gpuaudit("fleet", "report", sealed, "--format", "prometheus").out


def test_a_node_answers_its_own_nonce(tmp_path: Path, gpuaudit: Gpuaudit) -> None:
    fleet = tmp_path / "fleet"
    ran = gpuaudit("fleet", "run", "--out", fleet, "--simulate", "t4:1", "--nodes", "2", "--nonce", "ab" * 32, "--workers", "1")
    assert ran.code == Exit.DONE
    asked = json.loads(appraised(gpuaudit, fleet, "cnki", "--nonce", "ab" * 32).out)
    assert [row["state"] for row in asked["rows"]] == ["appraised", "appraised"]
    assert not any("freshness" in told for told in asked["coverage"])
    (fleet / "node-001.json").unlink()
    (fleet / "node-001.json").hardlink_to(fleet / "node-000.json")
    replayed = json.loads(appraised(gpuaudit, fleet, "cnki", "--nonce", "ab" * 32).out)
    assert [row["state"] for row in replayed["rows"]] == ["appraised", "not-authentic"]
    assert "replay" in replayed["rows"][1]["reason"]


def test_a_run_that_is_repeated_repeats_nothing(tmp_path: Path, gpuaudit: Gpuaudit) -> None:
    fleet = tmp_path / "fleet"
    arguments = ("fleet", "run", "--out", fleet, "--simulate", "t4:1", "--nodes", "3", "--seed", "7", "--workers", "1")
    assert gpuaudit(*arguments).out.startswith("3 sealed, 0 had evidence before, 0 failed")
    before = {path: path.read_bytes() for path in fleet.rglob("*.*")}
    assert gpuaudit(*arguments).out.startswith("0 sealed, 3 had evidence before, 0 failed")
    assert {path: path.read_bytes() for path in fleet.rglob("*.*")} == before


def test_bad_nodes_are_found(tmp_path: Path, gpuaudit: Gpuaudit) -> None:
    fleet = tmp_path / "fleet"
    gpuaudit(
        "fleet", "run", "--out", fleet, "--simulate", "a100-sxm4-80gb:1", "--nodes", "6", "--seed", "7", "--workers", "1",
        "--bad", "1:adversary=renamed-as=h100-sxm5-80gb", "--bad", "1:spec=t4:1",
    )  # fmt: skip
    result = json.loads(appraised(gpuaudit, fleet, "china-coal-2024").out)
    assert sorted(row["verdict"] for row in result["rows"])[:4] == ["confirmed"] * 4
    assert result["products"]["Tesla T4"] == 1
    assert len(result["products"]) == 3


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["appraise", "no-such-folder", "--tender", "cnki"], id="no-folder"),
        pytest.param(["appraise", ".", "--tender", "cnki"], id="nothing-in-it"),
        pytest.param(["run", "--out", "x"], id="no-engine"),
        pytest.param(["run", "--out", "x", "--simulate", "t4:1", "--bad", "3"], id="bad-how"),
        pytest.param(["run", "--out", "x", "--simulate", "t4:1", "--bad", "3:spec=t4:1"], id="more-bad-than-there-are"),
        pytest.param(["run", "--out", "x", "--simulate", "t4:1", "--bad", "1:adversary=nobody"], id="no-such-adversary"),
        pytest.param(["plan", "--tender", "fujian-chuanzheng-2023"], id="unsaid-number-of-servers"),
        pytest.param(["plan", "--tender", "ustc-suzhou-2024", "--confidence", "95"], id="confidence-in-percent"),
        pytest.param(["plan", "--tender", "sustech-2024", "--start", "soon"], id="no-date"),
    ],
)
def test_wrong_usage_is_one_line(arguments: list[str], home: Path) -> None:
    assert run(["fleet", *arguments]) == Exit.USAGE
    assert list(home.iterdir()) == []


def test_the_suite_of_a_fleet_is_that_of_a_machine(gpuaudit: Gpuaudit) -> None:
    assert f"[default: {DEFAULT_SUITE}]" in gpuaudit("fleet", "run", "--help").out
    assert f"[default: {DEFAULT_SUITE}]" in gpuaudit("attest", "--help").out


def test_appraising_a_fleet_loads_nothing_of_the_audited_side(tmp_path: Path) -> None:
    """Its imports would take as long as a dozen files."""
    program = "import sys, gpuaudit.cli.fleet, gpuaudit.cli.fleet_appraise; print(*sys.modules)"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=tmp_path)
    loaded = ran.stdout.split()
    assert "gpuaudit.fleet.gather" in loaded
    assert [name for name in loaded if name.startswith(("gpuaudit.attester", "gpuaudit.workload", "gpuaudit.simulated"))] == []


def test_the_page_needs_the_extra_of_reports(
    store: Path, tmp_path: Path, gpuaudit: Gpuaudit, monkeypatch: pytest.MonkeyPatch
) -> None:
    good(1)(tmp_path / "fleet", store)
    monkeypatch.delitem(sys.modules, "gpuaudit.fleet.as_html", raising=False)
    monkeypatch.setitem(sys.modules, "gpuaudit.report.as_html", None)
    monkeypatch.setitem(sys.modules, "markupsafe", None)
    command = ("fleet", "appraise", tmp_path / "fleet", "--tender", "cnki", "--keyring", tmp_path / "fleet" / "keys")
    ran = gpuaudit(*command, "--format", "html")
    assert ran.code == Exit.MACHINE
    assert "pip install 'gpuaudit[report]'" in ran.err
    assert gpuaudit(*command, "--format", "text").code == Exit.SIMULATED


def test_a_full_temporary_folder_is_one_line_with_what_to_do(
    store: Path, tmp_path: Path, gpuaudit: Gpuaudit, monkeypatch: pytest.MonkeyPatch
) -> None:
    good(30)(tmp_path / "fleet", store)
    connect = sqlite3.connect

    def without_room(*arguments: Any, **options: Any) -> sqlite3.Connection:
        database: sqlite3.Connection = connect(*arguments, **options)
        database.execute("PRAGMA max_page_count = 2")
        return database

    monkeypatch.setattr(sqlite3, "connect", without_room)
    ran = appraised(gpuaudit, tmp_path / "fleet", "tsinghua-2023", "--workers", "1", "--out", tmp_path / "result")
    assert (ran.code, ran.out) == (Exit.MACHINE, "")
    assert "database or disk is full" in ran.err
    assert "TMPDIR" in ran.err
    assert not (tmp_path / "result").exists()


@pytest.mark.parametrize("options", [(), ("--key", "no-such-key")], ids=["folder-not-empty", "no-such-key"])
def test_what_the_result_cannot_be_kept_with_is_found_before_the_work(
    options: tuple[str, ...], store: Path, tmp_path: Path, gpuaudit: Gpuaudit
) -> None:
    good(2)(tmp_path / "fleet", store)
    out = tmp_path / "result"
    if not options:
        out.mkdir()
        (out / "kept").touch()
    ran = appraised(gpuaudit, tmp_path / "fleet", "tsinghua-2023", "--out", out, *options)
    assert (ran.code, ran.out) == (Exit.USAGE, "")
    assert "2 of 2 files" not in ran.err
    assert "2 of 2 files" in appraised(gpuaudit, tmp_path / "fleet", "tsinghua-2023").err


def test_a_fleet_too_large_to_seal_is_shown_and_nothing_is_remembered(store: Path, tmp_path: Path, gpuaudit: Gpuaudit) -> None:
    """Files that are none have a row each too."""
    fleet = tmp_path / "fleet"
    good(1)(fleet, store)
    for number in range(12_000):
        (fleet / f"{'long-' * 40}{number}.json").touch()
    known = tmp_path / "known.json"
    keys = ("--trust-on-first-use", "--known-nodes", known)
    ran = appraised(gpuaudit, fleet, "tsinghua-2023", *keys, "--workers", "1", "--out", tmp_path / "result")
    assert ran.code == Exit.MACHINE
    assert len(json.loads(ran.out)["rows"]) == 12_001
    assert "split the fleet" in ran.err
    assert not known.exists()
    assert not (tmp_path / "result").exists()
