"""Sealing and opening: DSSE envelopes around in-toto Statements, and the keys for both.

`seal_evidence` and `open_evidence` are for evidence, `seal` and `open_sealed` for any other predicate. Opening is the only
place where authenticity is decided: it raises, or what it returns was signed by a key that the caller trusts.
"""

from __future__ import annotations

from gpuaudit.envelope.dsse import Opened, is_unsigned, open_any, open_sealed, seal
from gpuaudit.envelope.evidence import OpenedEvidence, open_evidence, read_unsigned, seal_evidence, write_unsigned
from gpuaudit.envelope.intake import read_bounded
from gpuaudit.envelope.keyring import Keyring, TrustedKey, load_keyring
from gpuaudit.envelope.nonce import fresh_nonce, read_nonce
from gpuaudit.envelope.statement import PredicateType, Subject, subject_of

__all__ = [
    "Keyring",
    "Opened",
    "OpenedEvidence",
    "PredicateType",
    "Subject",
    "TrustedKey",
    "fresh_nonce",
    "is_unsigned",
    "load_keyring",
    "open_any",
    "open_evidence",
    "open_sealed",
    "read_bounded",
    "read_nonce",
    "read_unsigned",
    "seal",
    "seal_evidence",
    "subject_of",
    "write_unsigned",
]
