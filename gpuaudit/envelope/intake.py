"""Reading a file that somebody else sent: its size is known before a byte of it is read."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from gpuaudit.errors import GpuauditError, MachineError, UsageError
from gpuaudit.evidence.codec import MAX_BYTES


def read_bounded(path: Path, *, refusal: type[GpuauditError], limit: int = MAX_BYTES) -> bytes:
    """Read a regular file of at most `limit` bytes.

    Args:
        path: The file; a link to a regular file will do, a pipe, a device or a folder will not.
        refusal: What to raise where the file is not one that could be meant: too large, or not a regular file.
        limit: In bytes.

    Raises:
        UsageError: There is no such file.
        MachineError: It is there and cannot be read.
    """
    try:
        # Not to be held up by a pipe that nobody writes to.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except (FileNotFoundError, NotADirectoryError):
        raise UsageError(f"{path}: no such file") from None
    except (OSError, ValueError) as error:
        raise MachineError(f"{path}: cannot be read: {getattr(error, 'strerror', None) or error}") from None
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise refusal(f"{path}: not a regular file; expected a file of at most {limit} bytes")
        if status.st_size > limit:
            raise refusal(f"{path}: too large: got {status.st_size} bytes, expected at most {limit}")
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            data = file.read(limit + 1)
    except OSError as error:
        raise MachineError(f"{path}: cannot be read: {error.strerror}") from None
    finally:
        os.close(descriptor)
    if len(data) > limit:
        raise refusal(f"{path}: too large: it grew beyond {limit} bytes while it was read")
    return data
