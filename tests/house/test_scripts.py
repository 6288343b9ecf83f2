"""`scripts/audit` decides what to install; here with a Python that only writes down what it was asked for."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pytest

from tests.house.children import processor_seconds

ROOT: Final = Path(__file__).parents[2]
SCRIPTS: Final = ["scripts/audit", "scripts/test", ".ci/run"]
HAS_NVIDIA: Final = any(Path(path).exists() for path in ("/proc/driver/nvidia/version", "/dev/nvidiactl", "/dev/dxg"))


@dataclass(slots=True)
class Checkout:
    """A fresh checkout on a machine whose only Python is the stub."""

    root: Path
    log: Path
    stub: list[str] = field(default_factory=list)

    def audit(self, *arguments: str, where: Path | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.root / "scripts" / "audit", *arguments],
            env={
                "PATH": f"{self.root / 'pythons'}:/usr/bin:/bin",
                "STUB": " ".join(self.stub),
                "LOG": str(self.log),
                "REAL_PYTHON": sys.executable,
                "HOME": str(self.root),
            },
            cwd=where or self.root,
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )

    def asked(self) -> str:
        return self.log.read_text() if self.log.exists() else ""


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    root = tmp_path / "a check out"
    shutil.copytree(ROOT / "scripts", root / "scripts")
    shutil.copy(ROOT / "pyproject.toml", root)
    (root / "pythons").mkdir()
    for name in ("python3", "python3.11", "python3.12", "python3.13", "python3.14"):
        shutil.copy(ROOT / "tests/house/stub_python", root / "pythons" / name)
    log = tmp_path / "log"
    Path(f"{log}.wheel").write_bytes(bytes(3_000_000))
    return Checkout(root=root, log=log)


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_script_can_be_run_and_parsed(script: str) -> None:
    assert os.access(ROOT / script, os.X_OK)
    subprocess.run(["bash", "-n", ROOT / script], check=True)


def test_arguments_and_exit_status_go_through(checkout: Checkout, tmp_path: Path) -> None:
    ran = checkout.audit("--simulate", "a:1", "--tender", "my tender.toml", where=tmp_path)
    assert (ran.returncode, ran.stdout) == (11, "<audit><--simulate><a:1><--tender><my tender.toml>")


@pytest.mark.parametrize("arguments", [["--simulate", "a:1"], ["--simulate=a:1"], ["--help"]], ids=" ".join)
def test_a_simulation_installs_no_torch(checkout: Checkout, arguments: list[str]) -> None:
    assert checkout.audit(*arguments).returncode == 11
    assert "torch" not in checkout.asked()
    assert "bench" not in checkout.asked()


def test_the_second_run_installs_nothing_and_costs_less_than_the_first(checkout: Checkout) -> None:
    start = processor_seconds()
    checkout.audit("--simulate", "a:1")
    first = processor_seconds() - start
    before = checkout.asked()
    later = []
    for _ in range(5):
        start = processor_seconds()
        ran = checkout.audit("--simulate", "a:1")
        later.append(processor_seconds() - start)
        assert (ran.returncode, ran.stderr, checkout.asked()) == (11, "", before)
    assert min(later) < first


def test_what_is_to_be_downloaded_is_said_with_its_size(checkout: Checkout) -> None:
    ran = checkout.audit("--tender", "t")
    assert ran.returncode == 11
    assert "about to download torch 1 and 1 packages that it needs: 6 MB" in ran.stderr
    assert ran.stdout == "<audit><--tender><t>"


def test_without_a_driver_the_cpu_build_is_taken(checkout: Checkout) -> None:
    if HAS_NVIDIA:
        pytest.skip("this machine has an NVIDIA driver")
    checkout.audit("--tender", "t")
    taken = [line for line in checkout.asked().splitlines() if "torch" in line and "--dry-run" not in line]
    assert "--index-url" in taken[0]


def test_without_a_driver_and_without_a_cpu_build_the_cuda_build_is_announced(checkout: Checkout) -> None:
    if HAS_NVIDIA:
        pytest.skip("this machine has an NVIDIA driver")
    checkout.stub = ["no-cpu-build"]
    assert "no CPU build of torch can be reached" in checkout.audit("--tender", "t").stderr


def test_an_installed_torch_is_seen_and_never_replaced(checkout: Checkout) -> None:
    checkout.stub = ["torch"]
    ran = checkout.audit("--tender", "t")
    assert "used as it is" in ran.stderr
    assert "about to download" not in ran.stderr
    assert "--system-site-packages" in checkout.asked()
    installs = checkout.asked().count("-m pip install")
    assert checkout.asked().count("constraint torch==2.9.1+cu128") == installs > 0


def test_a_simulation_first_and_a_real_audit_next_add_what_is_missing(checkout: Checkout) -> None:
    checkout.audit("--simulate", "a:1")
    checkout.audit("--tender", "t")
    assert checkout.asked().count("-m venv") == 1
    assert "[bench]" in checkout.asked()


def test_a_changed_project_is_installed_again_into_the_same_environment(checkout: Checkout) -> None:
    checkout.audit("--simulate", "a:1")
    with (checkout.root / "pyproject.toml").open("a") as file:
        file.write("# changed\n")
    checkout.audit("--simulate", "a:1")
    assert checkout.asked().count("-m venv") == 1
    assert checkout.asked().count("-m pip install") == 2


def test_an_install_that_was_cut_off_is_done_again(checkout: Checkout) -> None:
    checkout.stub = ["offline"]
    ran = checkout.audit("--simulate", "a:1")
    assert (ran.returncode, "pip could not install" in ran.stderr) == (4, True)
    checkout.stub = []
    assert checkout.audit("--simulate", "a:1").returncode == 11


def test_a_folder_that_is_not_ours_is_not_removed(checkout: Checkout) -> None:
    (checkout.root / ".venv").mkdir()
    (checkout.root / ".venv" / "mine").write_text("mine")
    ran = checkout.audit("--simulate", "a:1")
    assert (ran.returncode, "move it away" in ran.stderr) == (4, True)
    assert (checkout.root / ".venv" / "mine").read_text() == "mine"


@pytest.mark.parametrize(("stub", "why"), [("old", "no Python 3.11 or newer"), ("no-venv", "no venv module")])
def test_a_machine_that_cannot_do_it_is_told_what_it_lacks(checkout: Checkout, stub: str, why: str) -> None:
    checkout.stub = [stub]
    ran = checkout.audit("--simulate", "a:1")
    assert (ran.returncode, ran.stdout) == (4, "")
    assert why in ran.stderr
