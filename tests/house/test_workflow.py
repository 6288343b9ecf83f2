"""The workflow in the README is one that GitHub takes, by the schema that comes with check-jsonschema: no network is asked."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

README: Final = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
WORKFLOWS: Final = [block for block in re.findall(r"```yaml\n(.*?)```", README, re.DOTALL) if "\njobs:" in block]


def checked(workflow: str, folder: Path) -> subprocess.CompletedProcess[str]:
    file = folder / "gpus.yml"
    file.write_text(workflow, encoding="utf-8")
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows", str(file)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_there_is_a_workflow_in_the_readme() -> None:
    assert len(WORKFLOWS) == 1


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=["gpus"])
def test_a_workflow_is_valid(workflow: str, tmp_path: Path) -> None:
    ran = checked(workflow, tmp_path)
    assert ran.returncode == 0, ran.stdout


@pytest.mark.parametrize(
    ("right", "wrong"),
    [("runs-on:", "run-on:"), ("steps:", "step:"), ("contents: read", "contents: see"), ("- run:", "- runs:")],
)
def test_a_workflow_with_a_fault_is_not(right: str, wrong: str, tmp_path: Path) -> None:
    (workflow,) = WORKFLOWS
    assert right in workflow
    ran = checked(workflow.replace(right, wrong, 1), tmp_path)
    assert ran.returncode == 1
    assert "Schema validation errors" in ran.stdout
