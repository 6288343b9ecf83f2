"""What real workers leave behind."""

from __future__ import annotations

import contextlib
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
    shared = _shared_memory()
    children = _children()
    descriptors = _open_descriptors()
    yield
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and (_children() - children or _abandoned(_shared_memory() - shared)):
        time.sleep(0.05)
    assert _children() <= children
    assert _abandoned(_shared_memory() - shared) == set()
    assert _open_descriptors() <= descriptors


def _children() -> set[int]:
    return {child.pid for child in psutil.Process().children(recursive=True)}


def _shared_memory() -> set[str]:
    return {str(file) for file in SHARED_MEMORY.iterdir()}


def _abandoned(files: set[str]) -> set[str]:
    """Those that no living process has mapped: what others on this machine use is not ours."""
    for process in Path("/proc").glob("[0-9]*/maps"):
        if not files:
            break
        with contextlib.suppress(OSError):
            maps = process.read_text(errors="replace")
            files = {file for file in files if file not in maps}
    return files


def _open_descriptors() -> int:
    return sum(1 for _ in Path("/proc/self/fd").iterdir())
