"""`gpuaudit attest`: sealed evidence, whole or not at all."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from gpuaudit.cli.exits import Exit
from gpuaudit.envelope import Keyring, load_keyring, open_evidence
from gpuaudit.envelope.keystore import own_keys
from gpuaudit.evidence.bundle import EvidenceBundle, Origin
from gpuaudit.simulated.profile import known_profiles
from tests.cli.conftest import Gpuaudit
from tests.cli.test_output import disk_with_room_for

ONE = ("attest", "--simulate", "a100-sxm4-80gb:1")
NONCE = "00" * 16


def opened(path: Path, keyring: Keyring | None = None) -> EvidenceBundle:
    return open_evidence(path.read_bytes(), keyring or load_keyring(own_keys(), ()), place=str(path)).bundle


@pytest.mark.parametrize("profile", known_profiles())
def test_every_profile_seals_evidence_that_verify_and_openssl_accept(gpuaudit: Gpuaudit, home: Path, profile: str) -> None:
    assert gpuaudit("attest", "--simulate", f"{profile}:1", "--out", "out").code == Exit.DONE
    assert gpuaudit("verify", "out/evidence.json").code == Exit.DONE
    if shutil.which("openssl") is None:
        pytest.skip("needs openssl for the second half")
    envelope: dict[str, Any] = json.loads((home / "out/evidence.json").read_bytes())
    payload, kind = base64.b64decode(envelope["payload"]), envelope["payloadType"].encode()
    (home / "pae").write_bytes(b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload))
    (home / "sig").write_bytes(base64.b64decode(envelope["signatures"][0]["sig"]))
    (home / "pub").write_text(gpuaudit("keys", "show", "--pem").out)
    command = ["openssl", "pkeyutl", "-verify", "-rawin", "-pubin", "-inkey", "pub", "-sigfile", "sig", "-in", "pae"]
    subprocess.run(command, check=True, capture_output=True)


def test_a_simulation_says_so_in_the_signed_bytes_and_in_both_formats(gpuaudit: Gpuaudit, home: Path) -> None:
    text = gpuaudit(*ONE, "--out", "a").out
    assert text.startswith("SIMULATED")
    assert json.loads(gpuaudit(*ONE, "--out", "b", "--format", "json").out)["origin"] == "simulated"
    assert opened(home / "a/evidence.json").origin is Origin.SIMULATED


def test_what_is_printed_is_what_was_written(gpuaudit: Gpuaudit, home: Path) -> None:
    told = json.loads(gpuaudit(*ONE, "--out", "out", "--nonce", NONCE.upper(), "--format", "json").out)
    file = home / "out/evidence.json"
    assert told["evidence"] == "out/evidence.json"
    assert told["sha256"] == hashlib.sha256(file.read_bytes()).hexdigest()
    assert told["nonce"] == opened(file).nonce == NONCE
    assert told["devices"] == len(opened(file).nvml.devices) == 1
    assert told["measurements"] == len(opened(file).measurements) > 0


def test_evidence_that_was_not_asked_for_carries_a_nonce_of_its_own(gpuaudit: Gpuaudit, home: Path) -> None:
    for folder in ("a", "b"):
        gpuaudit(*ONE, "--out", folder)
    assert opened(home / "a/evidence.json").nonce != opened(home / "b/evidence.json").nonce


def test_without_out_every_run_has_a_folder_of_its_own(gpuaudit: Gpuaudit, home: Path) -> None:
    assert [gpuaudit(*ONE).code for _ in range(3)] == [Exit.DONE] * 3
    assert len(list(home.glob("gpuaudit-*/evidence.json"))) == 3


def test_the_first_use_makes_a_key_and_says_what_it_proves(gpuaudit: Gpuaudit) -> None:
    assert "proves only that one key signed" in gpuaudit(*ONE, "--out", "a").err
    assert gpuaudit(*ONE, "--out", "b").err == ""


def test_a_key_of_ones_own_choice_signs(gpuaudit: Gpuaudit, home: Path) -> None:
    pem = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (home / "k.pem").touch(0o600)
    (home / "k.pem").write_bytes(pem)
    assert gpuaudit(*ONE, "--out", "out", "--key", "k.pem").code == Exit.DONE
    assert gpuaudit("verify", "out/evidence.json").code == Exit.NOT_AUTHENTIC
    assert not own_keys().folder.exists()


@pytest.mark.parametrize(
    "wrong",
    [
        ["--simulate", "no-such-card"],
        ["--simulate", "a100-sxm4-80gb:0"],
        ["--simulate", "a100-sxm4-80gb:-1"],
        ["--simulate", "a100-sxm4-80gb:1000000000"],
        ["--simulate", "a100-sxm4-80gb:1,"],
        ["--suite", "no-such-suite"],
        ["--suite", "../quick"],
        ["--nonce", "xyz"],
        ["--nonce", "00"],
        ["--key", "no-such-file"],
        ["--key", "awskms:arn"],
        ["--public-key", "x.pub"],
        ["--out", "full"],
        ["--out", "file"],
        ["--format", "yaml"],
    ],
    ids=" ".join,
)
def test_wrong_usage_is_one_line_and_leaves_nothing(gpuaudit: Gpuaudit, home: Path, wrong: list[str]) -> None:
    gpuaudit("keys", "new")
    (home / "full").mkdir()
    (home / "full" / "mine").write_text("mine")
    (home / "file").write_text("mine")
    ran = gpuaudit("attest", "--simulate", "a100-sxm4-80gb:1", *wrong)
    assert (ran.code, ran.out, ran.err.count("\n")) == (Exit.USAGE, "", 1)
    assert sorted(path.name for path in home.rglob("*")) == ["file", "full", "mine"]


def test_a_folder_that_cannot_be_written_exits_4_before_any_work(gpuaudit: Gpuaudit) -> None:
    ran = gpuaudit(*ONE, "--out", "/proc/gpuaudit-test")
    assert (ran.code, ran.out) == (Exit.MACHINE, "")


def test_a_disk_that_is_full_exits_4_and_leaves_nothing(gpuaudit: Gpuaudit, home: Path) -> None:
    gpuaudit("keys", "new")
    with disk_with_room_for(10_000):
        ran = gpuaudit(*ONE, "--out", "out")
    assert (ran.code, ran.out, ran.err.count("\n")) == (Exit.MACHINE, "", 1)
    assert list(home.iterdir()) == []


def test_ctrl_c_while_collecting_is_one_line_and_leaves_nothing(home: Path) -> None:
    """On this machine itself, where collecting starts processes: it takes long enough to be interrupted."""
    if find_spec("torch") is None:
        pytest.skip("needs torch: without it there is nothing to wait for")
    command = [sys.executable, "-m", "gpuaudit", "attest", "--out", "out"]
    child = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert child.stderr is not None
    said = [child.stderr.readline() for _ in range(3)]
    assert said[2].startswith("measuring: ")
    # As a terminal does it: to the whole group.
    os.killpg(child.pid, signal.SIGINT)
    out, err = child.communicate(timeout=120)
    assert (child.returncode, out, err) == (Exit.INTERRUPTED, "", "gpuaudit: interrupted\n")
    assert list(home.iterdir()) == []
    assert _is_gone(child.pid)


def _is_gone(group: int, within_seconds: float = 60.0) -> bool:
    """Whether no process of the group is left. What was killed is there until its new parent has noticed, which is not ours."""
    deadline = time.monotonic() + within_seconds
    while time.monotonic() < deadline:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False
