"""Without its extra a command says which package is missing; it does not break."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from gpuaudit.cli.exits import Exit


def without(package: str, *arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    program = f"""
import sys
sys.modules[{package!r}] = None
from gpuaudit.cli.app import run
sys.exit(run({list(arguments)!r}))
"""
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=folder, env={"HOME": str(folder)}
    )


@pytest.mark.parametrize(
    ("package", "arguments", "extra"),
    [
        ("scipy", ["fleet", "plan", "--tender", "ustc-suzhou-2024"], "fleet"),
        ("ray", ["fleet", "run", "--out", "x", "--address", "local"], "fleet"),
        ("sqlalchemy", ["registry", "drift"], "registry"),
        ("pandas", ["registry", "drift"], "registry"),
        ("psycopg", ["registry", "drift", "--database", "postgresql://x@/y"], "registry"),
    ],
)
def test_a_missing_package_is_named(package: str, arguments: list[str], extra: str, tmp_path: Path) -> None:
    ran = without(package, *arguments, folder=tmp_path)
    assert ran.returncode == Exit.MACHINE, ran.stderr
    assert f"gpuaudit: {package}: not installed" in ran.stderr
    assert f"gpuaudit[{extra}]" in ran.stderr


def test_appraising_a_fleet_needs_no_extra(tmp_path: Path) -> None:
    for package in ("scipy", "ray", "pandas", "numpy", "torch", "sqlalchemy"):
        ran = without(package, "fleet", "appraise", str(tmp_path), "--tender", "cnki", folder=tmp_path)
        assert (ran.returncode, package in ran.stderr) == (Exit.USAGE, False)
