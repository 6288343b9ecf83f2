"""Writing files whole or not at all, and never over another."""

from __future__ import annotations

import errno
import os
import secrets
from contextlib import suppress
from pathlib import Path
from typing import Final

# File systems without hard links say one of these.
_NO_LINKS: Final = frozenset({errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK})


def stage(target: Path, data: bytes, *, mode: int) -> Path:
    """Write `data` to a hidden file beside `target`, down to the disk, and return that file.

    Args:
        target: Where `publish` will put it.
        data: All of it.
        mode: Of the file; the umask is taken off.

    Raises:
        OSError: It cannot be written; nothing is left.
    """
    staged = target.with_name(f".{target.name}.{secrets.token_hex(8)}")
    descriptor = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
    except BaseException:
        discard(staged)
        raise
    return staged


def publish(staged: Path, target: Path) -> None:
    """Give a staged file its name.

    Raises:
        FileExistsError: `target` exists; it stays as it is, and so does the staged file.
        OSError: It cannot be done.
    """
    try:
        # Unlike a rename, a link does not replace what another process put there.
        target.hardlink_to(staged)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        if target.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target)) from None
        staged.rename(target)
    else:
        discard(staged)


def discard(path: Path) -> None:
    """Remove a file of ours, if it is there."""
    with suppress(FileNotFoundError):
        path.unlink()
