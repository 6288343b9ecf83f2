"""Whatever goes wrong is one line and the exit status that means it; a fault of ours alone gets a traceback."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import gpuaudit as package
from gpuaudit.cli.app import run
from gpuaudit.cli.commands import COMMANDS, CommandEntry
from gpuaudit.cli.exits import Exit
from tests.cli.conftest import Gpuaudit


@pytest.fixture(autouse=True)
def explode(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(COMMANDS, "explode", CommandEntry(module="tests.cli.explode", summary="End in a given way."))


@pytest.mark.parametrize(
    ("how", "code"),
    [
        ("done", Exit.DONE),
        ("usage", Exit.USAGE),
        ("malformed", Exit.USAGE),
        ("authenticity", Exit.NOT_AUTHENTIC),
        ("unknown-signer", Exit.NOT_AUTHENTIC),
        ("machine", Exit.MACHINE),
        ("full-disk", Exit.MACHINE),
        ("broken-pipe", Exit.FAULT),
        ("fault", Exit.FAULT),
        ("ctrl-c", Exit.INTERRUPTED),
        ("end-of-input", Exit.INTERRUPTED),
        ("verdict", Exit.REFUTED),
    ],
)
def test_every_end_has_its_exit_status_and_at_most_one_line(gpuaudit: Gpuaudit, how: str, code: Exit) -> None:
    ran = gpuaudit("explode", how)
    assert ran.code == code
    assert ("Traceback" in ran.err) == (how == "fault")
    if how not in ("fault", "done", "verdict"):
        assert ran.err.strip().count("\n") == 0
        assert ran.err.lstrip().startswith("gpuaudit: ")
        assert ran.out == ""


def test_a_full_disk_is_named_with_its_file(gpuaudit: Gpuaudit) -> None:
    assert gpuaudit("explode", "full-disk").err == "gpuaudit: some/file: No space left on device\n"


def test_what_an_adversary_wrote_does_not_reach_the_terminal_raw(gpuaudit: Gpuaudit) -> None:
    ran = gpuaudit("explode", "hostile")
    assert ran.err == "gpuaudit: \\x1b]52;c;aGk=\\x07 \\u202egnirts\\u202c \\x9b31m two\\nlines\n"


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["no-such-command"],
        ["verfy"],
        ["--no-such-option"],
        ["verify"],
        ["verify", "--no-such-option"],
        ["verify", "a", "b"],
        ["verify", "x", "--format", "xml"],
        ["verify", "x", "--keyring"],
        ["verify", "x", "--key"],
        ["verify", "no-such-file"],
        ["keys"],
        ["keys", "old"],
        ["keys", "new", "--kind", "rsa"],
        ["keys", "new", "--name", "../x"],
        ["\x1b[2J"],
    ],
    ids=lambda arguments: " ".join(arguments).encode("unicode_escape").decode() or "nothing",
)
def test_wrong_usage_exits_2_and_prints_no_result(gpuaudit: Gpuaudit, arguments: list[str]) -> None:
    ran = gpuaudit(*arguments)
    assert ran.code == Exit.USAGE
    assert ran.out == ""
    assert "Traceback" not in ran.err
    assert "\x1b" not in ran.err
    assert arguments == [] or ran.err.count("\n") == 1


def test_the_version(gpuaudit: Gpuaudit) -> None:
    ran = gpuaudit("--version")
    assert (ran.code, ran.out, ran.err) == (0, f"gpuaudit {package.__version__}\n", "")


@pytest.mark.parametrize("variable", ["_GPUAUDIT_COMPLETE", "_APP_COMPLETE", "COMPLETE"])
def test_no_variable_turns_a_command_into_shell_completion(variable: str, tmp_path: Path) -> None:
    """It would print completions and exit 0, which is the exit status of `confirmed`."""
    ran = subprocess.run(
        [sys.executable, "-m", "gpuaudit", "verify", "no-such-file"],
        env=os.environ | {variable: "complete_bash", "COMP_WORDS": "gpuaudit ver", "COMP_CWORD": "1"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stdout) == (Exit.USAGE, "")


def test_a_reader_that_went_away_changes_nothing(tmp_path: Path) -> None:
    program = [sys.executable, "-m", "gpuaudit", "--version"]
    read, write = os.pipe()
    os.close(read)
    ran = subprocess.run(program, stdout=write, stderr=subprocess.PIPE, check=False, cwd=tmp_path)
    os.close(write)
    assert (ran.returncode, ran.stderr) == (0, b"")


def test_a_result_that_cannot_be_written_is_the_machines_fault(tmp_path: Path) -> None:
    with Path("/dev/full").open("w", encoding="ascii") as full:
        ran = subprocess.run(
            [sys.executable, "-m", "gpuaudit", "--version"], stdout=full, stderr=subprocess.PIPE, check=False, cwd=tmp_path
        )
    assert (ran.returncode, ran.stderr) == (Exit.MACHINE, b"gpuaudit: No space left on device\n")


def test_a_terminal_that_knows_only_ascii_is_served(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "gpuaudit", "verify", "é"],
        env=os.environ | {"PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"},
        capture_output=True,
        check=False,
        cwd=tmp_path,
    )
    assert (ran.returncode, ran.stderr) == (Exit.USAGE, b"gpuaudit: \\xe9: no such file\n")


def test_ctrl_c_is_one_line() -> None:
    program = """
import sys
from gpuaudit.cli.app import main
from gpuaudit.cli.commands import COMMANDS, CommandEntry
COMMANDS["explode"] = CommandEntry(module="tests.cli.explode", summary="")
sys.argv = ["gpuaudit", "explode", "wait"]
main()
"""
    root = Path(__file__).parents[2]
    child = subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE, cwd=root, text=True)
    assert child.stderr is not None
    assert child.stderr.readline() == "waiting\n"
    child.send_signal(signal.SIGINT)
    _, rest = child.communicate(timeout=120)
    assert (child.returncode, rest) == (Exit.INTERRUPTED, "gpuaudit: interrupted\n")


def test_help_is_never_wider_than_80_columns(monkeypatch: pytest.MonkeyPatch, gpuaudit: Gpuaudit) -> None:
    pages = []
    for columns in ("40", "200"):
        monkeypatch.setenv("COLUMNS", columns)
        pages.append(gpuaudit("--help").out)
    assert pages[0] == pages[1]
    assert max(map(len, pages[0].splitlines())) <= 80


def test_running_twice_in_one_process_is_the_same(gpuaudit: Gpuaudit) -> None:
    assert gpuaudit("--help") == gpuaudit("--help")
    began = time.process_time()
    run(["--help"])
    assert time.process_time() - began < 1
