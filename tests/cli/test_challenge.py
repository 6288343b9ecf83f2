"""`gpuaudit challenge`, through the command line: by itself, by files, over a real ssh."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import sys
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import pytest

from gpuaudit.cli.app import run
from tests.challenge.rounds import A100
from tests.challenge.sshd import Server, installed_program, needs_sshd, rehearsed_over_ssh, sshd
from tests.cli.conftest import Gpuaudit

WRITTEN = {"challenge.json", "evidence.json", "machine.pub", "transcript-1.bin"}

pytest.importorskip("torch", reason="torch is not installed")


def flipped(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(bytes(data))


@pytest.mark.parametrize("claim", [("--tender", "sustech-2024"), ("--product", A100, "--slots", "8")], ids=lambda one: one[0])
def test_a_plan_says_what_it_takes_and_what_it_cannot_tell(gpuaudit: Gpuaudit, claim: tuple[str, ...]) -> None:
    ran = gpuaudit("challenge", "plan", *claim)
    assert ran.code == 0, ran.err
    assert "Challenge for 8 x a100" in ran.out
    for word in ("a800-sxm4", "rtx-pro-6000-server", "a relay to machines elsewhere", "cards by capacity"):
        assert word in ran.out
    plan = json.loads(gpuaudit("challenge", "plan", *claim, "--format", "json").out)
    assert plan["cards"] == 8
    assert 0.94 < plan["residentBytes"] / (8 * plan["memoryBytesPerSlot"]) < 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(("plan",), "nothing is claimed", id="no-claim"),
        pytest.param(("plan", "--product", "a101"), "--product", id="no-such-product"),
        pytest.param(("plan", "--product", A100, "--rung", "94"), "--rung", id="no-such-rung"),
        pytest.param(("plan", "--tender", "sustech-2024", "--product", "t4"), "would not satisfy", id="not-the-claim"),
        pytest.param(("ssh", "-oProxyCommand=touch x", "--product", A100), "", id="an-option-for-a-host"),
        pytest.param(("ssh", "a host", "--product", A100), "HOST", id="a-host-with-a-blank"),
        pytest.param(("answer",), "either --stdio", id="nothing-to-answer"),
        pytest.param(("local", "--device", "tpu"), "--device", id="no-such-device"),
        pytest.param(("recheck", "missing.json"), "no such file", id="no-such-file"),
    ],
)
def test_wrong_usage_is_one_line_and_status_2(gpuaudit: Gpuaudit, arguments: tuple[str, ...], words: str) -> None:
    ran = gpuaudit("challenge", *arguments)
    assert ran.code == 2
    assert words in ran.err
    assert "Traceback" not in ran.err
    assert list(Path().iterdir()) == []


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What a machine that challenged itself left behind, and the key by which others open it."""

    folder: Path
    keyring: Path
    out: str


@pytest.fixture(scope="module")
def proof(tmp_path_factory: pytest.TempPathFactory) -> Proof:
    """Made once: torch is loaded three times for it."""
    there = tmp_path_factory.mktemp("proof")
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(StringIO()) as out:
        patch.setenv("XDG_CONFIG_HOME", str(there / "config"))
        code = run(["challenge", "local", "--device", "cpu", "--rehearsal", "--out", str(there / "out")])
    assert code == 0
    return Proof(folder=there / "out", keyring=there / "config" / "gpuaudit" / "keys" / "default.pub", out=out.getvalue())


def test_a_machine_that_challenges_itself_gets_a_measurement_at_most(gpuaudit: Gpuaudit, proof: Proof) -> None:
    assert "a rehearsal was answered and checked" in proof.out
    assert "Basis: measured" in proof.out
    assert {path.name for path in proof.folder.iterdir()} == WRITTEN
    evidence, key = proof.folder / "evidence.json", proof.folder / "machine.pub"
    assert gpuaudit("verify", evidence, "--keyring", key).code == 0


def test_whoever_trusts_the_key_can_check_it_again(gpuaudit: Gpuaudit, proof: Proof) -> None:
    again = gpuaudit("challenge", "recheck", proof.folder / "challenge.json", "--keyring", proof.keyring)
    assert again.code == 0, again.err
    assert "times are the word of who signed" in again.out
    assert gpuaudit("challenge", "recheck", proof.folder / "challenge.json").code == 3


def test_who_checks_again_opens_the_evidence_beside_it(gpuaudit: Gpuaudit, home: Path, proof: Proof) -> None:
    """Evidence of another challenge of the same machine, sealed with the same key, beside the result."""
    shutil.copytree(proof.folder, home / "proof")
    again = ("challenge", "recheck", "proof/challenge.json", "--keyring", proof.keyring)
    ran = gpuaudit(*again)
    assert ran.code == 0, ran.err
    assert "The evidence beside it is what the machine greeted with, before anything was timed; devices: cpu." in ran.out
    assert gpuaudit("attest", "--simulate", "a100-sxm4-80gb:1", "--out", "other").code == 0
    shutil.copy("other/evidence.json", "proof/evidence.json")
    ran = gpuaudit(*again)
    assert ran.code == 3
    assert "evidence: not what the machine greeted with" in ran.err


