"""Databases to test on: SQLite in a file, and a PostgreSQL that the test starts, where Debian's package is there."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

_PACKAGES = Path("/usr/lib/postgresql")
_USER = "postgres"


def _binaries() -> Path:
    found = sorted(_PACKAGES.glob("*/bin/pg_ctl"))
    if not found:
        pytest.skip("PostgreSQL is not installed here (Debian: apt-get install postgresql)")
    return found[-1].parent


def _as_other_user() -> list[str]:
    """PostgreSQL refuses to run as root, so root becomes the user that the package made."""
    if os.geteuid() != 0:
        return []
    if shutil.which("runuser") is None:
        pytest.skip("PostgreSQL does not run as root, and there is no runuser to become another user")
    return ["runuser", "-u", _USER, "--"]


@contextmanager
def postgresql(folder: Path) -> Iterator[str]:
    """A server of its own, on a socket in `folder` and on no port."""
    binaries, prefix = _binaries(), _as_other_user()
    folder.mkdir(parents=True, exist_ok=True)
    if prefix:
        owner = pwd.getpwnam(_USER)
        os.chown(folder, owner.pw_uid, owner.pw_gid)
    data = folder / "data"
    run([*prefix, str(binaries / "initdb"), "-D", str(data), "-U", "gpuaudit", "-A", "trust", "-E", "UTF8", "--no-sync"])
    settings = f"-c listen_addresses='' -c unix_socket_directories={folder} -c fsync=off"
    control = [*prefix, str(binaries / "pg_ctl"), "-D", str(data), "-l", str(folder / "log"), "-w"]
    run([*control, "-o", settings, "start"])
    try:
        yield f"postgresql://gpuaudit@/postgres?host={folder}"
    finally:
        run([*control, "-m", "immediate", "stop"])


def run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd="/")
    assert done.returncode == 0, f"{command}: {done.stderr}"
