"""Keys that others could have read or put there do not sign, and are not trusted."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path

import pytest

from gpuaudit.envelope import load_keyring
from gpuaudit.envelope.keyring import Ownership
from gpuaudit.envelope.keys import KeyKind, public_pem
from gpuaudit.envelope.keystore import KeyStore, LoadedSigner, own_keys
from gpuaudit.errors import MachineError, UsageError


def nobody(prompt: str) -> str:
    raise UsageError(f"asked: {prompt}")


@pytest.fixture
def store(tmp_path: Path) -> KeyStore:
    return KeyStore(folder=tmp_path / "config" / "gpuaudit" / "keys")


def test_the_first_use_makes_a_key_and_the_second_finds_it(store: KeyStore) -> None:
    first, second = store.default_key(ask=nobody), store.default_key(ask=nobody)
    assert (first.made_now, second.made_now) == (True, False)
    assert first.signer.public_key == second.signer.public_key
    assert first.signer.public_key.keytype == "ed25519"
    assert stat.S_IMODE(Path(first.place).stat().st_mode) == 0o600
    assert stat.S_IMODE(store.folder.stat().st_mode) == 0o700
    assert sorted(file.name for file in store.folder.iterdir()) == ["default.pem", "default.pub"]


@pytest.mark.parametrize("kind", KeyKind)
def test_ones_own_keys_are_in_the_keyring(store: KeyStore, kind: KeyKind) -> None:
    key = store.create("mine", kind, ask=nobody)
    (trusted,) = load_keyring(store, ()).keys
    assert trusted.key == key.signer.public_key
    assert trusted.ownership is Ownership.OWN


def test_a_key_is_never_replaced(store: KeyStore) -> None:
    store.create("mine", KeyKind.ED25519, ask=nobody)
    before = (store.folder / "mine.pem").read_bytes()
    with pytest.raises(UsageError, match="exists"):
        store.create("mine", KeyKind.ED25519, ask=nobody)
    assert (store.folder / "mine.pem").read_bytes() == before


def test_two_processes_that_start_together_use_one_key(store: KeyStore) -> None:
    made: list[LoadedSigner] = []
    threads = [threading.Thread(target=lambda: made.append(store.default_key(ask=nobody))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 8
    assert len({key.keyid for key in made}) == 1
    assert sum(key.made_now for key in made) == 1


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602])
def test_a_private_key_that_is_open_to_others_does_not_sign(store: KeyStore, mode: int) -> None:
    Path(store.default_key(ask=nobody).place).chmod(mode)
    with pytest.raises(MachineError, match="open to others"):
        store.default_key(ask=nobody)


@pytest.mark.parametrize("mode", [0o750, 0o705, 0o770, 0o777])
def test_a_key_folder_that_is_open_to_others_is_not_used(store: KeyStore, mode: int) -> None:
    store.default_key(ask=nobody)
    store.folder.chmod(mode)
    for use in (store.default_key, lambda ask: store.create("x", KeyKind.ED25519, ask=ask)):
        with pytest.raises(MachineError, match="open to others"):
            use(ask=nobody)
    with pytest.raises(MachineError, match="open to others"):
        load_keyring(store, ())


def test_a_public_key_that_others_could_have_put_there_is_not_trusted(store: KeyStore) -> None:
    store.default_key(ask=nobody)
    (store.folder / "default.pub").chmod(0o646)
    with pytest.raises(MachineError, match="open to others"):
        load_keyring(store, ())


def test_a_key_of_another_user_does_not_sign(store: KeyStore) -> None:
    if os.geteuid() != 0:
        pytest.skip("needs root: only root can give a file away")
    key = store.default_key(ask=nobody)
    os.chown(key.place, 12345, -1)
    with pytest.raises(MachineError, match="belongs to user 12345"):
        store.default_key(ask=nobody)


def test_a_public_half_of_another_key_is_noticed(store: KeyStore, tmp_path: Path) -> None:
    store.default_key(ask=nobody)
    other = KeyStore(folder=tmp_path / "other").default_key(ask=nobody)
    (store.folder / "default.pub").write_bytes(public_pem(other.signer.public_key))
    with pytest.raises(UsageError, match="not the public half"):
        store.default_key(ask=nobody)


def test_a_lost_public_half_is_written_again(store: KeyStore) -> None:
    key = store.default_key(ask=nobody)
    (store.folder / "default.pub").unlink()
    store.default_key(ask=nobody)
    assert load_keyring(store, ()).keyids == (key.signer.public_key.keyid,)


@pytest.mark.parametrize("name", ["", ".", "..", "../x", "a/b", "-x", ".x", "a b", "x" * 65, "a\nb"])
def test_a_name_that_leads_elsewhere_is_refused(store: KeyStore, name: str) -> None:
    with pytest.raises(UsageError, match="--name"):
        store.create(name, KeyKind.ED25519, ask=nobody)
    assert not store.folder.exists()


def test_a_folder_that_cannot_be_made_is_the_machines_fault(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(MachineError, match="cannot be kept here"):
        KeyStore(folder=tmp_path / "file" / "keys").default_key(ask=nobody)


@pytest.mark.parametrize(
    ("configured", "expected"),
    [
        ("/elsewhere", "/elsewhere/gpuaudit/keys"),
        ("relative", "/home/of/.config/gpuaudit/keys"),
        ("", "/home/of/.config/gpuaudit/keys"),
    ],
)
def test_keys_lie_where_the_xdg_specification_says(monkeypatch: pytest.MonkeyPatch, configured: str, expected: str) -> None:
    monkeypatch.setenv("HOME", "/home/of")
    monkeypatch.setenv("XDG_CONFIG_HOME", configured)
    assert own_keys().folder == Path(expected)
