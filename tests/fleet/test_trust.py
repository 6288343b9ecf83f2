"""Whose keys are believed, and what is remembered of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from gpuaudit.envelope.keystore import KeyStore
from gpuaudit.errors import AuthenticityError, UsageError
from gpuaudit.fleet.trust import TrustKind, remember, trust_first_use, trust_keyring
from tests.fleet.fleets import cast, put


@pytest.fixture
def fleet(tmp_path: Path) -> Path:
    put(tmp_path / "fleet", "node-000", cast("t4:1", 0), nonce=0)
    return tmp_path / "fleet"


def test_trust_says_what_it_is(fleet: Path, tmp_path: Path) -> None:
    none = KeyStore(folder=tmp_path / "none")
    given = trust_keyring(none, [fleet / "keys"])
    found = trust_first_use(none, fleet, tmp_path / "known.json")
    assert (given.kind, found.kind) == (TrustKind.KEYRING, TrustKind.FIRST_USE)
    assert given.keyring.keyids == found.keyring.keyids
    assert "not whose it is" in found.detail


def test_a_key_once_seen_stays(fleet: Path, tmp_path: Path) -> None:
    known = tmp_path / "deep" / "known.json"
    remember(known, {}, {"t/a": "first", "t/b": "second"})
    before = trust_first_use(KeyStore(folder=tmp_path / "none"), fleet, known).known
    remember(known, before, {"t/a": "another", "t/c": "third"})
    after = trust_first_use(KeyStore(folder=tmp_path / "none"), fleet, known).known
    assert after == {"t/a": "first", "t/b": "second", "t/c": "third"}


def test_nothing_new_writes_nothing(tmp_path: Path) -> None:
    remember(tmp_path / "known.json", {"t/a": "first"}, {"t/a": "another"})
    assert not (tmp_path / "known.json").exists()


def test_a_file_of_known_keys_that_was_spoilt_is_refused(fleet: Path, tmp_path: Path) -> None:
    (tmp_path / "known.json").write_text("{}")
    with pytest.raises(AuthenticityError):
        trust_first_use(KeyStore(folder=tmp_path / "none"), fleet, tmp_path / "known.json")


def test_without_keys_there_is_nothing_to_trust(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="keys"):
        trust_first_use(KeyStore(folder=tmp_path / "none"), tmp_path, tmp_path / "known.json")
