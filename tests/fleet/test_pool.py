"""Processes end with the command that started them, whatever ends it."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.fleet.fleets import T4, lay

RUN = ["run", "--simulate", "a100-sxm4-80gb:8", "--nodes", "4000"]
APPRAISE = ["appraise", "files", "--tender", "cnki", "--keyring", "files/keys"]
LONGEST_SECONDS = 120.0


@pytest.mark.parametrize("command", [RUN, APPRAISE], ids=lambda command: command[0])
def test_a_killed_command_leaves_no_process_behind(command: list[str], tmp_path: Path) -> None:
    if command is APPRAISE:
        lay(tmp_path / "files", T4, range(1))
        for number in range(1, 4000):
            (tmp_path / "files" / f"node-{number}.json").hardlink_to(tmp_path / "files" / "node-000.json")
    out = ["--out", "out"] if command is RUN else []
    program = [sys.executable, "-m", "gpuaudit", "fleet", *command, *out, "--workers", "2"]
    with subprocess.Popen(program, cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        started = until_there_are(2, process)
        process.kill()
    deadline = time.monotonic() + LONGEST_SECONDS
    while any(map(at_work, started)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert [pid for pid in started if at_work(pid)] == []


def until_there_are(workers: int, process: subprocess.Popen[bytes]) -> list[int]:
    """Wait until both workers, and what keeps track of their semaphores, have been started, and hear for a moment."""
    deadline = time.monotonic() + LONGEST_SECONDS
    found: list[int] = []
    while len(found) <= workers and time.monotonic() < deadline:
        assert process.poll() is None
        text = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text()
        found = [int(pid) for pid in text.split()]
        time.sleep(0.05)
    assert len(found) > workers
    time.sleep(1)
    assert process.poll() is None
    return found


def at_work(pid: int) -> bool:
    """Whether a process is there and more than an entry that nobody has read the end of."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"
