"""The folder that an audit leaves behind: all of its files whole, or none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gpuaudit.envelope.outlet import discard, publish, stage
from gpuaudit.errors import MachineError, UsageError

EVIDENCE_NAME: Final = "evidence.json"
RESULT_NAME: Final = "result.json"
_MODE: Final = 0o666
# As much as the largest evidence: a full disk is found before the work, not after it.
_PROBE: Final = bytes(1024 * 1024)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputFolder:
    """An empty folder in which this process can write."""

    path: Path

    def write(self, files: Mapping[str, bytes]) -> tuple[Path, ...]:
        """Write all files, or none; an existing one is never replaced.

        Args:
            files: Contents by file name.

        Returns:
            The files, in the order given.

        Raises:
            MachineError: The disk is full, or the folder cannot be written any more.
            UsageError: A file of one of these names has come into being since the folder was claimed.
        """
        targets = tuple(self.path / name for name in files)
        written: list[Path] = []
        try:
            for target, data in zip(targets, files.values(), strict=True):
                written.append(stage(target, data, mode=_MODE))
            for target, staged in zip(targets, tuple(written), strict=True):
                publish(staged, target)
                written.append(target)
        except BaseException as error:
            for path in written:
                discard(path)
            if isinstance(error, FileExistsError):
                raise UsageError(f"{error.filename2 or error.filename}: exists; give another --out") from None
            if isinstance(error, OSError):
                raise _unwritable(self.path, error) from None
            raise
        return targets


@contextmanager
def claimed(path: Path) -> Iterator[OutputFolder]:
    """Make sure, before minutes of work, that `path` is an empty folder and can be written; make it if it does not exist.

    What was made is removed again where nothing came to be written to it.

    Raises:
        UsageError: It is not a folder, or not an empty one.
        MachineError: It cannot be made or written.
    """
    made = _make(path)
    try:
        if any(path.iterdir()):
            raise UsageError(f"{path}: not empty; give another --out, nothing is overwritten")
        _try_to_write(path)
        yield OutputFolder(path=path)
    finally:
        for folder in made:
            with suppress(OSError):
                folder.rmdir()


def write_file(path: Path, data: bytes) -> None:
    """Write one file that must not exist yet.

    Raises:
        UsageError: It exists.
        MachineError: It cannot be written.
    """
    OutputFolder(path=path.parent).write({path.name: data})


def _make(path: Path) -> tuple[Path, ...]:
    """Make the folder and those above it; return the ones made, innermost first."""
    missing = [folder for folder in (path, *path.parents) if not folder.exists()]
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise UsageError(f"{path}: not a folder; give another --out") from None
    except OSError as error:
        raise _unwritable(path, error) from None
    return tuple(missing)


def _try_to_write(path: Path) -> None:
    try:
        discard(stage(path / "probe", _PROBE, mode=_MODE))
    except OSError as error:
        raise _unwritable(path, error) from None


def _unwritable(path: Path, error: OSError) -> MachineError:
    return MachineError(f"{path}: cannot be written: {error.strerror or error}; give another --out")
