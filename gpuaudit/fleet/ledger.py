"""What a run has done, as files: sealed evidence is there whole or not at all, and is never written twice.

For each node, in this order: 1 the public key is put in its place, 2 the sealed evidence is, by a link that replaces nothing,
3 an older failure is removed. Killed before 2, the node is run again with a new key; after it, the node is done.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gpuaudit.envelope.keys import PUBLIC_SUFFIX
from gpuaudit.envelope.outlet import discard, publish, stage
from gpuaudit.errors import MachineError, UsageError
from gpuaudit.fleet.folder import EVIDENCE_SUFFIX, FAILED_SUFFIX, KEYS_FOLDER, require_node

_MODE: Final = 0o666
_LOCK: Final = ".run.lock"
# As `envelope.outlet.stage` names what it has not given its name yet.
_STAGED: Final = re.compile(r"\.(?P<name>.+)\.[0-9a-f]{16}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """The folder of one run."""

    folder: Path

    @contextmanager
    def held(self, nodes: Iterable[str]) -> Iterator[tuple[str, ...]]:
        """Keep other runs out of the folder, and say which nodes are left to run.

        The folder is made where it is missing, and what an interrupted run left half-written is cleared away. The lock goes with
        the process, whatever ends it.

        Raises:
            UsageError: A node's name cannot be a file's, or another run is at work in the folder.
            MachineError: The folder cannot be written.
        """
        names = [require_node(node) for node in nodes]
        try:
            (self.folder / KEYS_FOLDER).mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, _MODE)
        except (FileExistsError, NotADirectoryError):
            raise UsageError(f"{self.folder}: not a folder; give another --out") from None
        except OSError as error:
            raise MachineError(f"{self.folder}: cannot be written: {error.strerror}; give another --out") from None
        try:
            _lock(descriptor, self.folder)
            self._clear()
            yield tuple(node for node in names if not self.evidence(node).exists())
        finally:
            os.close(descriptor)

    def _clear(self) -> None:
        for place in (self.folder, self.folder / KEYS_FOLDER):
            for entry in place.iterdir():
                if _STAGED.fullmatch(entry.name):
                    discard(entry)

    def evidence(self, node: str) -> Path:
        """Return where the evidence of a node lies."""
        return self.folder / f"{node}{EVIDENCE_SUFFIX}"

    def failure(self, node: str) -> Path:
        """Return where it is written down why a node has no evidence."""
        return self.folder / f"{node}{FAILED_SUFFIX}"

    def keep(self, node: str, sealed: bytes, public_key: bytes) -> None:
        """Keep a node's evidence and the key that it verifies with; for who holds the folder, and a node that is left to run.

        Raises:
            OSError: They cannot be written, or the node has evidence; the node stays as it was.
        """
        # Step 1. Over a key whose evidence never came to be.
        if self.evidence(node).exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(self.evidence(node)))
        self._replace(self.folder / KEYS_FOLDER / f"{node}{PUBLIC_SUFFIX}", public_key)
        # Step 2.
        staged = stage(self.evidence(node), sealed, mode=_MODE)
        try:
            publish(staged, self.evidence(node))
        finally:
            discard(staged)
        # Step 3.
        discard(self.failure(node))

    def fail(self, node: str, reason: str, *, attempts: int) -> None:
        """Write down why a node has no evidence, in place of an older reason.

        Raises:
            OSError: It cannot be written.
        """
        told = {"node": node, "attempts": attempts, "reason": reason}
        self._replace(self.failure(node), json.dumps(told, ensure_ascii=False).encode() + b"\n")

    @staticmethod
    def _replace(target: Path, data: bytes) -> None:
        staged = stage(target, data, mode=_MODE)
        try:
            os.replace(staged, target)  # noqa: PTH105 - the same, and says that it replaces
        finally:
            discard(staged)


def _lock(descriptor: int, folder: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise UsageError(f"{folder}: another run is at work here; wait for it, or give another --out") from None
