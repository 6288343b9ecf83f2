"""Keys in files: PEM in, securesystemslib's types out.

Ed25519 and ECDSA P-256 only: both verify with openssl, Go and sigstore's npm verifier, which P-384 and RSA-PSS do not
everywhere.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Final, TypeAlias

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from securesystemslib.exceptions import Error, UnsupportedLibraryError
from securesystemslib.signer import SIGNER_FOR_URI_SCHEME, CryptoSigner, Key, Signer, SSlibKey

from gpuaudit.envelope.intake import read_bounded
from gpuaudit.errors import MachineError, UsageError

PRIVATE_SUFFIX: Final = ".pem"
PUBLIC_SUFFIX: Final = ".pub"
PUBLIC_SUFFIXES: Final = (".pub", ".pem")
_MAX_KEY_BYTES: Final = 64 * 1024
_PUBLIC_BLOCK: Final = re.compile(rb"-----BEGIN PUBLIC KEY-----.*?-----END PUBLIC KEY-----", re.DOTALL)
_ACCEPTED: Final = frozenset({("ed25519", "ed25519"), ("ecdsa", "ecdsa-sha2-nistp256")})
# `file2:` resolves paths against an environment variable, and our own reader of key files checks who else can read them.
_REFUSED_SCHEMES: Final = frozenset({"file2"})

PassphraseAsker: TypeAlias = Callable[[str], str]
"""Asks a person for a passphrase; gets the words to ask with.

Raises UsageError where there is nobody to ask.
"""


class KeyKind(StrEnum):
    """The two kinds of keys that sign."""

    ED25519 = "ed25519"
    ECDSA_P256 = "ecdsa-p256"


def new_private_pem(kind: KeyKind) -> bytes:
    """Draw a private key and write it as PKCS#8 PEM, not encrypted."""
    signer = CryptoSigner.generate_ed25519() if kind is KeyKind.ED25519 else CryptoSigner.generate_ecdsa()
    return signer.private_bytes


def public_pem(key: Key) -> bytes:
    """Write a public key as PEM (SubjectPublicKeyInfo), which openssl and everyone else reads.

    Raises:
        UsageError: The key is not of an accepted kind.
    """
    _require_accepted(key, place="key")
    if key.keytype == "ed25519":
        raw = ed25519.Ed25519PublicKey.from_public_bytes(bytes.fromhex(key.keyval["public"]))
        return raw.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return str(key.keyval["public"]).encode()


def read_public_key(path: Path) -> SSlibKey:
    """Read a PEM file with exactly one public key.

    Raises:
        UsageError: As `read_public_keys`, or there are several.
    """
    keys = read_public_keys(path)
    if len(keys) > 1:
        raise UsageError(f"{path}: got {len(keys)} public keys, expected one")
    return keys[0]


def read_public_keys(path: Path) -> tuple[SSlibKey, ...]:
    """Read a PEM file with one or more public keys.

    Raises:
        UsageError: It is missing, holds a private key or no key, or one of a kind that we do not accept.
    """
    data = read_bounded(path, refusal=UsageError, limit=_MAX_KEY_BYTES)
    if b"PRIVATE KEY" in data:
        raise UsageError(f"{path}: a private key; expected a public one, as gpuaudit keys show --pem prints it")
    blocks = _PUBLIC_BLOCK.findall(data)
    if not blocks:
        raise UsageError(f"{path}: no public key; expected PEM that begins with -----BEGIN PUBLIC KEY-----")
    return tuple(_public_key(block, str(path)) for block in blocks)


def parse_public_key(pem: bytes, *, place: str) -> SSlibKey:
    """Read a public key that somebody sent, in PEM.

    Raises:
        UsageError: It is not one, or of a kind that we do not accept.
    """
    return _public_key(pem, place)


