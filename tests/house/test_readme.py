"""The README says what the program says."""

from __future__ import annotations

import importlib
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Final

import pytest
import typer
from securesystemslib.signer import CryptoSigner

from gpuaudit.cli.app import run
from gpuaudit.cli.commands import COMMANDS
from gpuaudit.cli.exits import MEANINGS, Exit
from gpuaudit.envelope import seal_evidence
from gpuaudit.envelope.keys import public_pem
from tests.envelope.bundles import small_bundle

ROOT: Final = Path(__file__).parents[2]
README: Final = (ROOT / "README.md").read_text(encoding="utf-8")


def test_help_and_exit_statuses_in_the_readme_are_the_programs() -> None:
    ran = subprocess.run(
        [sys.executable, "scripts/readme.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, f"write it again with python scripts/readme.py\n{ran.stdout}{ran.stderr}"


def test_every_command_has_its_place_in_the_readme() -> None:
    shown = {match.split()[0] for match in re.findall(r"<!-- help:( [^>]+)-->", README)}
    assert shown == set(COMMANDS)


def test_every_exit_status_is_explained_in_the_readme() -> None:
    assert set(MEANINGS) == set(Exit)
    for code in Exit:
        assert f"| {int(code)} | " in README


def test_both_scripts_are_in_the_readme() -> None:
    assert "./scripts/audit " in README
    assert "./scripts/test" in README


def command(name: str) -> Any:
    return typer.main.get_command(importlib.import_module(COMMANDS[name].module).app)


@pytest.mark.parametrize("name", COMMANDS)
def test_the_line_in_the_top_help_is_the_commands_own(name: str) -> None:
    assert command(name).help.splitlines()[0] == COMMANDS[name].summary


def test_every_module_with_an_app_is_a_command() -> None:
    modules = {
        f"gpuaudit.cli.{path.stem}"
        for path in (ROOT / "gpuaudit" / "cli").glob("*.py")
        if "\napp = command_app(" in path.read_text()
    }
    assert modules == {entry.module for entry in COMMANDS.values()}


def leaves(name: str) -> list[Any]:
    top = command(name)
    return list(getattr(top, "commands", {}).values()) or [top]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_help_tells_its_exit_statuses_and_no_others(name: str) -> None:
    for leaf in leaves(name):
        _, found, told = leaf.help.partition("Exit status:")
        assert found, leaf.name
        numbers = {int(number) for number in re.findall(r"\b\d+\b", told)}
        assert numbers
        assert numbers <= set(map(int, Exit))


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_is_explained_and_has_no_environment_variable(name: str) -> None:
    for leaf in leaves(name):
        for parameter in leaf.params:
            assert parameter.help, f"{leaf.name} {parameter.name}"
            assert not parameter.envvar, f"{leaf.name} {parameter.name}"


def test_the_same_option_is_spelt_the_same_everywhere() -> None:
    spelt: dict[str, set[tuple[str, ...]]] = {}
    for name in COMMANDS:
        for leaf in leaves(name):
            for parameter in leaf.params:
                if parameter.param_type_name == "option":
                    spelt.setdefault(parameter.name, set()).add((*parameter.opts, *parameter.secondary_opts))
    assert {name: forms for name, forms in spelt.items() if len(forms) > 1} == {}


@pytest.mark.parametrize("name", COMMANDS)
def test_booleans_come_in_pairs(name: str) -> None:
    for leaf in leaves(name):
        for parameter in leaf.params:
            assert not getattr(parameter, "is_bool_flag", False) or parameter.secondary_opts, parameter.name


@pytest.mark.parametrize("name", COMMANDS)
def test_every_help_exits_0_and_fits_80_columns(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run([name, "--help"]) == 0
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 80


def test_the_commands_that_verify_with_openssl_alone_work(tmp_path: Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl")
    (block,) = (block for block in re.findall(r"```sh\n(.*?)```", README, re.DOTALL) if "openssl pkeyutl" in block)
    signer = CryptoSigner.generate_ed25519()
    (tmp_path / "evidence.json").write_bytes(seal_evidence(small_bundle(), signer))
    (tmp_path / "k.pub").write_bytes(public_pem(signer.public_key))
    ran = subprocess.run(["bash", "-euc", block], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout) == (0, "Signature Verified Successfully\n")
    (tmp_path / "k.pub").write_bytes(public_pem(CryptoSigner.generate_ed25519().public_key))
    assert subprocess.run(["bash", "-euc", block], cwd=tmp_path, capture_output=True, check=False).returncode != 0


def fenced(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_every_command_line_in_the_readme_has_options_that_exist() -> None:
    lines = [line.split(" # ")[0] for block in fenced("sh") for line in block.replace("\\\n", " ").splitlines()]
    typed = [found for line in lines for found in re.findall(r"gpuaudit ((?:[a-z]+)(?: [^&|>']*)?)", line)]
    assert len(typed) > 10
    for words in (found.split() for found in typed):
        leaf = command(words[0])
        leaf = getattr(leaf, "commands", {}).get(words[1] if len(words) > 1 else "", leaf)
        known = {form for parameter in leaf.params for form in (*parameter.opts, *parameter.secondary_opts)}
        assert {word for word in words if word.startswith("--")} <= known, " ".join(words)


def test_every_file_that_the_readme_points_to_exists() -> None:
    for place in re.findall(r"\]\((?!https?:)([^)]+)\)", README):
        assert (ROOT / place).is_file(), place


def test_the_test_in_the_readme_passes(tmp_path: Path) -> None:
    (block,) = fenced("python")
    (tmp_path / "test_it.py").write_text(block)
    program = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--strict-markers",
        "--junitxml=j.xml",
        "test_it.py",
    ]
    if "gpuaudit" not in {entry.name for entry in importlib.metadata.entry_points(group="pytest11")}:
        program += ["-p", "gpuaudit.testing.plugin"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    ran = subprocess.run(program, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout
    assert "1 passed" in ran.stdout