@pytest.mark.parametrize("name", ["evidence.json", "machine.pub"])
def test_that_no_evidence_was_opened_is_said(gpuaudit: Gpuaudit, home: Path, proof: Proof, name: str) -> None:
    shutil.copytree(proof.folder, home / "proof")
    (home / "proof" / name).unlink()
    ran = gpuaudit("challenge", "recheck", "proof/challenge.json", "--keyring", proof.keyring)
    assert ran.code == 0, ran.err
    assert f"The evidence was not opened: no {name} beside it." in ran.out
    assert "that the devices are not simulated, is the word of who signed" in ran.out


def test_an_appraisal_takes_a_challenge_about_its_evidence(gpuaudit: Gpuaudit, proof: Proof) -> None:
    evidence, keys = proof.folder / "evidence.json", ("--keyring", proof.keyring, "--keyring", proof.folder / "machine.pub")
    terms = ("--tender", "sustech-2024", *keys, "--format", "json")
    without = json.loads(gpuaudit("appraise", evidence, *terms).out)
    ran = gpuaudit("appraise", evidence, "--challenge", proof.folder / "challenge.json", *terms)
    result = json.loads(ran.out)
    assert result["challenges"][0]["name"] == "challenge.json"
    assert any("challenge: Nothing is proved: a rehearsal" in notice for notice in result["notices"])
    assert (result["verdict"], result["byBasis"]) == (without["verdict"], without["byBasis"])
    assert without["challenges"] == []


def test_an_appraisal_refuses_a_challenge_about_other_evidence(gpuaudit: Gpuaudit, proof: Proof, home: Path) -> None:
    assert gpuaudit("attest", "--simulate", "a100-sxm4-80gb:1", "--out", "other").code == 0
    ran = gpuaudit(
        "appraise",
        "other/evidence.json",
        "--challenge",
        proof.folder / "challenge.json",
        "--keyring",
        proof.keyring,
        "--tender",
        "sustech-2024",
    )
    assert ran.code == 3
    assert "other evidence" in ran.err


@pytest.mark.parametrize("at", [40, 1000, 3000, -1], ids=["hello", "challenge", "middle", "opening"])
def test_a_transcript_that_was_changed_afterwards_is_not_authentic(
    gpuaudit: Gpuaudit, home: Path, proof: Proof, at: int
) -> None:
    shutil.copytree(proof.folder, home / "proof")
    flipped(home / "proof" / "transcript-1.bin", at)
    ran = gpuaudit("challenge", "recheck", "proof/challenge.json", "--keyring", proof.keyring)
    assert ran.code == 3
    assert "transcript" in ran.err


def test_a_request_travels_as_a_file_and_so_does_its_answer(gpuaudit: Gpuaudit, home: Path) -> None:
    assert gpuaudit("challenge", "issue", "request.txt", "--product", A100, "--rehearsal").code == 0
    ran = gpuaudit("challenge", "answer", "request.txt", "--device", "cpu", "--out", "answer")
    assert ran.code == 0, ran.err
    assert {path.name for path in (home / "answer").iterdir()} == {"answer.bin", "evidence.json", "machine.pub"}
    ran = gpuaudit("challenge", "check", "request.txt", "answer", "--product", A100, "--out", "proof")
    assert ran.code == 0, ran.err
    assert "no clock ran" in ran.out
    assert "Basis: measured" in ran.out
    assert gpuaudit("challenge", "recheck", "proof/challenge.json").code == 0
    result = json.loads(gpuaudit("challenge", "check", "request.txt", "answer", "--product", A100, "--format", "json").out)
    assert result["conclusion"]["kind"] == "not-proved"
    wrong = gpuaudit("challenge", "check", "request.txt", "answer", "--tender", "sustech-2024", "--product", A100)
    assert wrong.code == 2
    assert "issued with another tender" in wrong.err
    assert gpuaudit("keys", "new", "--name", "second").code == 0
    second = home.parent / "config" / "gpuaudit" / "keys" / "second.pem"
    wrong = gpuaudit("challenge", "check", "request.txt", "answer", "--product", A100, "--key", second)
    assert wrong.code == 2
    assert "issued with another key" in wrong.err
    flipped(home / "answer" / "answer.bin", -1)
    flipped(home / "answer" / "answer.bin", -4000)
    again = gpuaudit("challenge", "issue", "second.txt", "--product", A100, "--rehearsal")
    assert again.code == 0
    other = gpuaudit("challenge", "check", "second.txt", "answer", "--product", A100)
    assert other.code == 3
    assert "step 1" in other.err


def test_a_request_is_never_written_over_anything(gpuaudit: Gpuaudit, home: Path) -> None:
    (home / "request.txt").write_text("mine")
    for request, words in (("request.txt", "exists"), ("no/request.txt", "no such folder")):
        ran = gpuaudit("challenge", "issue", request, "--product", A100, "--rehearsal")
        assert ran.code == 2
        assert words in ran.err
        assert "give another REQUEST" in ran.err
    assert (home / "request.txt").read_text() == "mine"


