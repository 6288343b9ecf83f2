"""`gpuaudit report`: every form of a sealed result, with its evidence where that is at hand and is its own."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from gpuaudit.cli.app import run
from gpuaudit.cli.exits import Exit
from tests.cli.conftest import Gpuaudit


@pytest.fixture(scope="module")
def audited(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One audit with its key; every test has a copy."""
    folder = tmp_path_factory.mktemp("audited")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CONFIG_HOME", str(folder / "config"))
        assert run(["audit", "--simulate", "t4:2", "--tender", "sustech-2024", "--out", str(folder / "out")]) == Exit.REFUTED
    return folder


@pytest.fixture
def audit(audited: Path, home: Path) -> Path:
    shutil.copytree(audited / "config", home.parent / "config")
    return shutil.copytree(audited / "out", home / "out")


def test_an_audit_writes_the_page_beside_its_files(audit: Path, gpuaudit: Gpuaudit) -> None:
    page = (audit / "report.html").read_text()
    assert "SIMULATED" in page
    assert 'class="verdict refuted"' in page
    assert page == gpuaudit("report", audit / "result.json", "--format", "html").out


def test_where_the_extra_is_missing_an_audit_writes_no_page(home: Path) -> None:
    """And `report --format html` says what to install."""
    program = """
import sys
from importlib.abc import MetaPathFinder

class Hidden(MetaPathFinder):
    def find_spec(self, name, path, target=None):
        if name.partition(".")[0] in ("jinja2", "matplotlib"):
            raise ModuleNotFoundError(name, name=name)

import importlib.util
real = importlib.util.find_spec
def find_spec(name, package=None):
    return None if name in ("jinja2", "matplotlib") else real(name, package)
importlib.util.find_spec = find_spec
sys.meta_path.insert(0, Hidden())
from gpuaudit.cli.app import run
audit = run(["audit", "--simulate", "t4:1", "--tender", "sustech-2024", "--out", "out"])
report = run(["report", "out/result.json", "--format", "html"])
text = run(["report", "out/result.json"])
sys.exit(f"{audit} {report} {text}")
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=home)
    assert ran.stderr.splitlines()[-1] == "10 4 0"
    assert "pip install 'gpuaudit[report]'" in ran.stderr
    assert sorted(file.name for file in (home / "out").iterdir()) == ["evidence.json", "result.json"]


def test_a_page_that_cannot_be_drawn_does_not_cost_the_audit(home: Path) -> None:
    """Measurements cannot be made again; a page can."""
    (home / "broken").mkdir()
    (home / "broken" / "matplotlib.py").write_text("raise RuntimeError('broken')")
    program = """
import sys
sys.path.insert(0, "broken")
from gpuaudit.cli.app import run
sys.exit(run(["audit", "--simulate", "t4:1", "--tender", "sustech-2024", "--out", "out"]))
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=home)
    assert ran.returncode == Exit.REFUTED
    assert "report.html: not written: broken" in ran.stderr
    assert sorted(file.name for file in (home / "out").iterdir()) == ["evidence.json", "result.json"]


def test_every_form_says_the_verdict(audit: Path, gpuaudit: Gpuaudit) -> None:
    result = audit / "result.json"
    assert gpuaudit("report", result).out.startswith("REFUTED  *** SIMULATED ***")
    plain = json.loads(gpuaudit("report", result, "--format", "json").out)
    assert (plain["verdict"], plain["page"]["verdict"]) == ("refuted", "refuted")
    tree = ET.fromstring(gpuaudit("report", result, "--format", "junit").out)  # noqa: S314 - what was just written here
    assert tree.findall("testsuite/testcase/failure[@type='refuted']")


def test_a_report_exits_0_whatever_the_verdict(audit: Path, gpuaudit: Gpuaudit) -> None:
    assert gpuaudit("report", audit / "result.json").code == 0


def test_it_shows_the_evidence_that_lies_beside_it(audit: Path, gpuaudit: Gpuaudit) -> None:
    assert "What was not read, and why" in gpuaudit("report", audit / "result.json").out


def test_without_the_evidence_it_says_so_and_shows_the_rest(audit: Path, gpuaudit: Gpuaudit) -> None:
    (audit / "evidence.json").unlink()
    ran = gpuaudit("report", audit / "result.json")
    assert ran.code == 0
    assert "not shown" in ran.out
    assert "no such file" in ran.out
    assert "Line a100: refuted" in ran.out


def test_other_evidence_than_the_results_own_is_not_shown(audit: Path, gpuaudit: Gpuaudit, home: Path) -> None:
    assert gpuaudit("attest", "--simulate", "t4:2", "--out", home / "other").code == 0
    (audit / "evidence.json").write_bytes((home / "other" / "evidence.json").read_bytes())
    assert "its SHA-256 is another" in " ".join(gpuaudit("report", audit / "result.json").out.split())
    asked = gpuaudit("report", audit / "result.json", "--evidence", home / "other" / "evidence.json")
    assert asked.code == 3
    assert asked.out == ""


def test_evidence_may_lie_elsewhere(audit: Path, gpuaudit: Gpuaudit, home: Path) -> None:
    (audit / "evidence.json").rename(home / "elsewhere.json")
    ran = gpuaudit("report", audit / "result.json", "--evidence", home / "elsewhere.json")
    assert "What was not read, and why" in ran.out


def test_a_result_that_was_changed_is_not_shown(audit: Path, gpuaudit: Gpuaudit) -> None:
    result = audit / "result.json"
    result.write_bytes(result.read_bytes().replace(b'"sig":"', b'"sig":"A', 1))
    ran = gpuaudit("report", result)
    assert ran.code == 3
    assert ran.out == ""


def test_evidence_is_no_result(audit: Path, gpuaudit: Gpuaudit) -> None:
    assert gpuaudit("report", audit / "evidence.json").code == 3


@pytest.mark.parametrize("form", ["text", "html", "json"])
def test_a_redacted_report_does_not_name_the_machine(form: str, audit: Path, gpuaudit: Gpuaudit) -> None:
    full = json.loads(gpuaudit("report", audit / "result.json", "--format", "json").out)
    uuids = [device["uuid"] for device in full["lines"][0]["devices"]]
    ran = gpuaudit("report", audit / "result.json", "--redact", "--format", form)
    assert ran.code == 0
    assert len(uuids) == 2
    assert not any(uuid in ran.out for uuid in uuids)
    assert "Redacted: " in ran.out


def test_out_is_a_new_file(audit: Path, gpuaudit: Gpuaudit, home: Path) -> None:
    ran = gpuaudit("report", audit / "result.json", "--format", "html", "--out", home / "page.html")
    assert (ran.code, ran.out) == (0, "")
    assert (home / "page.html").read_text() == (audit / "report.html").read_text()
    assert gpuaudit("report", audit / "result.json", "--out", home / "page.html").code == 2


@pytest.mark.parametrize("form", ["text", "json", "junit"])
def test_only_the_page_needs_the_extra(form: str, audit: Path, home: Path) -> None:
    program = f"""
import sys
from gpuaudit.cli.app import run
run(["report", {str(audit / "result.json")!r}, "--format", {form!r}])
print(*{{name.partition(".")[0] for name in sys.modules}})
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=home)
    assert not set(ran.stdout.splitlines()[-1].split()) & {"jinja2", "matplotlib", "numpy", "pandas", "torch"}
