"""The name by which the answering machine enters a challenge's context."""

from __future__ import annotations

import hashlib

from gpuaudit.challenge.domain import DIGEST_BYTES
from gpuaudit.challenge.result import AnsweringHost, HostKey

NOBODY: str = "0" * 2 * DIGEST_BYTES


def host_digest(host: AnsweringHost) -> str:
    """Return the SHA-256, in hexadecimal, of a host key's algorithm and fingerprint; zeros where there is none."""
    if isinstance(host, HostKey):
        return hashlib.sha256(f"{host.algorithm} {host.fingerprint}".encode()).hexdigest()
    return NOBODY
