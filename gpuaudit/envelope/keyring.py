"""Which public keys the caller believes, and where each came from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from securesystemslib.signer import SSlibKey

from gpuaudit.envelope.keys import PUBLIC_SUFFIXES, read_public_key, read_public_keys
from gpuaudit.envelope.keystore import KeyStore
from gpuaudit.errors import UsageError


class Ownership(StrEnum):
    """Whose key it is, as far as the caller knows."""

    OWN = "own"
    GIVEN = "given"


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustedKey:
    """A public key and why it is trusted: it is the caller's own, or the caller named its file."""

    key: SSlibKey
    ownership: Ownership
    place: str

    @property
    def keyid(self) -> str:
        """The key's id, as securesystemslib works it out: 64 hexadecimal digits."""
        return self.key.keyid


@dataclass(frozen=True, slots=True, kw_only=True)
class Keyring:
    """The keys by which a sealed file may be opened. An empty one opens nothing."""

    keys: tuple[TrustedKey, ...]

    @property
    def keyids(self) -> tuple[str, ...]:
        """Ids of all keys, in order."""
        return tuple(trusted.keyid for trusted in self.keys)


def load_keyring(store: KeyStore, given: Iterable[Path]) -> Keyring:
    """Collect one's own public keys and those in the given files and folders (PEM, SubjectPublicKeyInfo).

    A key that is both counts as one's own.

    Raises:
        UsageError: A given file is no public key of a kind that we accept, or a given folder holds none.
        MachineError: One's own key folder is open to others.
    """
    keys = {trusted.keyid: trusted for path in given for trusted in _given(path)}
    for path in store.public_key_files():
        key = read_public_key(path)
        keys[key.keyid] = TrustedKey(key=key, ownership=Ownership.OWN, place=str(path))
    return Keyring(keys=tuple(keys.values()))


def _given(path: Path) -> Iterator[TrustedKey]:
    files = [path]
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.suffix in PUBLIC_SUFFIXES)
    if not files:
        raise UsageError(f"{path}: no public key in this folder; expected files ending in {' or '.join(PUBLIC_SUFFIXES)}")
    for file in files:
        for key in read_public_keys(file):
            yield TrustedKey(key=key, ownership=Ownership.GIVEN, place=str(file))
