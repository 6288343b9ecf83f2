"""Tables on a terminal of 80 columns, on a wide one, and in a pipe."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import struct
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from gpuaudit.cli.exits import Exit
from gpuaudit.cli.format import as_table
from tests.cli.conftest import Gpuaudit

LISTS = (
    ("catalogue", "list"),
    ("tender", "list"),
    ("rules", "list"),
    ("probe", "--simulate", "a100-sxm4-80gb:2"),
    ("bench", "--simulate", "a100-sxm4-80gb:2"),
)
BOXES = "│┃║─━═┌┐└┘├┤┬┴┼╭╮╰╯▏▕"


def on_terminal(columns: int, folder: Path, *arguments: str, **variables: str) -> tuple[int, str]:
    """Run a command whose stdout is a real terminal of so many columns."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    environment = os.environ | {"XDG_CONFIG_HOME": str(folder), "TERM": "xterm-256color", **variables}
    child = subprocess.Popen(
        [sys.executable, "-m", "gpuaudit", *arguments],
        stdout=theirs,
        stderr=subprocess.PIPE,
        stdin=subprocess.DEVNULL,
        env=environment,
        cwd=Path(__file__).parents[2],
    )
    os.close(theirs)
    told = b""
    while True:
        try:
            chunk = os.read(ours, 65536)
        except OSError:
            # Linux says so where the other end of a terminal was closed.
            break
        if not chunk:
            break
        told += chunk
    os.close(ours)
    _, error = child.communicate(timeout=60)
    assert error == b""
    return child.returncode, told.decode().replace("\r\n", "\n")


@pytest.mark.parametrize("arguments", LISTS, ids=lambda arguments: arguments[0])
def test_a_list_fits_on_a_terminal_and_loses_nothing(arguments: tuple[str, ...], tmp_path: Path) -> None:
    code, narrow = on_terminal(80, tmp_path, *arguments)
    assert code == Exit.DONE
    _, wide = on_terminal(300, tmp_path, *arguments)
    rows = [line for line in narrow.splitlines() if not line.startswith(("no value:", "device files"))]
    assert max(map(len, rows)) <= 80
    assert sorted(narrow.split()) == sorted(wide.split())
    assert "\x1b" not in narrow + wide
    assert not set(BOXES) & set(narrow + wide)


def test_a_variable_that_forces_colour_does_not(tmp_path: Path) -> None:
    plain = on_terminal(80, tmp_path, "tender", "list")
    for variables in ({"NO_COLOR": "1"}, {"FORCE_COLOR": "1"}, {"COLUMNS": "20"}, {"TERM": "dumb"}):
        assert on_terminal(80, tmp_path, "tender", "list", **variables) == plain


@pytest.mark.parametrize("columns", [1, 20, 40])
def test_on_a_very_narrow_terminal_every_word_is_there(columns: int, tmp_path: Path) -> None:
    _, told = on_terminal(columns, tmp_path, "tender", "list")
    assert {"sustech-2024", "ustc-suzhou-2024", "undetermined"} <= set(told.replace(":", " ").replace(";", " ").split())


def test_a_report_uses_a_wide_terminal_for_its_tables_only(gpuaudit: Gpuaudit, home: Path, tmp_path: Path) -> None:
    gpuaudit("audit", "--simulate", "a800-sxm4-80gb:2", "--tender", "sustech-2024", "--out", home / "a")
    file, keys = str(home / "a/result.json"), str(next((tmp_path / "config/gpuaudit/keys").glob("*.pub")))
    narrow = on_terminal(80, tmp_path, "report", file, "--keyring", keys)[1]
    wide = on_terminal(200, tmp_path, "report", file, "--keyring", keys)[1]
    piped = gpuaudit("report", file).out
    assert narrow == piped
    header = "device         name                   PCI device"
    assert (header in wide, header in narrow) == (True, False)
    headline = json.loads(gpuaudit("report", file, "--format", "json").out)["headline"]
    assert all(len(line) <= 80 for line in wide[: len(headline)].splitlines())


def test_in_a_pipe_each_row_is_a_line(gpuaudit: Gpuaudit) -> None:
    for arguments in LISTS[:3]:
        out = gpuaudit(*arguments).out
        told = json.loads(gpuaudit(*arguments, "--format", "json").out)
        assert len(out.splitlines()) == 1 + len(told["products"] if isinstance(told, dict) else told)


def test_what_a_terminal_would_obey_is_shown_in_its_column() -> None:
    assert as_table(("name", "of"), [("\x1b[31m\u202eA\n[b]", "x"), ("B", "y")]).splitlines() == [
        "name                  of",
        "\\x1b[31m\\u202eA\\n[b]  x",
        "B                     y",
    ]
