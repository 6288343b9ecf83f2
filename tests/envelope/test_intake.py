"""A file is refused for its size or kind before it is read."""

from __future__ import annotations

import os
import time
import tracemalloc
from pathlib import Path

import pytest

from gpuaudit.envelope import read_bounded
from gpuaudit.errors import AuthenticityError, MachineError, UsageError
from gpuaudit.evidence.codec import MAX_BYTES


def test_a_file_of_the_largest_size_is_read(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"x" * 100)
    assert read_bounded(tmp_path / "f", refusal=AuthenticityError, limit=100) == b"x" * 100
    with pytest.raises(AuthenticityError, match="got 100 bytes, expected at most 99"):
        read_bounded(tmp_path / "f", refusal=AuthenticityError, limit=99)


@pytest.mark.parametrize("size", [MAX_BYTES + 1, 100 * 1024**2, 1024**4], ids=["one-too-many", "100-MB", "1-TB"])
def test_a_large_file_costs_neither_time_nor_memory(tmp_path: Path, size: int) -> None:
    with (tmp_path / "f").open("wb") as file:
        file.truncate(size)
    tracemalloc.start()
    began = time.process_time()
    with pytest.raises(AuthenticityError, match="too large"):
        read_bounded(tmp_path / "f", refusal=AuthenticityError)
    assert time.process_time() - began < 0.1
    assert tracemalloc.get_traced_memory()[1] < 100_000
    tracemalloc.stop()


def test_a_link_to_a_file_will_do(tmp_path: Path) -> None:
    (tmp_path / "f").write_bytes(b"x")
    (tmp_path / "link").symlink_to("f")
    assert read_bounded(tmp_path / "link", refusal=AuthenticityError) == b"x"


def test_a_pipe_that_nobody_writes_to_does_not_hold_it_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(AuthenticityError, match="not a regular file"):
        read_bounded(tmp_path / "pipe", refusal=AuthenticityError)


@pytest.mark.parametrize("path", ["/dev/zero", "/dev/null", "/"])
def test_devices_and_folders_are_refused(path: str) -> None:
    with pytest.raises(AuthenticityError, match="not a regular file"):
        read_bounded(Path(path), refusal=AuthenticityError)


@pytest.mark.parametrize("name", ["missing", "f/below-a-file"])
def test_a_missing_file_is_the_users_mistake(tmp_path: Path, name: str) -> None:
    (tmp_path / "f").write_bytes(b"x")
    with pytest.raises(UsageError, match="no such file"):
        read_bounded(tmp_path / name, refusal=AuthenticityError)


@pytest.mark.parametrize("name", ["loop", "n" * 300, "nul\0"], ids=["link-to-itself", "long-name", "nul-in-the-name"])
def test_a_file_that_cannot_be_opened_is_the_machines_fault(tmp_path: Path, name: str) -> None:
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(MachineError, match="cannot be read"):
        read_bounded(tmp_path / name, refusal=AuthenticityError)