def test_a_machine_without_a_device_says_so_to_a_request(
    gpuaudit: Gpuaudit, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    assert gpuaudit("challenge", "issue", "request.txt", "--product", A100, "--rehearsal").code == 0
    ran = gpuaudit("challenge", "answer", "request.txt", "--out", "answer")
    assert ran.code == 4
    assert "no device to challenge on this machine" in ran.err
    assert not (home / "answer").exists()


def test_a_full_size_challenge_does_not_fit_into_a_file(gpuaudit: Gpuaudit) -> None:
    ran = gpuaudit("challenge", "issue", "request.txt", "--product", A100, "--slots", "8")
    assert ran.code == 2
    assert "too many for an answer in a file" in ran.err


def test_answering_does_not_let_anything_else_be_printed_between_the_messages() -> None:
    """A line that is no greeting gets an abort, on a stdout that holds nothing else."""
    ran = subprocess.run(
        [sys.executable, "-m", "gpuaudit", "challenge", "answer", "--stdio", "--device", "cpu"],
        input=b"hello?\n",
        capture_output=True,
        check=False,
        timeout=300,
    )
    assert ran.returncode == 0
    (line,) = ran.stdout.splitlines()
    assert json.loads(line)["type"] == "abort"


@pytest.fixture
def server(tmp_path: Path) -> object:
    (tmp_path / "sshd").mkdir()
    with sshd(tmp_path / "sshd") as running:
        yield running


@pytest.fixture
def program(tmp_path: Path) -> Path:
    return installed_program(tmp_path)


def over_ssh(server: Server, program: Path, *more: str) -> list[str]:
    return rehearsed_over_ssh(server.config, program, *more)


@needs_sshd
def test_a_challenge_over_ssh_is_answered_checked_and_names_the_host_key(
    gpuaudit: Gpuaudit, server: Server, program: Path, home: Path, tmp_path: Path
) -> None:
    ran = gpuaudit(*over_ssh(server, program, "--host-key", server.fingerprint, "--out", "proof"))
    assert ran.code == 0, ran.err
    assert server.fingerprint in ran.err
    assert {path.name for path in (home / "proof").iterdir()} == WRITTEN
    ran = gpuaudit("challenge", "recheck", "proof/challenge.json")
    assert ran.code == 0, ran.err
    payload = json.loads((home / "proof" / "challenge.json").read_bytes())["payload"]
    result = json.loads(base64.b64decode(payload))["predicate"]
    assert result["host"] == {"algorithm": "ssh-ed25519", "fingerprint": server.fingerprint, "kind": "host-key"}
    assert (result["place"], result["basis"]) == ("remote", "measured")
    environment = (tmp_path / "environment").read_text()
    assert "SSH_AUTH_SOCK" not in environment
    assert "DISPLAY=" not in environment
    assert "SSH_TTY" not in environment
    assert not (tmp_path / "sshd" / "local-command-ran").exists()


@needs_sshd
def test_another_host_key_than_the_one_learnt_out_of_band_is_not_authentic(
    gpuaudit: Gpuaudit, server: Server, program: Path
) -> None:
    ran = gpuaudit(*over_ssh(server, program, "--host-key", "SHA256:" + "A" * 43))
    assert ran.code == 3
    assert "another machine answers" in ran.err


@needs_sshd
def test_a_host_whose_key_is_unknown_is_not_talked_to(gpuaudit: Gpuaudit, server: Server, program: Path) -> None:
    (server.config.parent / "known_hosts").write_text("")
    ran = gpuaudit(*over_ssh(server, program))
    assert ran.code == 4
    assert "Host key verification failed" in ran.err


@needs_sshd
def test_a_machine_without_the_program_is_one_line(gpuaudit: Gpuaudit, server: Server) -> None:
    ran = gpuaudit(*over_ssh(server, Path("/no/such/program")))
    assert ran.code == 4
    assert "closed by the other side" in ran.err
    assert "Traceback" not in ran.err


@needs_sshd
@pytest.mark.parametrize(
    "script",
    [
        pytest.param("head -c 100000000 /dev/zero", id="a-hundred-megabytes"),
        pytest.param("printf '\\033]52;c;AAAA\\007\\n' >&2; echo '{}'", id="escapes-on-stderr"),
        pytest.param("head -c 5000000 /dev/zero >&2", id="a-flood-on-stderr"),
        pytest.param("kill -9 $$", id="killed"),
    ],
)
def test_a_hostile_program_on_the_other_side_is_one_line(
    gpuaudit: Gpuaudit, server: Server, tmp_path: Path, script: str
) -> None:
    hostile = tmp_path / "hostile"
    hostile.write_text(f"#!/bin/sh\n{script}\n")
    hostile.chmod(0o755)
    ran = gpuaudit(*over_ssh(server, hostile))
    assert ran.code == 4
    assert "\x1b" not in ran.err + ran.out
    assert "Traceback" not in ran.err
