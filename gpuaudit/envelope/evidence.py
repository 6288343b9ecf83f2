"""Evidence in its two forms: sealed, and as an import of a capture, which nobody signed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

from securesystemslib.signer import Signer

from gpuaudit.envelope.dsse import Opened, open_sealed, seal
from gpuaudit.envelope.keyring import Keyring
from gpuaudit.envelope.nonce import is_nonce, nonce_digest
from gpuaudit.envelope.statement import PredicateType, Subject
from gpuaudit.errors import AuthenticityError
from gpuaudit.evidence.bundle import EvidenceBundle, Origin
from gpuaudit.evidence.codec import dump, encode, load, load_checked
from gpuaudit.evidence.record import record

_NONCE: Final = "nonce"
# No signature stands before the parser here; eight cards of a capture take 60 kB.
_MAX_UNSIGNED_BYTES: Final = 4 * 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenedEvidence:
    """Evidence that a trusted key signed, with the envelope that it came in."""

    bundle: EvidenceBundle
    envelope: Opened

    @property
    def keyids(self) -> tuple[str, ...]:
        """Ids of the trusted keys that signed."""
        return self.envelope.keyids

    @property
    def sha256(self) -> str:
        """SHA-256, in hexadecimal, of the sealed file."""
        return self.envelope.sha256

    @property
    def payload(self) -> bytes:
        """What was signed, byte for byte."""
        return self.envelope.payload


@record
class UnsignedEvidence:
    """The file that `gpuaudit import` writes. Its one member says what it is, and no sealed file has it."""

    format: Literal["urn:gpuaudit:unsigned:v1"]
    unsigned_evidence: EvidenceBundle


def seal_evidence(bundle: EvidenceBundle, signer: Signer) -> bytes:
    """Sign evidence and return the file's bytes.

    The subject is the nonce, named `nonce`, with the SHA-256 of the bytes that its hexadecimal digits stand for: the attester
    does not know for which tender it collects.

    Raises:
        ValueError: The bundle's nonce is not one, a number is not finite, or the file would be too large.
    """
    if not is_nonce(bundle.nonce):
        raise ValueError(f"evidence: nonce: got {bundle.nonce!r}, expected 8 to 64 bytes in lower-case hexadecimal")
    return seal(PredicateType.EVIDENCE, [_subject(bundle.nonce)], encode(bundle), signer)


def open_evidence(data: bytes, keyring: Keyring, *, place: str) -> OpenedEvidence:
    """Open sealed evidence. Whether the nonce is the one that was asked for is for the caller to compare.

    Args:
        data: The whole file.
        keyring: Whom to believe.
        place: Where it came from, for messages.

    Raises:
        CouldNotAuthenticateError: No key of the keyring signed it.
        AuthenticityError: It is not sealed evidence, or was changed after it was signed.
    """
    opened = open_sealed(data, keyring, PredicateType.EVIDENCE, place=place)
    # The whole statement was read strictly when it was opened; its predicate need not be once more.
    bundle = load_checked(EvidenceBundle, opened.predicate, place=place)
    if not is_nonce(bundle.nonce) or opened.subjects != (_subject(bundle.nonce),):
        raise AuthenticityError(f"{place}: signed, but its subject is not the nonce that the evidence carries")
    return OpenedEvidence(bundle=bundle, envelope=opened)


def write_unsigned(bundle: EvidenceBundle) -> bytes:
    """Write the evidence of a capture, which no key vouches for.

    Raises:
        ValueError: The evidence was collected here; it is to be sealed.
    """
    if bundle.origin is not Origin.CAPTURE:
        raise ValueError(f"unsigned evidence: origin: got {bundle.origin}, expected {Origin.CAPTURE}; seal it instead")
    return dump(UnsignedEvidence, UnsignedEvidence(format="urn:gpuaudit:unsigned:v1", unsigned_evidence=bundle)) + b"\n"


def read_unsigned(data: bytes, *, place: str) -> EvidenceBundle:
    """Read the evidence of a capture. Anybody can have written it: only the policy `testimony` may look at it.

    Raises:
        AuthenticityError: It is not such a file, or says that it was collected or simulated: then it must be sealed.
    """
    if len(data) > _MAX_UNSIGNED_BYTES:
        raise AuthenticityError(f"{place}: too large: got {len(data)} bytes, expected at most {_MAX_UNSIGNED_BYTES}")
    bundle = load(UnsignedEvidence, data, place=place).unsigned_evidence
    if bundle.origin is not Origin.CAPTURE:
        raise AuthenticityError(f"{place}: unsigned, but of origin {bundle.origin}; only a capture may go unsigned")
    return bundle


def _subject(nonce: str) -> Subject:
    return Subject(name=_NONCE, sha256=nonce_digest(nonce))
