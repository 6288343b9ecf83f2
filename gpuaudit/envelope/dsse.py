"""The envelope: DSSE (Dead Simple Signing Envelope) around a statement.

Sealing: 1 lay out the statement, 2 sign its pre-authentication encoding, 3 write the envelope, 4 verify it.
Opening: 1 bound size and number of elements, 2 parse the container strictly and in one form, 3 verify every signature
of a trusted key over the bytes as they came, 4 only then parse what was signed, 5 compare its type with the one expected.

The container is accepted in the one form in which it is written. Blanks or another order would not be signed, so one
statement could come in files of many digests, and be counted as many.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import Key, Signature, Signer

from gpuaudit.envelope.keyring import Keyring, TrustedKey
from gpuaudit.envelope.statement import PAYLOAD_TYPE, PredicateType, Statement, Subject, read_statement, write_statement
from gpuaudit.errors import AuthenticityError, CouldNotAuthenticateError
from gpuaudit.evidence.codec import MAX_BYTES, strict_json

# An envelope has a dozen elements and three for every signature. Junk of 16 MB in `[[],[],…` would take seconds to parse.
_MAX_ELEMENTS: Final = 200
_KEYID: Final = re.compile(r"[0-9a-f]{64}")
_SHOWN_KEYIDS: Final = 4
# As `gpuaudit.envelope.evidence` begins the file of a capture; only the message depends on it.
_UNSIGNED_MARK: Final = b'"unsignedEvidence"'
_UNSIGNED_MARK_WITHIN: Final = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A sealed file that a trusted key signed.

    `payload` is what was signed, byte for byte, and `predicate` a slice of it. `sha256` is of the file; another signature
    added to it changes that digest, so what tells two statements apart is `payload_sha256`. `strangers` are ids of keys that
    are said to have signed too, and that the keyring does not hold: nothing is known of them.
    """

    place: str
    sha256: str
    payload: bytes
    predicate_type: PredicateType
    subjects: tuple[Subject, ...]
    predicate: bytes
    signers: tuple[TrustedKey, ...]
    strangers: tuple[str, ...]

    @property
    def keyids(self) -> tuple[str, ...]:
        """Ids of the trusted keys that signed."""
        return tuple(signer.keyid for signer in self.signers)

    @property
    def payload_sha256(self) -> str:
        """SHA-256, in hexadecimal, of the signed bytes."""
        return hashlib.sha256(self.payload).hexdigest()


def seal(predicate_type: PredicateType, subjects: Sequence[Subject], predicate: bytes, signer: Signer) -> bytes:
    """Sign a predicate about `subjects` and return the file's bytes.

    Args:
        predicate_type: What the predicate is.
        subjects: What it is about; at least one.
        predicate: A JSON object, as `gpuaudit.evidence.codec.dump` writes it; it goes into the signed bytes as it is.
        signer: Of an Ed25519 or ECDSA P-256 key.

    Raises:
        ValueError: The statement would not open again: no strict JSON, no subject, or too large.
    """
    # Step 1.
    statement = Statement(predicate_type=predicate_type, subjects=tuple(subjects), predicate=predicate)
    envelope = Envelope(write_statement(statement), PAYLOAD_TYPE, {})
    # Step 2.
    envelope.sign(signer)
    # Step 3.
    sealed = _written(envelope)
    # Step 4. A signature that a KMS got wrong is better found here than by whom it was sent to.
    if len(sealed) > MAX_BYTES or not _verifies(envelope, signer.public_key):
        raise ValueError(f"{predicate_type}: {len(sealed)} bytes that would not open again; expected at most {MAX_BYTES}")
    return sealed


def open_sealed(data: bytes, keyring: Keyring, expected: PredicateType, *, place: str) -> Opened:
    """Open a sealed file that must state one certain thing.

    Args:
        data: The whole file.
        keyring: Whom to believe.
        expected: What it must state: a signed result is not evidence.
        place: Where it came from, for messages.

    Raises:
        CouldNotAuthenticateError: No key of the keyring signed it.
        AuthenticityError: It is not a sealed file, was changed after it was signed, or states something else.
    """
    opened = open_any(data, keyring, place=place)
    # Step 5.
    if opened.predicate_type is not expected:
        raise AuthenticityError(f"{place}: signed, but as {opened.predicate_type}; expected {expected}")
    return opened


def open_any(data: bytes, keyring: Keyring, *, place: str) -> Opened:
    """Open a sealed file, whatever it states; otherwise as `open_sealed`."""
    envelope = _envelope(data, place)
    signers, strangers = _signers(envelope, keyring, place)
    # Step 4.
    statement = read_statement(envelope.payload, place=place)
    return Opened(
        place=place,
        sha256=hashlib.sha256(data).hexdigest(),
        payload=envelope.payload,
        predicate_type=statement.predicate_type,
        subjects=statement.subjects,
        predicate=statement.predicate,
        signers=signers,
        strangers=strangers,
    )


