"""A key, the ring that trusts it, and a sealed file."""

from __future__ import annotations

import pytest
from securesystemslib.signer import CryptoSigner

from gpuaudit.envelope import Keyring, TrustedKey, seal_evidence
from gpuaudit.envelope.keyring import Ownership
from tests.envelope.bundles import small_bundle


def ring_of(*signers: CryptoSigner) -> Keyring:
    return Keyring(keys=tuple(TrustedKey(key=signer.public_key, ownership=Ownership.GIVEN, place="test") for signer in signers))


@pytest.fixture(scope="session", params=["ed25519", "ecdsa-p256"])
def signer(request: pytest.FixtureRequest) -> CryptoSigner:
    return CryptoSigner.generate_ed25519() if request.param == "ed25519" else CryptoSigner.generate_ecdsa()


@pytest.fixture(scope="session")
def keyring(signer: CryptoSigner) -> Keyring:
    return ring_of(signer)


@pytest.fixture(scope="session")
def sealed(signer: CryptoSigner) -> bytes:
    return seal_evidence(small_bundle(), signer)
