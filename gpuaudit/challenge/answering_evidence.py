"""The evidence with which a prover greets: sealed under the commitment to the seed, and of devices of some kind."""

from __future__ import annotations

from securesystemslib.signer import SSlibKey

from gpuaudit.challenge.check import RefusedError
from gpuaudit.challenge.messages import DeviceKind, Hello
from gpuaudit.envelope import Keyring, OpenedEvidence, TrustedKey, open_evidence
from gpuaudit.envelope.keyring import Ownership
from gpuaudit.envelope.keys import parse_public_key
from gpuaudit.errors import GpuauditError
from gpuaudit.evidence.bundle import Origin


def open_answering_evidence(evidence: bytes, public_key: bytes, hello: Hello, nonce: str) -> OpenedEvidence:
    """(1, 2) See that the evidence is the one of the hello and was sealed after the commitment was known.

    Args:
        evidence: As a sealed file.
        public_key: By which it opens, in PEM. Whose it is, is not asked.
        hello: What the prover said.
        nonce: The commitment to the seed, in hexadecimal.

    Raises:
        RefusedError: It was not.
    """
    try:
        key: SSlibKey = parse_public_key(public_key, place="hello: public key")
        keyring = Keyring(keys=(TrustedKey(key=key, ownership=Ownership.GIVEN, place="hello"),))
        opened = open_evidence(evidence, keyring, place="hello: evidence")
    except GpuauditError as error:
        raise RefusedError(2, str(error)) from None
    if opened.sha256 != hello.evidence:
        raise RefusedError(2, "the evidence is not the one that the hello names")
    if opened.bundle.nonce != nonce:
        raise RefusedError(1, "the evidence does not carry the commitment to the seed: it was sealed for something else")
    return opened


def kind_of(hello: Hello, opened: OpenedEvidence) -> DeviceKind:
    """Return what the prover calls its devices; where its evidence is simulated, so are they, whatever it calls them."""
    return DeviceKind.SIMULATED if opened.bundle.origin is Origin.SIMULATED else hello.device
