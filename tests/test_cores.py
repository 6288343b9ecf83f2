"""Cores that this process may use."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from gpuaudit.cores import available_cores


def test_cores_that_the_process_was_kept_from_do_not_count() -> None:
    """A process of its own, held to one core."""
    held = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})"
    program = f"{held}; from gpuaudit.cores import available_cores; print(available_cores())"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout == "1\n"


def test_a_system_that_does_not_say_has_all_of_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert available_cores() == 1
    monkeypatch.setattr(os, "cpu_count", lambda: 12)
    assert available_cores() == 12
