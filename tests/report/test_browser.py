"""The six pages in a real headless Chromium: nothing loaded, nothing hidden from anybody, nothing cut off on paper."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
import unicodedata
from pathlib import Path
from typing import Any, Final

import pypdf
import pytest

from gpuaudit.report.as_html import as_html
from gpuaudit.report.compose import view_of
from tests.report.papers import CASES, HOSTILE, hostile, page, paper

HERE: Final = Path(__file__).parent / "browser"
# A stamp lies across the first page, whose colours are looked at in full.
NAMES: Final = ("simulated", *(case for case in CASES if case != "simulated"), "hostile")


@pytest.fixture(scope="session")
def browser() -> str:
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if found is None or shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("no Chromium, or no node and npm (apt-get install chromium nodejs npm): pages are not opened")
    if not (HERE / "node_modules" / "axe-core").exists():
        ran = subprocess.run(["npm", "ci", "--no-audit", "--no-fund"], cwd=HERE, capture_output=True, text=True, check=False)
        if ran.returncode != 0:
            pytest.skip(f"npm ci failed (no network?): pages are not opened: {ran.stderr[-200:]}")
    return found


@pytest.fixture(scope="session")
def looks(browser: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What Chromium saw of each page, and where its PDF is."""
    folder = tmp_path_factory.mktemp("pages")
    pages = []
    for name in NAMES:
        file = folder / f"{name}.html"
        file.write_text(as_html(view_of(hostile("".join(HOSTILE[:6])))) if name == "hostile" else page(name), encoding="utf-8")
        pages.append(str(file))
    command = ["node", "look.mjs", browser, str(folder), *pages]
    ran = subprocess.run(command, cwd=HERE, capture_output=True, text=True, check=False, timeout=300)
    assert ran.returncode == 0, ran.stderr[-2000:]
    seen = {Path(one["file"]).stem: {**one, "pdf": folder / f"{Path(one['file']).stem}.pdf"} for one in json.loads(ran.stdout)}
    assert tuple(seen) == NAMES
    return seen


def printed(look: dict[str, Any]) -> str:
    """The text of the PDF without the blanks that a line break or a narrow column puts in."""
    reader = pypdf.PdfReader(look["pdf"])
    return re.sub(r"\s+", "", unicodedata.normalize("NFKC", "".join(page.extract_text() for page in reader.pages)))


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_logged_loaded_or_run(name: str, looks: dict[str, Any]) -> None:
    look = looks[name]
    assert (look["console"], look["requests"], look["scripts"], look["dialogs"]) == ([], [], 0, 0)


@pytest.mark.parametrize("name", NAMES)
def test_axe_finds_no_violation_in_light_and_in_dark(name: str, looks: dict[str, Any]) -> None:
    assert looks[name]["violations"] == []


@pytest.mark.parametrize("name", NAMES)
def test_every_picture_has_a_text_alternative(name: str, looks: dict[str, Any]) -> None:
    images = looks[name]["images"]
    assert len(images) == (0 if name == "capture" else 5)
    assert all(image["label"] and len(image["alternative"]) > 40 for image in images)


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_cut_off_on_paper(name: str, looks: dict[str, Any]) -> None:
    assert looks[name]["clipped"] == []


@pytest.mark.parametrize("name", CASES)
def test_eight_cards_fit_on_six_sheets_of_a4(name: str, looks: dict[str, Any]) -> None:
    pages = pypdf.PdfReader(looks[name]["pdf"]).pages
    assert len(pages) <= 6
    # In points; A4 is 210 by 297 mm.
    assert (round(pages[0].mediabox.width), round(pages[0].mediabox.height)) == (595, 842)


@pytest.mark.parametrize("name", CASES)
def test_every_finding_is_on_paper(name: str, looks: dict[str, Any]) -> None:
    text = printed(looks[name])
    result = paper(name).result
    findings = [*result.machine_findings, *(one for line in result.lines for one in line.findings)]
    assert len(findings) > 100
    for one in findings:
        for told in (one.rule, one.observed, one.expected):
            assert re.sub(r"\s+", "", unicodedata.normalize("NFKC", told)) in text


def test_a_page_is_made_within_two_seconds() -> None:
    """Of processor time, on a machine that others use too."""
    view = view_of(paper("simulated"))
    as_html(view)
    began = time.process_time()
    as_html(view_of(paper("simulated")))
    assert time.process_time() - began < 2
