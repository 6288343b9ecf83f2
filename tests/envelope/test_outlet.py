"""Files come whole or not at all, and none is replaced."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from gpuaudit.envelope.outlet import publish, stage


def test_a_published_file_is_whole_and_alone(tmp_path: Path) -> None:
    target = tmp_path / "f"
    publish(stage(target, b"data", mode=0o600), target)
    assert [file.name for file in tmp_path.iterdir()] == ["f"]
    assert target.read_bytes() == b"data"
    assert target.stat().st_mode & 0o777 == 0o600


def test_an_existing_file_stays_as_it_is(tmp_path: Path) -> None:
    target = tmp_path / "f"
    target.write_bytes(b"mine")
    with pytest.raises(FileExistsError):
        publish(stage(target, b"data", mode=0o600), target)
    assert target.read_bytes() == b"mine"


@pytest.mark.parametrize("taken", [False, True])
def test_a_file_system_without_links_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, taken: bool) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(os, "link", refuse)
    target = tmp_path / "f"
    staged = stage(target, b"data", mode=0o600)
    if taken:
        target.write_bytes(b"mine")
        with pytest.raises(FileExistsError):
            publish(staged, target)
    else:
        publish(staged, target)
    assert target.read_bytes() == (b"mine" if taken else b"data")


def test_a_write_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        stage(tmp_path / "f", b"data", mode=0o600)
    assert list(tmp_path.iterdir()) == []
