"""The running Python about itself."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from gpuaudit.attester.interpreter import running_interpreter
from gpuaudit.evidence.reading import Known


def test_it_tells_its_own_version_and_search_path() -> None:
    interpreter = running_interpreter()
    assert interpreter.version == sys.version
    assert set(sys.path) == set(interpreter.search_path)


def test_pynvml_is_the_file_that_is_in_use() -> None:
    path = running_interpreter().pynvml_path
    assert isinstance(path, Known)
    assert Path(path.value).name == "pynvml.py"


def test_flags_are_those_that_are_set() -> None:
    """In a process of its own: flags cannot be changed in a running one."""
    code = "from gpuaudit.attester.interpreter import running_interpreter as r; print(r().flags)"
    command = [sys.executable, "-P", "-O", "-c", code]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2], timeout=60)
    assert "'optimize=1'" in ran.stdout
    assert "'safe_path=1'" in ran.stdout
    assert "'inspect=" not in ran.stdout


def test_looking_does_not_load_pynvml() -> None:
    code = "import sys; from gpuaudit.attester.interpreter import running_interpreter as r; r(); print('pynvml' in sys.modules)"
    command = [sys.executable, "-c", code]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2], timeout=60)
    assert ran.stdout.strip() == "False"
