"""Code that runs before ours in every Python of the machine."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gpuaudit.attester.hooks import collect_hooks
from gpuaudit.evidence.reading import Known, Reason, Unknown
from tests.attester.interpreters import SITE, honest_interpreter
from tests.attester.trees import put, unprivileged


def the_hooks(root: Path) -> tuple[str, ...]:
    hooks = collect_hooks(root, honest_interpreter())
    assert isinstance(hooks, Known)
    return hooks.value


def test_a_fresh_python_has_none(tmp_path: Path) -> None:
    put(tmp_path, {f"{SITE}/paths.pth": "/srv/other\n# import os\n", f"{SITE}/pynvml.py": ""})
    assert the_hooks(tmp_path) == ()


@pytest.mark.parametrize("line", ["import gpu_cosplay_runtime", "import\tos; os.environ['X'] = '1'"])
def test_a_pth_file_that_runs_code_is_listed_with_it(tmp_path: Path, line: str) -> None:
    put(tmp_path, {f"{SITE}/zz.pth": f"/srv/other\n{line}\n"})
    (hook,) = the_hooks(tmp_path)
    assert hook.startswith(f"{SITE}/zz.pth: import")


@pytest.mark.parametrize("name", ["sitecustomize.py", "usercustomize.py", "sitecustomize/__init__.py", "sitecustomize.pyc"])
def test_a_start_module_is_listed(tmp_path: Path, name: str) -> None:
    put(tmp_path, {f"/usr/lib/python3.11/{name}": ""})
    assert the_hooks(tmp_path) == (f"/usr/lib/python3.11/{name}",)


def test_a_start_module_behind_a_dangling_link_is_listed(tmp_path: Path) -> None:
    (tmp_path / "usr/lib/python3.11").mkdir(parents=True)
    (tmp_path / "usr/lib/python3.11/sitecustomize.py").symlink_to("/etc/nowhere.py")
    assert the_hooks(tmp_path) == ("/usr/lib/python3.11/sitecustomize.py",)


def test_a_pth_file_that_cannot_be_read_is_listed_with_the_reason(tmp_path: Path) -> None:
    put(tmp_path, {f"{SITE}/big.pth": "x" * 100_000})
    os.mkfifo(tmp_path / SITE.lstrip("/") / "pipe.pth")
    assert the_hooks(tmp_path) == (f"{SITE}/big.pth: unreadable (fault)", f"{SITE}/pipe.pth: unreadable (fault)")


def test_a_long_line_is_cut_and_an_escape_made_harmless(tmp_path: Path) -> None:
    put(tmp_path, {f"{SITE}/zz.pth": "import os;" + "x" * 5000})
    (hook,) = the_hooks(tmp_path)
    assert len(hook) < 600


def test_a_refused_folder_is_no_permission(tmp_path: Path) -> None:
    put(tmp_path, {f"{SITE}/zz.pth": "import os\n"})
    (tmp_path / SITE.lstrip("/")).chmod(0)
    with unprivileged():
        hooks = collect_hooks(tmp_path, honest_interpreter())
    assert isinstance(hooks, Unknown)
    assert hooks.reason is Reason.NO_PERMISSION


def test_hundreds_of_hooks_are_refused(tmp_path: Path) -> None:
    put(tmp_path, {f"{SITE}/{index}.pth": "import os\n" for index in range(300)})
    hooks = collect_hooks(tmp_path, honest_interpreter())
    assert isinstance(hooks, Unknown)
    assert hooks.reason is Reason.FAULT