def read_private_key(path: Path, *, ask: PassphraseAsker) -> CryptoSigner:
    """Read a PKCS#8 PEM file that nobody else can read.

    Args:
        path: The file, encrypted or not.
        ask: Called only where the key is encrypted.

    Raises:
        UsageError: It is missing, not a private key of an accepted kind, or the passphrase is wrong.
        MachineError: Others can read it or own it.
    """
    data = read_bounded(path, refusal=UsageError, limit=_MAX_KEY_BYTES)
    require_private(path)
    try:
        signer = CryptoSigner(_private_key(data, path, ask), None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise UsageError(f"{path}: not a private key in PKCS#8 PEM that can be used here: {error}") from None
    _require_accepted(signer.public_key, place=str(path))
    return signer


def signer_by_uri(uri: str, public_key: Path, *, ask: PassphraseAsker) -> Signer:
    """Reach a key that never leaves its KMS, HSM or token, by securesystemslib's URI.

    Args:
        uri: Such as `awskms:…`, `gcpkms:…`, `hsm:…`; its library must be installed.
        public_key: PEM file with the public half.
        ask: Called where the token wants a PIN.

    Raises:
        UsageError: The scheme is unknown, or the key is not of an accepted kind.
        MachineError: The key cannot be reached.
    """
    scheme = uri.partition(":")[0]
    if not is_key_uri(uri):
        raise UsageError(f"--key: {scheme}: not a scheme of keys that can be used here; expected one of {_schemes()}")
    key = read_public_key(public_key)
    try:
        return Signer.from_priv_key_uri(uri, key, ask)
    except (Error, ImportError, OSError, ValueError) as error:
        raise MachineError(f"--key: {uri[:80]}: the key cannot be reached: {error}") from None


def is_key_uri(reference: str) -> bool:
    """Whether `reference` is a URI of a key and not a path."""
    scheme = reference.partition(":")[0]
    return ":" in reference and scheme in SIGNER_FOR_URI_SCHEME and scheme not in _REFUSED_SCHEMES


def require_private(path: Path) -> None:
    """Refuse a file or folder that is another's, or that others may read or change.

    Raises:
        MachineError: It is.
    """
    _require_own(path, forbidden=0o077, remedy=f"chmod go-rwx {path}")


def require_unforgeable(path: Path) -> None:
    """Refuse a file that is another's, or that others may change; they may read it.

    Raises:
        MachineError: It is.
    """
    _require_own(path, forbidden=0o022, remedy=f"chmod go-w {path}")


def _require_own(path: Path, *, forbidden: int, remedy: str) -> None:
    status = path.stat()
    if status.st_uid != os.geteuid():
        raise MachineError(f"{path}: belongs to user {status.st_uid}; expected one's own, {os.geteuid()}")
    if status.st_mode & forbidden:
        raise MachineError(f"{path}: open to others (mode {status.st_mode & 0o777:o}); {remedy}")


def _public_key(pem: bytes, place: str) -> SSlibKey:
    try:
        key = SSlibKey.from_crypto(serialization.load_pem_public_key(pem))
    except (ValueError, UnsupportedAlgorithm, UnsupportedLibraryError) as error:
        raise UsageError(f"{place}: not a public key in PEM that can be used here: {error}") from None
    _require_accepted(key, place=place)
    return key


def _private_key(data: bytes, path: Path, ask: PassphraseAsker) -> PrivateKeyTypes:
    try:
        return serialization.load_pem_private_key(data, password=None)
    except TypeError:
        # cryptography's word for: it is encrypted.
        return serialization.load_pem_private_key(data, password=ask(f"passphrase of {path}: ").encode())


def _require_accepted(key: Key, *, place: str) -> None:
    if (key.keytype, key.scheme) not in _ACCEPTED:
        raise UsageError(f"{place}: got a key of {key.keytype} ({key.scheme}), expected Ed25519 or ECDSA P-256")


def _schemes() -> str:
    return ", ".join(sorted(scheme for scheme in SIGNER_FOR_URI_SCHEME if scheme not in _REFUSED_SCHEMES))
