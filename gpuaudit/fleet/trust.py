"""Whose evidence is believed, said out loud: keys that the caller vouches for, or keys that came with the evidence.

A key that came with the evidence proves only that the same key signs again. Seen first, it is noted with its node; another key
for that node, later, is a reason not to believe the file.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final, Literal

from gpuaudit.envelope import Keyring, load_keyring
from gpuaudit.envelope.intake import read_bounded
from gpuaudit.envelope.keystore import KeyStore
from gpuaudit.envelope.outlet import discard, stage
from gpuaudit.errors import AuthenticityError
from gpuaudit.evidence.codec import dump, load
from gpuaudit.evidence.record import record
from gpuaudit.fleet.folder import KEYS_FOLDER

_MODE: Final = 0o600


class TrustKind(StrEnum):
    """Why keys are believed."""

    KEYRING = "keyring"
    FIRST_USE = "first-use"


@record
class KnownNodes:
    """Which key signed for which node when it was first seen, by `TENDER/NODE`."""

    schema_version: Literal[1]
    keys: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trust:
    """Keys, and how they came to be believed. `known` is empty where the caller vouches for the keys."""

    kind: TrustKind
    keyring: Keyring
    known: Mapping[str, str]
    detail: str


def trust_keyring(store: KeyStore, given: Iterable[Path]) -> Trust:
    """Believe one's own keys and those given, and no others."""
    keyring = load_keyring(store, given)
    return Trust(
        kind=TrustKind.KEYRING, keyring=keyring, known={}, detail=f"{len(keyring.keys)} keys that the caller vouches for"
    )


def trust_first_use(store: KeyStore, folder: Path, known: Path) -> Trust:
    """Believe the keys that lie with the evidence, unless a node was seen with another one before.

    Args:
        store: One's own keys, believed too.
        folder: The fleet's; its `keys` folder is read.
        known: The file of keys seen before; it need not exist.

    Raises:
        UsageError: There is no key with the evidence.
        AuthenticityError: The file of known keys is not one.
    """
    before: Mapping[str, str] = {}
    if known.exists():
        data = read_bounded(known, refusal=AuthenticityError)
        before = load(KnownNodes, data, place=str(known)).keys
    keyring = load_keyring(store, [folder / KEYS_FOLDER])
    detail = f"{len(keyring.keys)} keys that came with the evidence; {len(before)} known from before: proves the same key, not whose it is"
    return Trust(kind=TrustKind.FIRST_USE, keyring=keyring, known=before, detail=detail)


def remember(known: Path, before: Mapping[str, str], seen: Mapping[str, str]) -> None:
    """Note keys that were seen for the first time; a key noted before stays as it was.

    Raises:
        OSError: It cannot be written; then the file stays as it was.
    """
    keys = {**seen, **before}
    if keys == before:
        return
    known.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    data = json.dumps(json.loads(dump(KnownNodes, KnownNodes(schema_version=1, keys=keys))), indent=1, sort_keys=True)
    staged = stage(known, data.encode() + b"\n", mode=_MODE)
    try:
        os.replace(staged, known)  # noqa: PTH105 - the same, and says that it replaces
    finally:
        discard(staged)
