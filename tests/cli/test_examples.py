"""The example in a command's help works when it is typed."""

from __future__ import annotations

import importlib
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import typer

from gpuaudit.cli.commands import COMMANDS
from gpuaudit.cli.exits import Exit
from tests.cli.conftest import Gpuaudit
from tests.cli.test_import import CAPTURE

# Where an example shows a machine, any verdict is an answer.
ANSWERS: Final = {Exit.DONE, Exit.REFUTED, Exit.INCONCLUSIVE, Exit.OUT_OF_SCOPE, Exit.SIMULATED}
# There is no such host here: what can be tried is that everything up to it is understood.
ELSEWHERE: Final = {"challenge ssh"}


def leaves() -> Iterator[tuple[str, Any]]:
    for name, entry in COMMANDS.items():
        top: Any = typer.main.get_command(importlib.import_module(entry.module).app)
        parts = getattr(top, "commands", None)
        yield from ((f"{name} {part}", leaf) for part, leaf in parts.items()) if parts else [(name, top)]


def examples() -> Iterator[tuple[str, str]]:
    for name, leaf in leaves():
        for line in re.findall(r"^Example: gpuaudit (.+)$", leaf.help, re.MULTILINE):
            yield name, line


@pytest.fixture
def files(gpuaudit: Gpuaudit, home: Path) -> Path:
    """The files that examples speak of."""
    for name in ("monday", "friday"):
        assert gpuaudit("audit", "--simulate", "t4:1", "--tender", "sustech-2024", "--out", home / name).code == Exit.REFUTED
    for file in (home / "monday").glob("*.json"):
        (home / file.name).write_bytes(file.read_bytes())
    (home / "smi.xml").write_text(CAPTURE)
    assert gpuaudit("fleet", "run", "--simulate", "t4:1", "--nodes", "1", "--suite", "quick", "--out", "others").code == 0
    ran = gpuaudit("fleet", "appraise", "others", "--tender", "cnki", "--keyring", "others/keys", "--out", "verdict")
    assert ran.code in ANSWERS
    return home


def test_every_command_has_an_example_of_itself() -> None:
    for name, leaf in leaves():
        (line,) = re.findall(r"^Example: gpuaudit (.+)$", leaf.help, re.MULTILINE) or [""]
        assert f"{line} ".startswith(f"{name} "), f"{name}: {line}"


def test_no_example_is_broken_in_two_by_the_width_of_help(gpuaudit: Gpuaudit) -> None:
    for name, line in examples():
        assert f"  Example: gpuaudit {line}\n" in gpuaudit(*name.split(), "--help").out


def test_every_example_works(files: Path, gpuaudit: Gpuaudit) -> None:
    for name, line in examples():
        # A shell would take off what follows `>`.
        command = line.partition(" > ")[0]
        ran = gpuaudit(*shlex.split(command))
        if name in ELSEWHERE:
            assert ran.code == Exit.MACHINE, f"{line}: {ran.err}"
            continue
        assert ran.code in ANSWERS, f"{line}: {ran.err}"
        assert ran.out or "wrote" in ran.err
