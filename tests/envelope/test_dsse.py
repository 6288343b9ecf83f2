"""Nothing but the bytes that a trusted key signed is ever opened."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from securesystemslib.dsse import Envelope
from securesystemslib.signer import CryptoSigner, Signature, Signer
from typing_extensions import override

from gpuaudit.envelope import Keyring, PredicateType, open_any, open_evidence, open_sealed, seal, seal_evidence, subject_of
from gpuaudit.envelope.keys import public_pem
from gpuaudit.errors import AuthenticityError, CouldNotAuthenticateError
from gpuaudit.evidence.codec import MAX_BYTES
from tests.envelope.bundles import small_bundle
from tests.envelope.conftest import ring_of

ED25519 = CryptoSigner.generate_ed25519()
RING = ring_of(ED25519)
SMALL = seal(PredicateType.RESULT, [subject_of("tender", b"t")], b'{"a":1}', ED25519)
LARGE = seal_evidence(small_bundle(detail="x" * 20_000), ED25519)


def rewritten(sealed: bytes, **members: Any) -> bytes:
    """The container with other members, written as gpuaudit writes it."""
    return json.dumps(json.loads(sealed) | members, separators=(",", ":")).encode() + b"\n"


def resigned(payload: bytes, signer: Signer = ED25519) -> bytes:
    """Any payload, truly signed by a trusted key: what is left to refuse is what it says."""
    envelope = Envelope(payload, "application/vnd.in-toto+json", {})
    envelope.sign(signer)
    return json.dumps(envelope.to_dict(), separators=(",", ":")).encode() + b"\n"


def payload_of(sealed: bytes) -> bytes:
    return base64.b64decode(json.loads(sealed)["payload"])


def test_what_was_sealed_opens_as_it_was(sealed: bytes, signer: CryptoSigner, keyring: Keyring) -> None:
    opened = open_evidence(sealed, keyring, place="evidence.json")
    assert opened.bundle == small_bundle()
    assert opened.keyids == (signer.public_key.keyid,)
    assert opened.payload == payload_of(sealed)
    assert opened.envelope.predicate in opened.payload


@pytest.mark.parametrize("predicate", [b'{"z":1.0, "a":[1e2,"\\u00e9"]}', b" {} "], ids=["unusual-forms", "blanks-around-it"])
def test_the_predicate_is_a_slice_of_what_was_signed(predicate: bytes) -> None:
    opened = open_any(seal(PredicateType.RESULT, [subject_of("t", b"")], predicate, ED25519), RING, place="r")
    assert opened.predicate == predicate


def test_openssl_accepts_the_signature_over_the_pae_bytes(sealed: bytes, signer: CryptoSigner, tmp_path: Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl")
    envelope = json.loads(sealed)
    payload, kind = base64.b64decode(envelope["payload"]), envelope["payloadType"].encode()
    (tmp_path / "pae").write_bytes(b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload))
    (tmp_path / "sig").write_bytes(base64.b64decode(envelope["signatures"][0]["sig"]))
    (tmp_path / "key").write_bytes(public_pem(signer.public_key))
    command = ["openssl", "pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", "key", "-sigfile", "sig", "-in", "pae"]
    if signer.public_key.keytype == "ecdsa":
        command = ["openssl", "dgst", "-sha256", "-verify", "key", "-signature", "sig", "pae"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    (tmp_path / "pae").write_bytes((tmp_path / "pae").read_bytes()[:-1])
    assert subprocess.run(command, cwd=tmp_path, check=False, capture_output=True).returncode != 0


@pytest.mark.parametrize("flip", [*(1 << bit for bit in range(8)), 0xFF], ids=hex)
def test_no_byte_of_a_small_envelope_can_be_changed(flip: int) -> None:
    open_any(SMALL, RING, place="honest")
    for position in range(len(SMALL)):
        changed = bytearray(SMALL)
        changed[position] ^= flip
        with pytest.raises(AuthenticityError):
            open_any(bytes(changed), RING, place="changed")


@pytest.mark.parametrize("position", [0, 12, len(SMALL) // 2, len(SMALL) - 1])
def test_no_value_of_a_byte_but_its_own_is_accepted(position: int) -> None:
    for value in range(256):
        if value != SMALL[position]:
            with pytest.raises(AuthenticityError):
                open_any(SMALL[:position] + bytes([value]) + SMALL[position + 1 :], RING, place="changed")


EDIT = st.tuples(st.integers(0, len(LARGE)), st.integers(0, 40), st.binary(max_size=40))


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(EDIT, min_size=1, max_size=4))
def test_no_edit_of_a_large_envelope_is_accepted(edits: list[tuple[int, int, bytes]]) -> None:
    changed = LARGE
    for start, removed, inserted in edits:
        changed = changed[:start] + inserted + changed[start + removed :]
    if changed != LARGE:
        with pytest.raises(AuthenticityError):
            open_evidence(changed, RING, place="edited")


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400))
def test_no_junk_is_accepted(junk: bytes) -> None:
    with pytest.raises(AuthenticityError):
        open_any(junk, RING, place="junk")


def test_another_key_is_named_beside_those_that_are_trusted() -> None:
    other = CryptoSigner.generate_ed25519()
    with pytest.raises(CouldNotAuthenticateError) as caught:
        open_any(SMALL, ring_of(other), place="evidence.json")
    assert ED25519.public_key.keyid in str(caught.value)
    assert other.public_key.keyid in str(caught.value)


def test_an_empty_keyring_opens_nothing() -> None:
    with pytest.raises(CouldNotAuthenticateError, match="trusted: none"):
        open_any(SMALL, Keyring(keys=()), place="evidence.json")


def test_a_signature_under_a_trusted_id_by_another_key_is_refused() -> None:
    other = CryptoSigner.generate_ed25519()
    forged = other.sign(Envelope(payload_of(SMALL), "application/vnd.in-toto+json", {}).pae())
    signatures = [{"keyid": ED25519.public_key.keyid, "sig": base64.b64encode(bytes.fromhex(forged.signature)).decode()}]
    with pytest.raises(AuthenticityError, match="does not fit these bytes"):
        open_any(rewritten(SMALL, signatures=signatures), RING, place="forged")


def test_a_bad_signature_is_not_outweighed_by_a_good_one() -> None:
    second = CryptoSigner.generate_ed25519()
    signatures = json.loads(SMALL)["signatures"]
    bad = {"keyid": second.public_key.keyid, "sig": signatures[0]["sig"]}
    both = rewritten(SMALL, signatures=[*signatures, bad])
    assert open_any(both, RING, place="x").strangers == (second.public_key.keyid,)
    with pytest.raises(AuthenticityError, match=second.public_key.keyid):
        open_any(both, ring_of(ED25519, second), place="x")


def test_what_was_signed_as_a_result_is_not_evidence() -> None:
    with pytest.raises(AuthenticityError, match="expected urn:gpuaudit:evidence:v1"):
        open_sealed(SMALL, RING, PredicateType.EVIDENCE, place="x")


SIGNATURE = json.loads(SMALL)["signatures"][0]
PAYLOAD = json.loads(SMALL)["payload"]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        pytest.param(rewritten(SMALL, payloadType="application/json"), "payloadType", id="other-payload-type"),
        pytest.param(rewritten(SMALL, payloadType=None), "payloadType", id="payload-type-of-another-kind"),
        pytest.param(rewritten(SMALL, comment="x"), "'comment' is unknown", id="unknown-member"),
        pytest.param(rewritten(SMALL, signatures=[SIGNATURE | {"cert": "x"}]), "unknown", id="unknown-signature-member"),
        pytest.param(rewritten(SMALL, signatures=[{"sig": SIGNATURE["sig"]}]), "keyid is missing", id="missing-keyid"),
        pytest.param(rewritten(SMALL, signatures=[SIGNATURE | {"keyid": "A" * 64}]), "keyid", id="keyid-in-upper-case"),
        pytest.param(rewritten(SMALL, signatures=[SIGNATURE, SIGNATURE]), "a second one by key", id="same-key-twice"),
        pytest.param(rewritten(SMALL, signatures=[]), "at least one", id="no-signature"),
        pytest.param(rewritten(SMALL, signatures={}), "at least one", id="signatures-of-another-kind"),
        pytest.param(rewritten(SMALL, signatures=[7]), "expected an object", id="signature-of-another-kind"),
        pytest.param(rewritten(SMALL, payload=7), "base64", id="payload-of-another-kind"),
        pytest.param(rewritten(SMALL, payload=""), "base64", id="empty-payload"),
        pytest.param(rewritten(SMALL, payload="é"), "base64", id="payload-not-ascii"),
        pytest.param(SMALL.replace(b'{"payload"', b'{"payloadType":"x","payload"', 1), "occurs twice", id="duplicate-keys"),
        pytest.param(SMALL.replace(b":", b": ", 1), "blanks", id="a-blank"),
        pytest.param(SMALL.rstrip(), "blanks", id="no-line-feed"),
        pytest.param(SMALL + b"\n", "blanks", id="two-line-feeds"),
        pytest.param(b"\xef\xbb\xbf" + SMALL, "JSON", id="byte-order-mark"),
        pytest.param(SMALL.decode().encode("utf-16"), "JSON", id="utf-16"),
        pytest.param(b"", "JSON", id="empty"),
        pytest.param(b"[" * 100, "JSON", id="nested"),
        pytest.param(b"[" * 100_000, "more than 200", id="nested-deeply"),
        pytest.param(b'{"a":NaN}', "NaN", id="nan"),
        pytest.param(b'{"a":1e999}', "1e999", id="infinity"),
        pytest.param(b'{"a":"\\ud800"}', "JSON", id="lone-surrogate"),
        pytest.param(b"7", "not a sealed file", id="a-number"),
        pytest.param(b'{"unsignedEvidence":{}}', "testimony", id="unsigned-evidence"),
    ],
)
def test_a_container_in_any_other_form_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(AuthenticityError, match=why):
        open_any(data, RING, place="x")


def test_url_safe_base64_is_refused() -> None:
    predicate = b'{"a":"%s"}' % ("\u00ff\u00fe" * 30).encode()
    sealed = seal(PredicateType.RESULT, [subject_of("t", b"")], predicate, ED25519)
    standard = json.loads(sealed)["payload"]
    urlsafe = base64.urlsafe_b64encode(base64.b64decode(standard)).decode()
    assert urlsafe != standard
    with pytest.raises(AuthenticityError, match="base64"):
        open_any(rewritten(sealed, payload=urlsafe), RING, place="x")


def test_base64_with_unused_bits_set_is_refused() -> None:
    signature = SIGNATURE["sig"]
    assert signature.endswith("==")
    twin = signature[:-3] + chr(ord(signature[-3]) + 1) + "=="
    assert base64.b64decode(twin) == base64.b64decode(signature)
    with pytest.raises(AuthenticityError, match="base64"):
        open_any(rewritten(SMALL, signatures=[SIGNATURE | {"sig": twin}]), RING, place="x")


HEAD = payload_of(SMALL).partition(b',"predicate":')[0]


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        pytest.param(b"junk", "JSON", id="not-json"),
        pytest.param(b"[]", "Statement", id="not-an-object"),
        pytest.param(HEAD + b"}", "Statement", id="no-predicate"),
        pytest.param(HEAD + b',"predicate":{},"more":1}', "Statement", id="unknown-member"),
        pytest.param(HEAD + b',"predicate":[]}', "predicate", id="predicate-of-another-kind"),
        pytest.param(HEAD + b',"predicate":{"a":1,"a":2}}', "twice", id="duplicate-keys-inside"),
        pytest.param(HEAD + b',"predicate":{"a":NaN}}', "NaN", id="nan-inside"),
        pytest.param(HEAD.replace(b"Statement/v1", b"Statement/v0.1") + b',"predicate":{}}', "Statement", id="statement-v0"),
        pytest.param(HEAD.replace(b"result:v1", b"result:v2") + b',"predicate":{}}', "predicateType", id="unknown-predicate"),
        pytest.param(HEAD.replace(b"sha256", b"sha512") + b',"predicate":{}}', "sha256", id="digest-of-another-kind"),
        pytest.param(
            HEAD.replace(b'"name"', b'"uri":"x","name"') + b',"predicate":{}}', "nothing else", id="more-in-a-subject"
        ),
        pytest.param(HEAD + b', "predicate":{}}', "laid out", id="another-layout"),
        pytest.param(HEAD + b',"predicate":{}} ', "laid out", id="a-blank-at-the-end"),
    ],
)
def test_a_statement_in_any_other_form_is_refused_though_it_is_signed(payload: bytes, why: str) -> None:
    with pytest.raises(AuthenticityError, match=why):
        open_any(resigned(payload), RING, place="x")


def test_evidence_about_another_nonce_than_its_subject_is_refused() -> None:
    payload = payload_of(seal_evidence(small_bundle(), ED25519))
    swapped = payload.replace(small_bundle().nonce.encode(), b"ff" * 16)
    with pytest.raises(AuthenticityError, match="not the nonce"):
        open_evidence(resigned(swapped), RING, place="x")


@pytest.mark.parametrize(
    ("subjects", "predicate"),
    [
        pytest.param([], b"{}", id="no-subject"),
        pytest.param([subject_of("t", b"")], b"[]", id="not-an-object"),
        pytest.param([subject_of("t", b"")], b'{"a":NaN}', id="nan"),
        pytest.param([subject_of("t", b"")], b'{},"predicate":{}', id="a-second-predicate"),
    ],
)
def test_nothing_is_signed_that_would_not_open_again(subjects: list[Any], predicate: bytes) -> None:
    with pytest.raises(ValueError, match="nothing like this is signed"):
        seal(PredicateType.RESULT, subjects, predicate, ED25519)


def test_what_is_too_large_to_open_is_not_sealed() -> None:
    with pytest.raises(ValueError, match="would not open again"):
        seal(PredicateType.RESULT, [subject_of("t", b"")], b'{"a":"%s"}' % (b"x" * (MAX_BYTES * 4 // 5)), ED25519)


class WrongKms(Signer):
    """A key management service that signs with another key than the one it was asked for."""

    @property
    @override
    def public_key(self) -> Any:
        return ED25519.public_key

    @override
    def sign(self, payload: bytes) -> Signature:
        signature = CryptoSigner.generate_ed25519().sign(payload)
        return Signature(ED25519.public_key.keyid, signature.signature)

    @classmethod
    @override
    def from_priv_key_uri(cls, priv_key_uri: str, public_key: Any, secrets_handler: Any = None) -> Signer:
        raise NotImplementedError


def test_a_signature_that_does_not_verify_is_never_written() -> None:
    with pytest.raises(ValueError, match="would not open again"):
        seal(PredicateType.RESULT, [subject_of("t", b"")], b"{}", WrongKms())


@pytest.mark.parametrize(
    "junk",
    [
        pytest.param(b"[" * MAX_BYTES, id="nesting"),
        pytest.param(b"[" + b"[]," * (MAX_BYTES // 3 - 2) + b"1]", id="many-small-lists"),
        pytest.param(b"[" + b"0," * (MAX_BYTES // 2 - 2) + b"1]", id="many-numbers"),
        pytest.param(b"\x00" * MAX_BYTES, id="zeros"),
        pytest.param(b"9" * MAX_BYTES, id="one-long-number"),
        pytest.param(b'{"payload":"' + b"A" * (MAX_BYTES - 100), id="payload-that-never-ends"),
        pytest.param(b'{"a":1,"a":1' + b" " * (MAX_BYTES - 100) + b"}", id="blanks"),
    ],
)
def test_as_much_junk_as_is_read_takes_less_than_a_second_and_bounded_memory(junk: bytes) -> None:
    tracemalloc.start()
    began = time.process_time()
    with pytest.raises(AuthenticityError):
        open_any(junk, RING, place="junk")
    spent = time.process_time() - began
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert spent < 1
    assert peak < 8 * MAX_BYTES
