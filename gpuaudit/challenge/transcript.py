"""Everything that was sent and received in one attempt, as bytes: what a third party checks again."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from typing import Final

from gpuaudit.errors import AuthenticityError

_HEAD: Final = b"gpuaudit challenge transcript 1\n"
_LENGTH_BYTES: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Transcript:
    """One attempt, in the order in which it came; what did not come any more is empty. Lines are without their newline."""

    hello: bytes = b""
    challenge: bytes = b""
    seed: bytes = b""
    committed: bytes = b""
    group_hashes: bytes = b""
    second_seed: bytes = b""
    walked: bytes = b""
    open: bytes = b""
    opened: bytes = b""

    def encode(self) -> bytes:
        """Write it as a file: every part behind its length in eight bytes."""
        parts = [getattr(self, field.name) for field in fields(self)]
        return _HEAD + b"".join(len(part).to_bytes(_LENGTH_BYTES, "big") + part for part in parts)

    def sha256(self) -> str:
        """Return the digest of that file."""
        return hashlib.sha256(self.encode()).hexdigest()


def decode_transcript(data: bytes, *, place: str) -> Transcript:
    """Read a file that `Transcript.encode` wrote.

    Raises:
        AuthenticityError: It is not one.
    """
    if not data.startswith(_HEAD):
        raise AuthenticityError(f"{place}: not a transcript of a challenge")
    parts, rest = {}, memoryview(data)[len(_HEAD) :]
    for field in fields(Transcript):
        length = int.from_bytes(rest[:_LENGTH_BYTES], "big")
        parts[field.name] = bytes(rest[_LENGTH_BYTES : _LENGTH_BYTES + length])
        if len(parts[field.name]) != length or len(rest) < _LENGTH_BYTES:
            raise AuthenticityError(f"{place}: {field.name}: cut off")
        rest = rest[_LENGTH_BYTES + length :]
    if rest:
        raise AuthenticityError(f"{place}: {len(rest)} bytes too many")
    return Transcript(**parts)
