"""Sealed evidence, unsigned captures, and that neither passes for the other."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest
from securesystemslib.signer import CryptoSigner

from gpuaudit.envelope import Keyring, fresh_nonce, open_evidence, read_nonce, read_unsigned, seal_evidence, write_unsigned
from gpuaudit.errors import AuthenticityError, UsageError
from gpuaudit.evidence.bundle import Origin
from tests.envelope.bundles import NONCE, small_bundle


def test_the_subject_is_the_digest_of_the_nonces_bytes(sealed: bytes, keyring: Keyring) -> None:
    (subject,) = open_evidence(sealed, keyring, place="x").envelope.subjects
    assert (subject.name, subject.sha256) == ("nonce", hashlib.sha256(bytes.fromhex(NONCE)).hexdigest())


@pytest.mark.parametrize("nonce", ["", "0011", "zz" * 16, "AA" * 16, "0" * 33, "00" * 65, "00 11" * 8])
def test_evidence_without_a_proper_nonce_is_not_sealed(signer: CryptoSigner, nonce: str) -> None:
    with pytest.raises(ValueError, match="nonce"):
        seal_evidence(small_bundle(nonce=nonce), signer)


def test_a_typed_nonce_may_be_in_upper_case() -> None:
    assert read_nonce("AB" * 16) == "ab" * 16


@pytest.mark.parametrize("text", ["", "ab", "ab" * 7, "ab" * 65, "0x" + "ab" * 16, "ab" * 16 + "\n", "é" * 32, "\u0661" * 32])
def test_a_typed_nonce_that_is_none_is_the_users_mistake(text: str) -> None:
    with pytest.raises(UsageError, match="--nonce"):
        read_nonce(text)


def test_nonces_differ() -> None:
    assert len({fresh_nonce() for _ in range(100)}) == 100
    assert read_nonce(fresh_nonce())


CAPTURE = small_bundle(origin=Origin.CAPTURE)


def test_a_capture_reads_back_as_it_was() -> None:
    assert read_unsigned(write_unsigned(CAPTURE), place="x") == CAPTURE


def test_a_capture_does_not_open_as_sealed(keyring: Keyring) -> None:
    with pytest.raises(AuthenticityError, match="unsigned evidence of a capture"):
        open_evidence(write_unsigned(CAPTURE), keyring, place="x")


def test_sealed_evidence_does_not_read_as_a_capture(sealed: bytes) -> None:
    with pytest.raises(AuthenticityError):
        read_unsigned(sealed, place="x")


@pytest.mark.parametrize("origin", [Origin.HARDWARE, Origin.SIMULATED])
def test_only_a_capture_may_go_unsigned(origin: Origin) -> None:
    with pytest.raises(ValueError, match="seal it instead"):
        write_unsigned(small_bundle(origin=origin))
    edited: dict[str, Any] = json.loads(write_unsigned(CAPTURE))
    edited["unsignedEvidence"]["origin"] = origin.value
    with pytest.raises(AuthenticityError, match="only a capture may go unsigned"):
        read_unsigned(json.dumps(edited).encode(), place="x")


@pytest.mark.parametrize("data", [b"", b"{}", b"x" * (5 * 1024**2)], ids=["empty", "no-members", "large"])
def test_junk_is_no_capture(data: bytes) -> None:
    with pytest.raises(AuthenticityError):
        read_unsigned(data, place="x")
