"""One's own keys: a folder that nobody else can open, and a key made at first use."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from securesystemslib.signer import CryptoSigner, Signer

from gpuaudit.envelope.keys import (
    PRIVATE_SUFFIX,
    PUBLIC_SUFFIX,
    KeyKind,
    PassphraseAsker,
    new_private_pem,
    public_pem,
    read_private_key,
    read_public_key,
    require_private,
    require_unforgeable,
)
from gpuaudit.envelope.outlet import discard, publish, stage
from gpuaudit.errors import MachineError, UsageError

DEFAULT_NAME: Final = "default"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedSigner:
    """A key that is ready to sign, and the file or URI that it came from. `made_now` is whether this call created it."""

    signer: Signer
    place: str
    made_now: bool

    @property
    def keyid(self) -> str:
        """The key's id, as securesystemslib works it out: 64 hexadecimal digits."""
        return str(self.signer.public_key.keyid)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyStore:
    """A folder of keys: `NAME.pem` (PKCS#8, mode 600) and beside each its public half, `NAME.pub`.

    The folder need not exist before a key is made in it. It has mode 700 and belongs to the user; what others could read or
    change is refused, not mended: who made it so may have read it already.
    """

    folder: Path

    def default_key(self, *, ask: PassphraseAsker) -> LoadedSigner:
        """Return the key called `default`; make it, Ed25519, if there is none.

        Raises:
            MachineError: The folder or the key is open to others, or cannot be written.
            UsageError: The file is not a key, or its passphrase is wrong.
        """
        path = self._private(DEFAULT_NAME)
        if not path.exists():
            return self.create(DEFAULT_NAME, KeyKind.ED25519, ask=ask, exist_ok=True)
        require_private(self.folder)
        return LoadedSigner(signer=self._load(path, ask), place=str(path), made_now=False)

    def create(self, name: str, kind: KeyKind, *, ask: PassphraseAsker, exist_ok: bool = False) -> LoadedSigner:
        """Draw a key and keep it as `name`, all at once: a reader sees the whole key or none.

        Args:
            name: Letters, digits, `-`, `_` and `.`.
            kind: Of the new key.
            ask: For a key that another process encrypted in the meantime.
            exist_ok: Whether to return the key that was there, or that another process made at the same moment.

        Raises:
            UsageError: The name cannot be used, or is taken.
            MachineError: The folder is open to others, or cannot be written.
        """
        if not _NAME.fullmatch(name):
            raise UsageError(f"--name: got {name[:80]!r}, expected at most 64 letters, digits, '-', '_', '.', not a mark first")
        path = self._private(name)
        with _writing(self.folder):
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            require_private(self.folder)
            made_now = _write_once(path, new_private_pem(kind))
        if not made_now and not exist_ok:
            raise UsageError(f"{path}: a key of this name exists; give another --name")
        return LoadedSigner(signer=self._load(path, ask), place=str(path), made_now=made_now)

    def public_key_files(self) -> tuple[Path, ...]:
        """Return the files of all public halves, by name; none if the folder does not exist.

        Raises:
            MachineError: The folder or one of the files could have been changed by others.
        """
        if not self.folder.exists():
            return ()
        require_private(self.folder)
        files = tuple(sorted(self.folder.glob(f"*{PUBLIC_SUFFIX}")))
        for file in files:
            require_unforgeable(file)
        return files

    def _private(self, name: str) -> Path:
        return self.folder / f"{name}{PRIVATE_SUFFIX}"

    def _load(self, path: Path, ask: PassphraseAsker) -> CryptoSigner:
        """Read a key of the folder and see to it that its public half lies beside it."""
        signer = read_private_key(path, ask=ask)
        public = path.with_suffix(PUBLIC_SUFFIX)
        if not public.exists():
            with _writing(self.folder):
                _write_once(public, public_pem(signer.public_key))
        if read_public_key(public) != signer.public_key:
            raise UsageError(f"{public}: not the public half of {path.name}; remove the one that is wrong")
        return signer


def own_keys() -> KeyStore:
    """Return the user's key folder, `$XDG_CONFIG_HOME/gpuaudit/keys`, by default below `~/.config`.

    Raises:
        MachineError: The user has no home folder.
    """
    configured = os.environ.get("XDG_CONFIG_HOME", "")
    try:
        # The XDG specification has relative paths ignored.
        base = Path(configured) if configured.startswith("/") else Path.home() / ".config"
    except RuntimeError as error:
        raise MachineError(f"keys: no home folder to keep them in: {error}; name a key with --key") from None
    return KeyStore(folder=base / "gpuaudit" / "keys")


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise MachineError(f"{folder}: keys cannot be kept here: {error.strerror}; name a key with --key") from None


def _write_once(path: Path, data: bytes) -> bool:
    """Write a file of mode 600 whole, or leave alone the one that is there; return whether it was written."""
    staged = stage(path, data, mode=0o600)
    try:
        publish(staged, path)
    except FileExistsError:
        return False
    else:
        return True
    finally:
        discard(staged)
