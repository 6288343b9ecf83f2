"""The folder that a fleet's evidence lies in: what in it is evidence, what belongs to it, and which node each file is for.

`NODE.json` and `NODE/evidence.json` are evidence of NODE, `NODE.failed` says why there is none, `keys/` holds public keys, a file
that ends in `.together` tells which nodes answered at the same time.
Whatever else lies there is taken for evidence too, so that it gets a row and a reason instead of silence.
"""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gpuaudit.errors import MachineError, UsageError

EVIDENCE_SUFFIX: Final = ".json"
FAILED_SUFFIX: Final = ".failed"
TOGETHER_SUFFIX: Final = ".together"
KEYS_FOLDER: Final = "keys"
INSIDE: Final = "evidence.json"
_NODE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,126}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A file that may be the evidence of a node."""

    node: str
    path: Path
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Folder:
    """What lies in a folder, in the order of names."""

    candidates: tuple[Candidate, ...]
    failures: tuple[Candidate, ...]
    rounds: tuple[Candidate, ...] = ()


def read_folder(folder: Path) -> Folder:
    """List a folder; nothing in it is opened.

    Raises:
        UsageError: It is not a folder, or holds nothing that could be evidence.
        MachineError: It cannot be read.
    """
    try:
        entries = sorted(folder.iterdir())
        candidates = tuple(candidate for entry in entries for candidate in _candidates(entry))
    except (FileNotFoundError, NotADirectoryError):
        raise UsageError(f"{folder}: not a folder; expected one with NODE.json or NODE/evidence.json") from None
    except OSError as error:
        raise MachineError(f"{folder}: cannot be read: {error.strerror}") from None
    failures = tuple(_candidate(entry, FAILED_SUFFIX) for entry in entries if entry.name.endswith(FAILED_SUFFIX))
    have = {candidate.node for candidate in candidates}
    left = tuple(failure for failure in failures if failure.node not in have)
    if not candidates and not left:
        raise UsageError(f"{folder}: no evidence in it; expected NODE.json or NODE/evidence.json")
    rounds = tuple(_candidate(entry, TOGETHER_SUFFIX) for entry in entries if entry.name.endswith(TOGETHER_SUFFIX))
    return Folder(candidates=candidates, failures=left, rounds=rounds)


def require_node(name: str) -> str:
    """Return a name under which a node's evidence can lie.

    Raises:
        UsageError: It has a character that a file's name should not have.
    """
    if not _NODE.fullmatch(name):
        raise UsageError(f"node: got {name[:80]!a}, expected at most 127 letters, digits, '-', '_', '.', not a mark first")
    return name


def _candidates(entry: Path) -> Iterator[Candidate]:
    if entry.name.startswith(".") or entry.name.endswith((FAILED_SUFFIX, TOGETHER_SUFFIX, ".pub")):
        return
    if stat.S_ISDIR(entry.stat(follow_symlinks=False).st_mode):
        inside = entry / INSIDE
        if inside.exists():
            name = _readable(entry.name)
            yield Candidate(node=name, path=inside, name=f"{name}/{INSIDE}")
        return
    yield _candidate(entry, EVIDENCE_SUFFIX)


def _candidate(entry: Path, suffix: str) -> Candidate:
    name = _readable(entry.name)
    return Candidate(node=name.removesuffix(suffix), path=entry, name=name)


def _readable(name: str) -> str:
    """Return a file's name as text that can be written out: bytes that are no UTF-8 show as their numbers."""
    return name.encode("utf-8", "backslashreplace").decode()
