"""All files of an audit, or none; never over others'."""

from __future__ import annotations

import resource
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gpuaudit.cli.output import claimed, write_file
from gpuaudit.errors import MachineError, UsageError

FILES = {"evidence.json": b"e" * 100, "result.json": b"r" * 4_000_000}


@contextmanager
def disk_with_room_for(size: int) -> Iterator[None]:
    """Let no file of this process grow beyond `size` bytes: the kernel refuses, as it does on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_files_are_written_into_new_folders(home: Path) -> None:
    with claimed(home / "a" / "b") as folder:
        assert folder.write(FILES) == (home / "a/b/evidence.json", home / "a/b/result.json")
    assert {file.name: file.read_bytes() for file in (home / "a/b").iterdir()} == FILES


def test_an_empty_folder_will_do(home: Path) -> None:
    with claimed(home) as folder:
        folder.write(FILES)


@pytest.mark.parametrize("name", ["evidence.json", ".hidden", "folder/"])
def test_a_folder_with_anything_in_it_is_refused_and_left_alone(home: Path, name: str) -> None:
    if name.endswith("/"):
        (home / name).mkdir()
    else:
        (home / name).write_bytes(b"mine")
    with pytest.raises(UsageError, match="not empty"), claimed(home):
        pytest.fail("claimed")
    assert [path.name for path in home.iterdir()] == [name.rstrip("/")]


def test_a_file_in_place_of_the_folder_is_refused(home: Path) -> None:
    (home / "f").write_bytes(b"mine")
    for path in (home / "f", home / "f" / "below"):
        with pytest.raises(UsageError, match="not a folder"), claimed(path):
            pytest.fail("claimed")


@pytest.mark.parametrize("path", ["/proc/gpuaudit-test", "/sys/gpuaudit-test"])
def test_a_folder_that_cannot_be_made_is_the_machines_fault(path: str) -> None:
    with pytest.raises(MachineError, match="cannot be written"), claimed(Path(path)):
        pytest.fail("claimed")


def test_what_was_made_is_removed_where_nothing_was_written(home: Path) -> None:
    for error in (KeyboardInterrupt, MachineError):
        with pytest.raises(error), claimed(home / "a" / "b"):
            raise error
        assert list(home.iterdir()) == []


def test_a_disk_that_is_full_is_noticed_before_the_work(home: Path) -> None:
    with disk_with_room_for(1000), pytest.raises(MachineError, match="cannot be written"), claimed(home / "out"):
        pytest.fail("claimed")
    assert list(home.iterdir()) == []


def test_a_disk_that_fills_up_leaves_no_file_at_all(home: Path) -> None:
    with (
        disk_with_room_for(2_000_000),
        pytest.raises(MachineError, match="cannot be written"),
        claimed(home / "out") as folder,
    ):
        folder.write(FILES)
    assert list(home.iterdir()) == []


def test_a_file_that_came_to_be_meanwhile_is_not_replaced(home: Path) -> None:
    with claimed(home) as folder:
        (home / "result.json").write_bytes(b"mine")
        with pytest.raises(UsageError, match="exists"):
            folder.write(FILES)
    assert {file.name: file.read_bytes() for file in home.iterdir()} == {"result.json": b"mine"}


def test_a_single_file_is_never_replaced(home: Path) -> None:
    write_file(home / "f", b"mine")
    with pytest.raises(UsageError, match="exists"):
        write_file(home / "f", b"other")
    with pytest.raises(MachineError, match="cannot be written"):
        write_file(home / "no-folder" / "f", b"other")
    assert {file.name: file.read_bytes() for file in home.iterdir()} == {"f": b"mine"}
