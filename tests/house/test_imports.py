"""What a command does not need, it does not load."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from securesystemslib.signer import CryptoSigner

from gpuaudit.envelope import seal_evidence
from gpuaudit.envelope.keys import public_pem
from tests.envelope.bundles import small_bundle
from tests.house.children import processor_seconds

HEAVY = ("torch", "pandas", "numpy", "matplotlib", "ray", "jinja2", "sqlalchemy")


def loaded_by(arguments: list[str], folder: Path) -> tuple[int, set[str]]:
    program = f"""
import sys
from gpuaudit.cli.app import run
code = run({arguments!r})
print(code, *{{name.partition(".")[0] for name in sys.modules}}, *(name for name in sys.modules if name.startswith("gpuaudit.")))
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=folder)
    code, *names = ran.stdout.splitlines()[-1].split()
    return int(code), set(names)


def test_help_does_not_even_load_what_typer_converts_with(tmp_path: Path) -> None:
    code, names = loaded_by(["--help"], tmp_path)
    assert code == 0
    assert "pydantic" not in names


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["no-such-command"], []], ids=str)
def test_the_top_of_the_program_loads_next_to_nothing(arguments: list[str], tmp_path: Path) -> None:
    _, names = loaded_by(arguments, tmp_path)
    assert not names & {*HEAVY, "securesystemslib", "cryptography", "psutil", "pynvml", "rich"}
    assert not {name for name in names if name.startswith("gpuaudit.") and not name.startswith("gpuaudit.cli")} - {
        "gpuaudit.errors",
        "gpuaudit.printable",
    }


def test_verify_loads_nothing_heavy(tmp_path: Path) -> None:
    signer = CryptoSigner.generate_ed25519()
    (tmp_path / "e.json").write_bytes(seal_evidence(small_bundle(), signer))
    (tmp_path / "k.pub").write_bytes(public_pem(signer.public_key))
    code, names = loaded_by(["verify", "e.json", "--keyring", "k.pub"], tmp_path)
    assert code == 0
    assert not names & {*HEAVY, "psutil", "pynvml", "rich"}


def test_a_simulation_needs_no_torch(tmp_path: Path) -> None:
    code, names = loaded_by(["attest", "--simulate", "a100-sxm4-80gb:1", "--out", "out"], tmp_path)
    assert code == 0
    assert not names & {*HEAVY}


@pytest.mark.alone
def test_help_takes_little_longer_than_importing_typer(tmp_path: Path) -> None:
    """As a ratio of processor time, turn by turn: the limit of 200 ms is for an idle machine, and this one may be busy."""

    def processor_time(*command: str) -> float:
        before = processor_seconds()
        subprocess.run([sys.executable, *command], capture_output=True, check=True, cwd=tmp_path)
        return processor_seconds() - before

    helps, imports = [], []
    for _ in range(20):
        helps.append(processor_time("-m", "gpuaudit", "--help"))
        imports.append(processor_time("-c", "import typer"))
        if len(helps) >= 5 and min(helps) < 2 * min(imports):
            break
    assert min(helps) < 2 * min(imports)
