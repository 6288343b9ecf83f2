"""The nonce: what makes evidence an answer to one question, asked at one time.

A nonce is written as lower-case hexadecimal. Who asks for evidence draws it and gives it to `attest`; evidence that carries
another one may be a replay. Evidence that was not asked for carries one of its own, which tells evidences apart and proves no
freshness.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from typing import Final

from gpuaudit.errors import UsageError

_FRESH_BYTES: Final = 32
# Below 8 bytes an answer could have been prepared for every question.
_FORM: Final = re.compile(r"(?:[0-9a-f]{2}){8,64}")


def fresh_nonce() -> str:
    """Draw a nonce of 32 bytes from the operating system."""
    return secrets.token_hex(_FRESH_BYTES)


def is_nonce(text: str) -> bool:
    """Whether `text` is a nonce as evidence carries it: 8 to 64 bytes in lower-case hexadecimal."""
    return _FORM.fullmatch(text) is not None


def read_nonce(text: str) -> str:
    """Read a nonce that a person typed; upper case is taken for lower case.

    Raises:
        UsageError: It is not 8 to 64 bytes in hexadecimal.
    """
    nonce = text.lower()
    if not is_nonce(nonce):
        raise UsageError(
            f"--nonce: got {text[:140]!r}, expected 8 to 64 bytes as 16 to 128 hexadecimal digits; "
            "draw one with: openssl rand -hex 32"
        )
    return nonce


def nonce_digest(nonce: str) -> str:
    """Return the SHA-256, in hexadecimal, of the bytes that `nonce` stands for (not of its digits).

    Raises:
        ValueError: `nonce` is not hexadecimal.
    """
    return hashlib.sha256(bytes.fromhex(nonce)).hexdigest()
