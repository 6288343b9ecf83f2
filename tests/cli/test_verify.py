"""`gpuaudit verify`: who signed, or exit 3."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gpuaudit.cli.exits import Exit
from gpuaudit.envelope import seal_evidence
from gpuaudit.envelope.keys import public_pem
from gpuaudit.envelope.keystore import LoadedSigner, own_keys
from gpuaudit.errors import UsageError
from tests.cli.conftest import Gpuaudit
from tests.envelope.bundles import small_bundle


def nobody(prompt: str) -> str:
    raise UsageError(prompt)


@pytest.fixture
def key() -> LoadedSigner:
    return own_keys().default_key(ask=nobody)


@pytest.fixture
def evidence(home: Path, key: LoadedSigner) -> Path:
    (home / "evidence.json").write_bytes(seal_evidence(small_bundle(), key.signer))
    return home / "evidence.json"


def test_ones_own_signature_is_verified(gpuaudit: Gpuaudit, evidence: Path, key: LoadedSigner) -> None:
    ran = gpuaudit("verify", evidence)
    assert (ran.code, ran.err) == (Exit.DONE, "")
    assert key.keyid in ran.out
    assert "own key" in ran.out


def test_json_says_the_same(gpuaudit: Gpuaudit, evidence: Path, key: LoadedSigner) -> None:
    told = json.loads(gpuaudit("verify", evidence, "--format", "json").out)
    assert told["authentic"] is True
    assert [signer["keyid"] for signer in told["signedBy"]] == [key.keyid]
    assert told["predicateType"] == "urn:gpuaudit:evidence:v1"


def test_a_strangers_signature_needs_their_key(
    gpuaudit: Gpuaudit, evidence: Path, key: LoadedSigner, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "their.pub").write_bytes(public_pem(key.signer.public_key))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "another-person"))
    ran = gpuaudit("verify", evidence)
    assert (ran.code, ran.out) == (Exit.NOT_AUTHENTIC, "")
    assert key.keyid in ran.err
    assert "--keyring" in ran.err
    ran = gpuaudit("verify", evidence, "--keyring", tmp_path / "their.pub")
    assert (ran.code, "given key" in ran.out) == (Exit.DONE, True)


@pytest.mark.parametrize("position", [0, 200, -2])
def test_a_changed_byte_exits_3_with_one_line(gpuaudit: Gpuaudit, evidence: Path, position: int) -> None:
    changed = bytearray(evidence.read_bytes())
    changed[position] ^= 1
    evidence.write_bytes(changed)
    ran = gpuaudit("verify", evidence)
    assert (ran.code, ran.out, ran.err.count("\n")) == (Exit.NOT_AUTHENTIC, "", 1)
    assert ran.err.startswith(f"gpuaudit: {evidence}: ")


@pytest.mark.parametrize("name", ["/dev/zero", "/"])
def test_what_is_not_a_file_exits_3(gpuaudit: Gpuaudit, name: str) -> None:
    assert gpuaudit("verify", name).code == Exit.NOT_AUTHENTIC


def test_100_megabytes_of_junk_exit_3(gpuaudit: Gpuaudit, home: Path) -> None:
    with (home / "junk").open("wb") as junk:
        junk.truncate(100 * 1024**2)
    ran = gpuaudit("verify", home / "junk")
    assert (ran.code, "too large" in ran.err) == (Exit.NOT_AUTHENTIC, True)


def test_hostile_names_are_escaped(gpuaudit: Gpuaudit, home: Path, key: LoadedSigner) -> None:
    hostile = home / "e\x1b[2J\u202e.json"
    hostile.write_bytes(seal_evidence(small_bundle(), key.signer))
    for format_ in ("text", "json"):
        ran = gpuaudit("verify", hostile, "--format", format_)
        assert ran.code == Exit.DONE
        assert "\x1b" not in ran.out + ran.err
        assert "\u202e" not in ran.out + ran.err
