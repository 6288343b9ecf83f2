"""Reading files of a tree that may be hostile: bounded, regular files only, every failure a reading.

The owner of the machine decides what lies under `/sys`, `/proc` and `/dev`: a pipe where a file is expected would hang a
reader, a file of gigabytes would exhaust it, a device node may do something when opened. So a file is looked at before it is
opened, is opened without waiting, and at most a stated number of bytes is read. What this does not bound: a file system that
never answers (`attest` gives every source a deadline).
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from gpuaudit.evidence.reading import Known, Reading, Reason, Source, Unknown
from gpuaudit.printable import printable

T = TypeVar("T")
U = TypeVar("U")

_ATTRIBUTE_BYTES: Final = 4096  # the kernel gives a sysfs attribute one page at most
# Machines with many virtual functions have a few thousand PCI functions; this bounds a folder made to exhaust us.
MAX_NAMES: Final = 16_384
_SHOWN: Final = 120
_REASONS: Final = {
    errno.ENOENT: Reason.NOT_FOUND,
    errno.ENOTDIR: Reason.NOT_FOUND,
    errno.EACCES: Reason.NO_PERMISSION,
    errno.EPERM: Reason.NO_PERMISSION,
    errno.EINVAL: Reason.NOT_SUPPORTED,
    errno.EOPNOTSUPP: Reason.NOT_SUPPORTED,
    errno.EIO: Reason.LOST,
    errno.ENXIO: Reason.LOST,
    errno.ENODEV: Reason.LOST,
    errno.ETIMEDOUT: Reason.TIMED_OUT,
}


class UnreadableError(Exception):
    """A file cannot be read; never leaves the collectors, which turn it into an Unknown."""

    def __init__(self, reason: Reason, detail: str) -> None:
        """Keep `reason` and a `detail` that names the file."""
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


def legible(text: str, limit: int = _SHOWN) -> str:
    """Make text from outside safe to keep, to print and to write as JSON: hidden characters escaped, cut after `limit`."""
    shown = printable(text[:limit])
    return shown if len(text) <= limit else f"{shown}... ({len(text)} characters)"


@contextmanager
def regular_file(path: Path, shown: str, *, follow: bool = False) -> Iterator[int]:
    """Open a regular file for reading and yield its descriptor.

    Args:
        path: The file.
        shown: How messages name it.
        follow: Whether the last part of the path may be a symbolic link.

    Raises:
        UnreadableError: It is not there, not allowed, or not a regular file.
    """
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW)
    try:
        # Before opening: opening a device node or a pipe may already do something.
        _require_regular(path.stat() if follow else path.lstat(), shown)
        descriptor = os.open(path, flags)
    except OSError as error:
        raise _unreadable(error, shown) from None
    try:
        # Again: it may have been exchanged in between.
        _require_regular(os.fstat(descriptor), shown)
        yield descriptor
    except OSError as error:
        raise _unreadable(error, shown) from None
    finally:
        os.close(descriptor)


def read_at_most(descriptor: int, limit: int, shown: str) -> bytes:
    """Read a whole file of at most `limit` bytes.

    Raises:
        UnreadableError: It is longer.
        OSError: The file system failed.
    """
    parts: list[bytes] = []
    left = limit + 1
    while left > 0 and (part := os.read(descriptor, left)):
        parts.append(part)
        left -= len(part)
    if left <= 0:
        raise UnreadableError(Reason.FAULT, f"{shown}: longer than {limit} bytes")
    return b"".join(parts)


def parsed(reading: Reading[T], parse: Callable[[T], U]) -> Reading[U]:
    """Apply `parse` to a known value; a `ValueError` from it becomes an Unknown with its text, an Unknown stays as it is."""
    if isinstance(reading, Unknown):
        return reading
    try:
        return Known(value=parse(reading.value), source=reading.source)
    except ValueError as error:
        return Unknown(reason=Reason.FAULT, source=reading.source, detail=legible(str(error)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """The file system under `root`, read for one `source`. Paths are given as on the machine, as `/sys/bus/pci`."""

    root: Path
    source: Source

    def path(self, path: str) -> Path:
        """Return where `path` lies."""
        return self.root / path.lstrip("/")

    def text(self, path: str, *, limit: int = _ATTRIBUTE_BYTES, follow: bool = False) -> Reading[str]:
        """Read a file of UTF-8 text, without blanks around it.

        Unknown where the file is missing, refused, not regular, longer than `limit` bytes, not UTF-8, or has control characters
        other than line ends and tabs.
        """
        try:
            with regular_file(self.path(path), path, follow=follow) as descriptor:
                data = read_at_most(descriptor, limit, path)
            return Known(value=_plain(data, path), source=self.source)
        except UnreadableError as error:
            return self.unknown(error.reason, error.detail)

    def names(self, path: str) -> Reading[tuple[str, ...]]:
        """List the names in a folder, sorted; Unknown where it is missing, refused, or has more than `MAX_NAMES`."""
        names: list[str] = []
        try:
            with os.scandir(self.path(path)) as entries:
                for entry in entries:
                    if len(names) == MAX_NAMES:
                        return self.unknown(Reason.FAULT, f"{path}: more than {MAX_NAMES} entries")
                    names.append(entry.name)
        except OSError as error:
            unreadable = _unreadable(error, path)
            return self.unknown(unreadable.reason, unreadable.detail)
        return Known(value=tuple(sorted(names)), source=self.source)

    def link_name(self, path: str) -> Reading[str]:
        """Return the last part of what a symbolic link points at."""
        try:
            target = self.path(path).readlink()
        except OSError as error:
            if error.errno == errno.EINVAL:
                return self.unknown(Reason.FAULT, f"{path}: not a symbolic link")
            unreadable = _unreadable(error, path)
            return self.unknown(unreadable.reason, unreadable.detail)
        return Known(value=legible(target.name), source=self.source)

    def exists(self, path: str) -> Reading[bool]:
        """Tell whether something, of whatever kind, lies at `path`; a dangling link does."""
        try:
            self.path(path).lstat()
        except FileNotFoundError:
            return Known(value=False, source=self.source)
        except OSError as error:
            unreadable = _unreadable(error, path)
            return self.unknown(unreadable.reason, unreadable.detail)
        return Known(value=True, source=self.source)

    def unknown(self, reason: Reason, detail: str) -> Unknown:
        """Make an Unknown of this tree's source."""
        return Unknown(reason=reason, source=self.source, detail=detail)


def _require_regular(status: os.stat_result, shown: str) -> None:
    if not stat.S_ISREG(status.st_mode):
        raise UnreadableError(Reason.FAULT, f"{shown}: not a regular file, but {stat.filemode(status.st_mode)[0]!r}")


def _unreadable(error: OSError, shown: str) -> UnreadableError:
    number = error.errno if error.errno is not None else 0
    return UnreadableError(_REASONS.get(number, Reason.FAULT), f"{legible(shown)}: {os.strerror(number)}")


def _plain(data: bytes, shown: str) -> str:
    try:
        text = data.decode("utf-8").strip()
    except UnicodeDecodeError:
        raise UnreadableError(Reason.FAULT, f"{shown}: not UTF-8") from None
    if printable(text, keep="\n\t") != text:
        raise UnreadableError(Reason.FAULT, f"{shown}: has control characters")
    return text