def is_unsigned(data: bytes) -> bool:
    """Whether a file begins as the unsigned evidence of a capture does; it is then to be read as such, never as sealed."""
    return _UNSIGNED_MARK in data[:_UNSIGNED_MARK_WITHIN]


def _envelope(data: bytes, place: str) -> Envelope:
    # Step 1.
    if len(data) > MAX_BYTES:
        raise AuthenticityError(f"{place}: too large: got {len(data)} bytes, expected at most {MAX_BYTES}")
    if is_unsigned(data):
        raise AuthenticityError(f"{place}: unsigned evidence of a capture; only appraise --policy testimony takes it")
    if sum(data.count(mark) for mark in (b",", b"[", b"{")) > _MAX_ELEMENTS:
        raise AuthenticityError(f"{place}: not a sealed file: more than {_MAX_ELEMENTS} JSON elements outside the payload")
    # Step 2.
    parsed = strict_json(data, place=place)
    _require_members(parsed, {"payload", "payloadType", "signatures"}, place)
    if parsed["payloadType"] != PAYLOAD_TYPE:
        raise AuthenticityError(f"{place}: payloadType: got {str(parsed['payloadType'])[:80]!r}, expected {PAYLOAD_TYPE!r}")
    payload = _base64(parsed["payload"], f"{place}: payload")
    envelope = Envelope(payload, PAYLOAD_TYPE, _signatures(parsed["signatures"], f"{place}: signatures"))
    if _written(envelope) != data:
        raise AuthenticityError(f"{place}: not written as gpuaudit writes a sealed file: blanks, escapes or order differ")
    return envelope


def _signatures(items: Any, place: str) -> dict[str, Signature]:
    if not isinstance(items, list) or not items:
        raise AuthenticityError(f"{place}: expected at least one")
    signatures: dict[str, Signature] = {}
    for index, item in enumerate(items):
        signature = _signature(item, f"{place}.{index}")
        if signature.keyid in signatures:
            raise AuthenticityError(f"{place}.{index}: a second one by key {signature.keyid}")
        signatures[signature.keyid] = signature
    return signatures


def _signature(item: Any, place: str) -> Signature:
    _require_members(item, {"keyid", "sig"}, place)
    if not isinstance(item["keyid"], str) or not _KEYID.fullmatch(item["keyid"]):
        raise AuthenticityError(f"{place}.keyid: got {str(item['keyid'])[:80]!r}, expected 64 lower-case hexadecimal digits")
    return Signature(item["keyid"], _base64(item["sig"], f"{place}.sig").hex())


def _require_members(parsed: Any, members: set[str], place: str) -> None:
    if not isinstance(parsed, dict):
        raise AuthenticityError(f"{place}: not a sealed file: expected an object of {', '.join(sorted(members))}")
    missing, unknown = sorted(members - parsed.keys()), sorted(parsed.keys() - members)
    if missing or unknown:
        faults = [f"{name} is missing" for name in missing] + [f"{name[:40]!r} is unknown" for name in unknown]
        raise AuthenticityError(f"{place}: not a sealed file: {', '.join(faults)}")


def _base64(text: Any, place: str) -> bytes:
    try:
        decoded = base64.b64decode(text.encode("ascii"), validate=True) if isinstance(text, str) else b""
    except (binascii.Error, UnicodeEncodeError):
        decoded = b""
    # Bits that no byte uses can be set in the last character, and are not signed.
    if not decoded or base64.b64encode(decoded).decode("ascii") != text:
        raise AuthenticityError(
            f"{place}: expected base64 in the standard alphabet, padded, in the one way to write these bytes"
        )
    return decoded


def _signers(envelope: Envelope, keyring: Keyring, place: str) -> tuple[tuple[TrustedKey, ...], tuple[str, ...]]:
    # Step 3.
    trusted = {key.keyid: key for key in keyring.keys}
    signers = tuple(trusted[keyid] for keyid in envelope.signatures if keyid in trusted)
    strangers = tuple(keyid for keyid in envelope.signatures if keyid not in trusted)
    if not signers:
        raise CouldNotAuthenticateError(
            f"{place}: no trusted key signed this (signed by {_listed(strangers)}; trusted: {_listed(keyring.keyids)}); "
            "add the key with --keyring, or ask the sender which key they use"
        )
    for signer in signers:
        if not _verifies(envelope, signer.key):
            raise AuthenticityError(
                f"{place}: the signature by {signer.keyid} does not fit these bytes: they were changed after they were signed, "
                "or another key signed them; nothing in it may be believed"
            )
    return signers, strangers


def _verifies(envelope: Envelope, key: Key) -> bool:
    try:
        envelope.verify([key], 1)
    except VerificationError:
        return False
    return True


def _listed(keyids: Sequence[str]) -> str:
    if not keyids:
        return "none"
    hidden = len(keyids) - _SHOWN_KEYIDS
    return ", ".join(keyids[:_SHOWN_KEYIDS]) + (f" and {hidden} more" if hidden > 0 else "")


def _written(envelope: Envelope) -> bytes:
    return json.dumps(envelope.to_dict(), ensure_ascii=False, separators=(",", ":")).encode() + b"\n"
