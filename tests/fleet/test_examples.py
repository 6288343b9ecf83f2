"""The examples for launchers, run with a launcher that runs everything here."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from gpuaudit.cli.exits import Exit

EXAMPLES = Path(__file__).parents[2] / "gpuaudit" / "fleet" / "examples"
NONCE = "cd" * 32


@pytest.fixture
def launchers(tmp_path: Path) -> dict[str, str]:
    """An environment in which srun and pdsh run their command here, and gpuaudit attests a simulated machine."""
    binaries = tmp_path / "bin"
    binaries.mkdir()
    scripts = {
        "srun": 'while [[ $1 == --* ]]; do shift; done; exec "$@"',
        "pdsh": 'exec bash -c "${@: -1}"',
        "hostname": "echo node-a",
        "gpuaudit": f'if [ "$1" = attest ]; then set -- "$@" --simulate t4:1; fi; exec {sys.executable} -m gpuaudit "$@"',
    }
    for name, script in scripts.items():
        (binaries / name).write_text(f"#!/usr/bin/env bash\n{script}\n")
        (binaries / name).chmod(0o755)
    root = str(EXAMPLES.parents[2])
    return {**os.environ, "PATH": f"{binaries}:{os.environ['PATH']}", "NONCE": NONCE, "PYTHONPATH": root,
            "XDG_CONFIG_HOME": str(tmp_path / "config")}  # fmt: skip


@pytest.mark.parametrize(("script", "before"), [("srun.sh", []), ("pdsh.sh", ["node-a"])])
def test_an_example_leaves_a_folder_that_can_be_appraised(
    script: str, before: list[str], launchers: dict[str, str], tmp_path: Path
) -> None:
    fleet = tmp_path / "fleet"
    for _ in range(2):
        subprocess.run(
            [str(EXAMPLES / script), *before, str(fleet)], env=launchers, check=True, cwd=tmp_path, capture_output=True
        )
    command: list[str] = [sys.executable, "-m", "gpuaudit", "fleet", "appraise", str(fleet), "--tender", "cnki", "--nonce", NONCE,
               "--trust-on-first-use", "--format", "json"]  # fmt: skip
    done = subprocess.run(command, env=launchers, check=False, capture_output=True, text=True)
    assert done.returncode == Exit.INCONCLUSIVE, done.stderr
    (row,) = json.loads(done.stdout)["rows"]
    assert (row["node"], row["state"], row["devices"]) == ("node-a", "appraised", "1 x Tesla T4")


def test_a_node_that_fails_says_so(launchers: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "fleet" / "node-a").mkdir(parents=True)
    (tmp_path / "fleet" / "node-a" / "in-the-way").touch()
    subprocess.run([EXAMPLES / "srun.sh", tmp_path / "fleet"], env=launchers, check=True, cwd=tmp_path, capture_output=True)
    assert (tmp_path / "fleet" / "node-a.failed").read_text() == "attest ended with status 2 on node-a\n"
