"""`gpuaudit completion`: a script that completes without ever calling the program."""

from __future__ import annotations

import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Final

import pytest

from gpuaudit.cli.commands import COMMANDS
from gpuaudit.cli.exits import Exit
from gpuaudit.cli.shells import places
from tests.cli.conftest import Gpuaudit


@pytest.fixture
def script(gpuaudit: Gpuaudit, home: Path) -> Path:
    ran = gpuaudit("completion", "bash")
    assert (ran.code, ran.err) == (Exit.DONE, "")
    (home / "gpuaudit.bash").write_text(ran.out)
    return home / "gpuaudit.bash"


def completed(script: Path, typed: str) -> set[str]:
    """Let bash complete the last word, in an environment without any gpuaudit."""
    words = typed.split(" ")
    ask = f"""
source {shlex.quote(str(script))}
COMP_WORDS=({shlex.join(words)}) COMP_CWORD={len(words) - 1}
{shlex.join(["_gpuaudit", words[0], words[-1], words[-2]])}
printf '%s\\n' "${{COMPREPLY[@]}}"
"""
    bash = shutil.which("bash") or "bash"
    ran = subprocess.run([bash, "-uc", ask], env={"PATH": ""}, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")
    return set(ran.stdout.split())


TYPED: Final = [
    ("gpuaudit app", {"appraise"}),
    ("gpuaudit appraise --ten", {"--tender"}),
    ("gpuaudit appraise e.json --ten", {"--tender"}),
    ("gpuaudit fleet app", {"appraise"}),
    ("gpuaudit fleet appraise --trust", {"--trust-on-first-use"}),
    ("gpuaudit appraise --trust", set()),
    ("gpuaudit report --format j", {"json", "junit"}),
    ("gpuaudit schema ev", {"evidence"}),
    ("gpuaudit report --evidence ", set()),
    ("gpuaudit audit --out appraise --no-q", {"--no-quiet"}),
    ("gpuaudit --ver", {"--version"}),
    ("gpuaudit nothing", set()),
]


@pytest.mark.parametrize(("typed", "expected"), TYPED)
def test_bash_completes(script: Path, typed: str, expected: set[str]) -> None:
    assert completed(script, typed) == expected


def test_every_command_is_completed(script: Path) -> None:
    assert completed(script, "gpuaudit ") >= set(COMMANDS)


def test_every_option_that_help_shows_is_completed(script: Path, gpuaudit: Gpuaudit) -> None:
    for place in places():
        offered = completed(script, " ".join(("gpuaudit", *place.path, "-")))
        shown = gpuaudit(*place.path, "--help").out.partition("Options:\n")[2]
        for word in (word.strip(",/") for line in shown.splitlines() if line.startswith("  -") for word in line.split()):
            assert not word.startswith("--") or word in offered, f"{place.path} {word}"


def test_no_script_calls_the_program(gpuaudit: Gpuaudit) -> None:
    """A completion that asks the program is one more way to make it run, and the environment's to bend."""
    for shell in ("bash", "zsh", "fish"):
        script = gpuaudit("completion", shell).out
        assert all(f"{opening}gpuaudit " not in script for opening in ("$(", "("))
        assert "COMPLETE" not in script


@pytest.mark.parametrize("shell", ["zsh", "fish"])
def test_other_shells_parse_theirs(shell: str, gpuaudit: Gpuaudit, home: Path) -> None:
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"needs {shell}")
    (home / "script").write_text(gpuaudit("completion", shell).out)
    ran = subprocess.run([program, "-n", home / "script"], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")


@pytest.mark.parametrize(("typed", "expected"), TYPED)
def test_fish_completes(typed: str, expected: set[str], gpuaudit: Gpuaudit, home: Path) -> None:
    program = shutil.which("fish") or pytest.skip("needs fish")
    (home / "script").write_text(gpuaudit("completion", "fish").out)
    (home / "empty").mkdir()
    ask = "source ../script; complete -C $argv[1]"
    # In a folder without files, which fish offers where anything can stand, and without a gpuaudit to ask.
    ran = subprocess.run(
        [program, "--no-config", "-c", ask, "--", typed],
        cwd=home / "empty",
        env={"PATH": "", "HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert {line.split("\t")[0] for line in ran.stdout.splitlines()} == expected


@pytest.mark.parametrize(("typed", "expected"), TYPED)
def test_zsh_completes(typed: str, expected: set[str], gpuaudit: Gpuaudit, home: Path) -> None:
    """With a `compadd` that prints what it is to offer: the real one works within an interactive shell alone."""
    program = shutil.which("zsh") or pytest.skip("needs zsh")
    (home / "script").write_text(gpuaudit("completion", "zsh").out)
    ask = """
compdef() { : }
_files() { : }
compadd() { [[ $1 = -a ]] && print -l -- ${(P)2} }
source ./script
words=("$@") CURRENT=$#
_gpuaudit
"""
    ran = subprocess.run(
        [program, "-fc", ask, "zsh", *typed.split(" ")], cwd=home, env={"PATH": ""}, capture_output=True, text=True, check=False
    )
    assert (ran.returncode, ran.stderr) == (0, "")
    assert {word for word in ran.stdout.split() if word.startswith(typed.rsplit(" ", maxsplit=1)[-1])} == expected


def test_another_shell_is_wrong_usage(gpuaudit: Gpuaudit) -> None:
    ran = gpuaudit("completion", "tcsh")
    assert (ran.code, ran.out) == (Exit.USAGE, "")
