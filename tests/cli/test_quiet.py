"""`--quiet`: stderr holds what went wrong, and nothing else; stdout and the exit status are the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from gpuaudit.cli import console
from gpuaudit.cli.exits import Exit
from tests.cli.conftest import Gpuaudit

MACHINE = ("--simulate", "t4:1")
CLAIM = ("--tender", "sustech-2024")


@pytest.mark.parametrize(
    ("command", "code"),
    [
        (("audit", *MACHINE, *CLAIM, "--out", "a"), Exit.REFUTED),
        (("attest", *MACHINE, "--out", "a"), Exit.DONE),
        (("bench", *MACHINE), Exit.DONE),
        (("probe", *MACHINE), Exit.DONE),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_quiet_takes_the_talk_and_leaves_the_result(gpuaudit: Gpuaudit, command: tuple[str, ...], code: Exit) -> None:
    ran = gpuaudit(*command, "--quiet")
    assert (ran.code, ran.err) == (code, "")
    assert ran.out


def test_appraising_quietly(gpuaudit: Gpuaudit, home: Path) -> None:
    gpuaudit("attest", *MACHINE, "--out", "a")
    ran = gpuaudit("appraise", "a/evidence.json", *CLAIM, "--quiet", "--out", "r")
    assert (ran.code, ran.err, (home / "r/result.json").is_file()) == (Exit.REFUTED, "", True)


def test_reporting_and_registering_quietly(gpuaudit: Gpuaudit, home: Path) -> None:
    gpuaudit("audit", *MACHINE, *CLAIM, "--out", "a")
    for command, said in (
        (("report", "a/result.json", "--format", "html", "--out"), "wrote "),
        (("registry", "add", "a/evidence.json", "a/result.json", "--database"), "2 of 2 files"),
    ):
        loud = gpuaudit(*command, *([home / "loud.html"] if said == "wrote " else ["sqlite:///loud"]))
        ran = gpuaudit(*command, *([home / "quiet.html"] if said == "wrote " else ["sqlite:///quiet"]), "--quiet")
        assert (loud.code, said in loud.err) == (Exit.DONE, True)
        assert (ran.code, ran.out, ran.err) == (Exit.DONE, loud.out, "")
    start = ("registry", "coverage", "sustech-2024", "--start", "2026-11-01", "--database", "sqlite:///quiet")
    assert "confirmed audits cover" in gpuaudit(*start).err
    assert gpuaudit(*start, "--quiet").err == ""


def test_what_is_not_added_is_said_quiet_or_not(gpuaudit: Gpuaudit, home: Path) -> None:
    (home / "broken.json").write_text("{}")
    ran = gpuaudit("registry", "add", "broken.json", "--quiet")
    assert ran.code == Exit.NOT_AUTHENTIC
    assert "not added: broken.json" in ran.err


def test_errors_are_said_quiet_or_not(gpuaudit: Gpuaudit) -> None:
    ran = gpuaudit("appraise", "no-such-file", *CLAIM, "--quiet")
    assert (ran.code, ran.err) == (Exit.USAGE, "gpuaudit: no-such-file: no such file\n")
    ran = gpuaudit("audit", *MACHINE, "--tender", "no-such-tender", "--quiet")
    assert ran.code == Exit.USAGE
    assert ran.err.startswith("gpuaudit: ")


def test_quiet_ends_with_its_command(gpuaudit: Gpuaudit) -> None:
    assert gpuaudit("attest", *MACHINE, "--out", "a", "--quiet").err == ""
    assert "wrote b/evidence.json" in gpuaudit("audit", *MACHINE, *CLAIM, "--out", "b").err


def test_nothing_is_drawn_where_it_is_to_be_quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    console.hush(quiet=True)
    assert console.on_terminal()
    assert not console.may_draw()
    console.hush(quiet=False)
    assert console.may_draw()
