"""What real workers leave behind."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - only listed


def workers() -> list[psutil.Process]:
    """The worker processes of this process that still live."""
    return [child for child in psutil.Process().children(recursive=True) if _is_worker(child)]


def _is_worker(process: psutil.Process) -> bool:
    try:
        return "gpuaudit.workload.start_worker" in process.cmdline()
    except psutil.NoSuchProcess:
        return False


@contextmanager
def nothing_left() -> Iterator[None]:
    """Require that no child process, no shared memory and no descriptor is left at the end that was not there before."""
    shared = {file.name for file in SHARED_MEMORY.iterdir()}
    children = {child.pid for child in psutil.Process().children(recursive=True)}
    descriptors = _open_descriptors()
    yield
    deadline = time.monotonic() + 2
    while time.monotonic() < deadline and {child.pid for child in psutil.Process().children(recursive=True)} - children:
        time.sleep(0.02)
    assert {child.pid for child in psutil.Process().children(recursive=True)} <= children
    assert {file.name for file in SHARED_MEMORY.iterdir()} <= shared
    assert _open_descriptors() <= descriptors


def _open_descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())
