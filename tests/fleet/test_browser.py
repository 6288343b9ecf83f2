"""The page of a fleet in a real headless Chromium: sorted, filtered, printed, and read without its script."""

from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gpuaudit.fleet.as_html import as_html
from gpuaudit.fleet.result import FleetOutlier, FleetResult
from gpuaudit.fleet.testimony import NoTestimony
from tests.fleet.heard import BAD, OPEN, folded, machine, renamed
from tests.report.papers import HOSTILE
from tests.report.test_browser import HERE, browser

__all__ = ["browser"]

LOST = NoTestimony(node="node-900", file="node-900.json", state="not-authentic", reason="too large")
VALUES = (1.5e12, 1.45e12, 9.8e11)


def result() -> FleetResult:
    """Of thirty servers, one not what it should be, one open, one unread, and one with a name made to break out."""
    heard = [*(machine(number) for number in range(30)), machine(2, BAD), machine(7, OPEN)]
    heard = [one for place, one in enumerate(heard) if place not in {2, 7}]
    heard.append(renamed(machine(40), "node-040"))
    made = folded(heard, "tsinghua-2023", silent=[LOST])
    rows = tuple(replace(row, devices="".join(HOSTILE[:6])) if row.node == "node-040" else row for row in made.rows)
    outliers = tuple(
        FleetOutlier(product="A100", quantity="copy", subject=f"device {place}", value=value, median=1.8e12, score=5.0)
        for place, value in enumerate(VALUES)
    )
    return replace(made, rows=rows, outliers=outliers)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("fleet") / "fleet.html"
    file.write_text(as_html(result()), encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def used(browser: str, page: Path) -> dict[str, Any]:
    seen: dict[str, Any] = _ran("fleet.mjs", browser, page)
    return seen


@pytest.fixture(scope="module")
def looked(browser: str, page: Path) -> dict[str, Any]:
    (seen,) = _ran("look.mjs", browser, page.parent, page)
    return dict(seen)


def _ran(program: str, *arguments: str | Path) -> Any:
    command = ["node", program, *map(str, arguments)]
    ran = subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=False, timeout=300)
    assert ran.returncode == 0, ran.stderr[-2000:]
    return json.loads(ran.stdout)


def names(rows: list[list[str]]) -> list[str]:
    return [row[0] for row in rows]


def test_nothing_is_logged_or_loaded_and_only_its_own_script_runs(looked: dict[str, Any]) -> None:
    assert (looked["console"], looked["requests"], looked["scripts"], looked["dialogs"]) == ([], [], 1, 0)


def test_axe_finds_no_violation_in_light_and_in_dark(looked: dict[str, Any]) -> None:
    assert looked["violations"] == []


def test_nothing_is_cut_off_on_paper(looked: dict[str, Any]) -> None:
    assert looked["clipped"] == []


def test_the_map_says_in_words_what_it_shows(looked: dict[str, Any]) -> None:
    (image,) = looked["images"]
    assert image["label"] == "Map of nodes"
    assert image["alternative"] == (
        "32 nodes by name, 25 to a row; 1 refuted (crossed out): node-002; 2 inconclusive (hollow): node-007, node-900; "
        "29 confirmed (full)."
    )


def test_the_map_has_a_square_for_each_node(used: dict[str, Any]) -> None:
    assert len(used["squares"]) == used["coloured"] == 32
    assert {"node-002: refuted", "node-007: inconclusive", "node-900: inconclusive", "node-003: confirmed"} <= set(
        used["squares"]
    )


def test_a_press_on_a_column_sorts_by_it_and_another_the_other_way(used: dict[str, Any]) -> None:
    assert used["console"] == []
    assert names(used["first"])[:3] == ["node-002", "node-007", "node-900"]
    assert names(used["byName"]) == sorted(names(used["first"]))
    assert [row[1] for row in used["byVerdict"]] == ["refuted", *["inconclusive"] * 2, *["confirmed"] * 29]
    assert used["order"] == [["verdict", "descending"]]


def test_amounts_are_sorted_as_numbers(used: dict[str, Any]) -> None:
    assert names(used["byValue"]) == ["device 2", "device 1", "device 0"]


def test_a_filter_shows_the_rows_that_hold_all_its_words(used: dict[str, Any]) -> None:
    assert (names(used["filtered"]), used["count"]) == (["node-002"], "1 of 32 rows")
    assert used["others"] == "3 of 3 rows"
    assert used["none"] == [[], "0 of 32 rows"]


def test_on_paper_no_row_is_filtered_out(used: dict[str, Any]) -> None:
    assert len(used["onPaper"]) == 32


def test_without_its_script_the_page_is_whole(used: dict[str, Any]) -> None:
    assert used["plain"] == used["first"]
    assert used["plainControls"] == 0
