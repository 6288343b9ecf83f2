"""Key files: what is taken, and the words for what is not."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from securesystemslib.signer import SIGNER_FOR_URI_SCHEME, CryptoSigner, Signature, Signer
from typing_extensions import override

from gpuaudit.envelope import Keyring, PredicateType, load_keyring, open_any, seal, subject_of
from gpuaudit.envelope.keys import is_key_uri, public_pem, read_private_key, read_public_key, signer_by_uri
from gpuaudit.envelope.keystore import KeyStore
from gpuaudit.errors import MachineError, UsageError

PEM = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8)
SPKI = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)


def nobody(prompt: str) -> str:
    raise UsageError(f"asked: {prompt}")


def private_file(path: Path, key: Any, passphrase: bytes = b"") -> Path:
    how = serialization.BestAvailableEncryption(passphrase) if passphrase else serialization.NoEncryption()
    path.write_bytes(key.private_bytes(*PEM, how))
    path.chmod(0o600)
    return path


KINDS: dict[str, Callable[[], Any]] = {
    "rsa": lambda: rsa.generate_private_key(65537, 2048),
    "p-384": lambda: ec.generate_private_key(ec.SECP384R1()),
    "secp256k1": lambda: ec.generate_private_key(ec.SECP256K1()),
}


@pytest.mark.parametrize("kind", KINDS)
def test_keys_that_do_not_verify_everywhere_are_refused(tmp_path: Path, kind: str) -> None:
    key = KINDS[kind]()
    with pytest.raises(UsageError):
        read_private_key(private_file(tmp_path / "k.pem", key), ask=nobody)
    (tmp_path / "k.pub").write_bytes(key.public_key().public_bytes(*SPKI))
    with pytest.raises(UsageError):
        read_public_key(tmp_path / "k.pub")


@pytest.mark.parametrize(
    ("data", "why"),
    [
        pytest.param(b"", "no public key", id="empty"),
        pytest.param(b"junk", "no public key", id="junk"),
        pytest.param(b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "not a public key", id="broken"),
        pytest.param(b"-----BEGIN PRIVATE KEY-----", "a private key", id="private"),
        pytest.param(b"x" * 100_000, "too large", id="large"),
    ],
)
def test_a_keyring_file_without_a_public_key_is_refused(tmp_path: Path, data: bytes, why: str) -> None:
    (tmp_path / "k.pub").write_bytes(data)
    with pytest.raises(UsageError, match=why):
        load_keyring(KeyStore(folder=tmp_path / "none"), [tmp_path / "k.pub"])


def test_a_keyring_that_does_not_exist_or_is_empty_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for path, why in ((tmp_path / "nothing", "no such file"), (tmp_path / "empty", "no public key in this folder")):
        with pytest.raises(UsageError, match=why):
            load_keyring(KeyStore(folder=tmp_path / "none"), [path])


def test_all_keys_of_a_file_and_of_a_folder_are_trusted(tmp_path: Path) -> None:
    keys = [CryptoSigner.generate_ed25519().public_key, CryptoSigner.generate_ecdsa().public_key]
    (tmp_path / "both.pub").write_bytes(b"".join(map(public_pem, keys)))
    (tmp_path / "notes.txt").write_text("not a key")
    for given in (tmp_path, tmp_path / "both.pub"):
        assert set(load_keyring(KeyStore(folder=tmp_path / "none"), [given]).keyids) == {key.keyid for key in keys}


def test_a_file_of_two_keys_is_not_taken_for_one(tmp_path: Path) -> None:
    (tmp_path / "two.pub").write_bytes(public_pem(CryptoSigner.generate_ed25519().public_key) * 2)
    with pytest.raises(UsageError, match="got 2 public keys"):
        read_public_key(tmp_path / "two.pub")


def test_an_encrypted_key_asks_for_its_passphrase_and_nothing_else_does(tmp_path: Path) -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    plain, encrypted = private_file(tmp_path / "p.pem", key), private_file(tmp_path / "e.pem", key, b"secret")
    asked: list[str] = []

    def person(prompt: str) -> str:
        asked.append(prompt)
        return "secret"

    signer = read_private_key(encrypted, ask=person)
    assert asked == [f"passphrase of {encrypted}: "]
    assert signer.public_key == read_private_key(plain, ask=nobody).public_key
    with pytest.raises(UsageError, match=r"e\.pem"):
        read_private_key(encrypted, ask=lambda _: "wrong")


def test_a_key_that_openssl_encrypted_signs(tmp_path: Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl")
    plain = private_file(tmp_path / "p.pem", ed25519.Ed25519PrivateKey.generate())
    command = ["openssl", "pkcs8", "-topk8", "-scrypt", "-in", str(plain), "-out", "s.pem", "-passout", "pass:secret"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)
    (tmp_path / "s.pem").chmod(0o600)
    assert (
        read_private_key(tmp_path / "s.pem", ask=lambda _: "secret").public_key
        == read_private_key(plain, ask=nobody).public_key
    )


@pytest.mark.parametrize("data", [b"", b"junk", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"])
def test_a_private_key_file_that_holds_none_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "k.pem").write_bytes(data)
    (tmp_path / "k.pem").chmod(0o600)
    with pytest.raises(UsageError, match="not a private key"):
        read_private_key(tmp_path / "k.pem", ask=nobody)


@pytest.mark.parametrize("uri", ["file2:/x", "envvar:X", "nosuch:x"])
def test_a_uri_scheme_that_reads_the_environment_or_is_unknown_is_refused(tmp_path: Path, uri: str) -> None:
    assert not is_key_uri(uri)
    with pytest.raises(UsageError, match="not a scheme"):
        signer_by_uri(uri, tmp_path / "k.pub", ask=nobody)


class Token(Signer):
    """A token in which the private key stays, as a vendor would add one to securesystemslib."""

    key = CryptoSigner.generate_ecdsa()

    @property
    @override
    def public_key(self) -> Any:
        return self.key.public_key

    @override
    def sign(self, payload: bytes) -> Signature:
        return self.key.sign(payload)

    @classmethod
    @override
    def from_priv_key_uri(cls, priv_key_uri: str, public_key: Any, secrets_handler: Any = None) -> Signer:
        if secrets_handler is None or secrets_handler("PIN: ") != "1234" or priv_key_uri != "token:slot-1":
            raise ValueError("the token refuses")
        return cls()


def test_a_key_that_stays_in_its_token_signs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(SIGNER_FOR_URI_SCHEME, "token", Token)
    (tmp_path / "token.pub").write_bytes(public_pem(Token.key.public_key))
    signer = signer_by_uri("token:slot-1", tmp_path / "token.pub", ask=lambda _: "1234")
    keyring: Keyring = load_keyring(KeyStore(folder=tmp_path / "none"), [tmp_path / "token.pub"])
    assert (
        open_any(seal(PredicateType.RESULT, [subject_of("t", b"")], b"{}", signer), keyring, place="x").keyids == keyring.keyids
    )
    with pytest.raises(MachineError, match="the token refuses"):
        signer_by_uri("token:slot-1", tmp_path / "token.pub", ask=lambda _: "0000")


def test_a_key_that_only_root_may_see_is_the_machines_fault(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root can read everything")
    path = private_file(tmp_path / "k.pem", ed25519.Ed25519PrivateKey.generate())
    path.chmod(0)
    with pytest.raises(MachineError, match="cannot be read"):
        read_private_key(path, ask=nobody)
