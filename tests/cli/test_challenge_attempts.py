"""Attempts over ssh, from one call of the command to the next: whoever tries again shares the odds with what came before."""

from __future__ import annotations

import base64
import json
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gpuaudit.challenge.ledger import FILE_NAME, Ledger
from gpuaudit.challenge.result import NoHostKey
from tests.challenge.sshd import Server, installed_program, needs_sshd, rehearsed_over_ssh, sshd
from tests.cli.conftest import Gpuaudit

pytest.importorskip("torch", reason="torch is not installed")
pytestmark = needs_sshd

HELD_UP = Path(__file__).parents[1] / "challenge" / "held_up.py"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    (tmp_path / "sshd").mkdir()
    with sshd(tmp_path / "sshd") as running:
        yield running


def program(tmp_path: Path, then: str = "") -> Path:
    """The program of the other machine; `then` is what becomes of it when the seed comes."""
    folder = tmp_path / f"answers-{then}"
    folder.mkdir(exist_ok=True)
    held_up = shlex.join([sys.executable, str(HELD_UP), then, str(folder / "seed-came")]) if then else ""
    return installed_program(folder, begun_by=held_up)


def stated(folder: Path) -> dict[str, Any]:
    payload = json.loads((folder / "challenge.json").read_bytes())["payload"]
    result: dict[str, Any] = json.loads(base64.b64decode(payload))["predicate"]
    return result


def interrupted(arguments: list[str], came: Path) -> None:
    """Let a verifier of its own reveal a seed, and kill it."""
    with subprocess.Popen([sys.executable, "-m", "gpuaudit", *arguments], stderr=subprocess.DEVNULL) as process:
        for _ in range(2400):
            if came.exists() or process.poll() is not None:
                break
            time.sleep(0.05)
        assert came.exists()
        process.send_signal(signal.SIGKILL)


def test_what_was_tried_before_counts_however_it_ended(gpuaudit: Gpuaudit, server: Server, home: Path, tmp_path: Path) -> None:
    """A disconnection after the seed, a verifier that was killed, then an honest answer: the third attempt of three."""
    gone = gpuaudit(*rehearsed_over_ssh(server.config, program(tmp_path, "gone"), "--out", "gone"))
    assert gone.code == 11, gone.err
    assert "Nothing is proved" in gone.out
    interrupted(rehearsed_over_ssh(server.config, program(tmp_path, "hangs")), tmp_path / "answers-hangs" / "seed-came")
    ran = gpuaudit(*rehearsed_over_ssh(server.config, program(tmp_path), "--out", "proof"))
    assert ran.code == 0, ran.err
    assert "Attempts: 3, 2 of them in earlier calls; 3 had a seed and share the odds." in ran.out
    result = stated(home / "proof")
    assert result["assumed"]["attempts"] == 3
    assert [one["knownBy"] for one in result["attempts"]] == ["record", "record", "transcript"]
    first, second, third = result["attempts"]
    assert first["transcriptSha256"] == stated(home / "gone")["attempts"][0]["transcriptSha256"]
    assert "interrupted" in second["outcome"]["reason"]
    assert third["outcome"]["kind"] == "accepted"
    assert b'"attempt":3,' in (home / "proof" / "transcript-3.bin").read_bytes()
    again = gpuaudit("challenge", "recheck", "proof/challenge.json")
    assert again.code == 0, again.err
    assert "the times, and attempts of earlier calls, are the word of who signed" in again.out


def test_attempts_of_one_call_are_all_there_though_the_last_cannot_connect(
    gpuaudit: Gpuaudit, server: Server, home: Path, tmp_path: Path
) -> None:
    """The machine goes away after the first seed and stays away: what was tried is signed all the same."""
    answering = program(tmp_path, "gone")
    text = answering.read_text()
    answering.write_text(text.replace("#!/bin/sh\n", f"#!/bin/sh\ntest -e {answering.parent / 'seed-came'} && exit 1\n"))
    ran = gpuaudit(*rehearsed_over_ssh(server.config, answering, "--attempts", "3", "--out", "proof"))
    assert ran.code == 11, ran.err
    assert "closed by the other side" in ran.err
    assert len(stated(home / "proof")["attempts"]) == 1
    assert gpuaudit("challenge", "recheck", "proof/challenge.json").code == 0


def with_others_in_between(answering: Path, tmp_path: Path, number: int) -> None:
    """Before the second attempt is answered, another call of the same user is greeted by the machine so many times."""
    other = Ledger(tmp_path / "other")
    attempt = other.begin(at="2026-01-01T00:00:00Z", destination="audited", rehearsal=True, verifier="1" * 64)
    other.greeted(attempt, host=NoHostKey(), nonce="2" * 64, evidence_sha256="3" * 64)
    lines = (tmp_path / "other" / FILE_NAME).read_text()
    several = "".join(lines.replace(attempt, f"{one:016x}").replace("2" * 64, f"{one:064x}") for one in range(number))
    (tmp_path / "others").write_text(several)
    record = tmp_path / "config" / "gpuaudit" / "attempts" / FILE_NAME
    came, text = answering.parent / "seed-came", answering.read_text()
    answering.write_text(text.replace("#!/bin/sh\n", f"#!/bin/sh\ntest -e {came} && cat {tmp_path / 'others'} >> {record}\n"))


def test_attempts_of_another_call_in_between_share_the_odds(
    gpuaudit: Gpuaudit, server: Server, home: Path, tmp_path: Path
) -> None:
    answering = program(tmp_path, "gone")
    with_others_in_between(answering, tmp_path, 1)
    ran = gpuaudit(*rehearsed_over_ssh(server.config, answering, "--attempts", "2", "--out", "proof"))
    assert ran.code == 11, ran.err
    result = stated(home / "proof")
    assert [one["knownBy"] for one in result["attempts"]] == ["transcript", "record", "transcript"]
    assert result["assumed"]["attempts"] == 3
    again = gpuaudit("challenge", "recheck", "proof/challenge.json")
    assert again.code == 0, again.err


def test_an_attempt_too_many_ends_without_a_seed_and_loses_none_before_it(
    gpuaudit: Gpuaudit, server: Server, home: Path, tmp_path: Path
) -> None:
    answering = program(tmp_path, "gone")
    with_others_in_between(answering, tmp_path, 1000)
    ran = gpuaudit(*rehearsed_over_ssh(server.config, answering, "--attempts", "3", "--out", "proof"))
    assert ran.code == 2, ran.err
    assert "attempt 1002, expected at most 1000" in ran.err
    assert len(stated(home / "proof")["attempts"]) == 1
    assert gpuaudit("challenge", "recheck", "proof/challenge.json").code == 0
    last = (tmp_path / "config" / "gpuaudit" / "attempts" / FILE_NAME).read_bytes().splitlines()[-1]
    event = json.loads(last)["event"]
    assert (event["kind"], event["outcome"]["seedRevealed"]) == ("ended", False)


def test_another_machine_that_answers_a_later_attempt_ends_it_and_loses_none_before_it(
    gpuaudit: Gpuaudit, server: Server, home: Path, tmp_path: Path
) -> None:
    """Both host keys are known under one name: ssh is content, and the second seed is not revealed."""
    answering = program(tmp_path, "gone")
    (tmp_path / "second").mkdir()
    with sshd(tmp_path / "second") as other:
        first, second = (one.config.parent for one in (server, other))
        for name, of, to in (("known_hosts", second, first), ("authorized_keys", first, second)):
            (to / name).write_text((to / name).read_text() + (of / name).read_text())
        later = f'Match exec "test -e {answering.parent / "seed-came"}"\n  Port {other.port}\n'
        server.config.write_text(later + server.config.read_text())
        ran = gpuaudit(*rehearsed_over_ssh(server.config, answering, "--attempts", "3", "--out", "proof"))
    assert ran.code == 3, ran.err
    assert "another host key answered attempt 2" in ran.err
    assert len(stated(home / "proof")["attempts"]) == 1
    assert "Nothing is proved" in ran.out
    assert gpuaudit("challenge", "recheck", "proof/challenge.json").code == 0


def test_where_attempts_cannot_be_recorded_nothing_is_sent(gpuaudit: Gpuaudit, server: Server, tmp_path: Path) -> None:
    folder = tmp_path / "config" / "gpuaudit" / "attempts"
    folder.mkdir(parents=True)
    folder.chmod(0o755)
    answering = program(tmp_path)
    ran = gpuaudit(*rehearsed_over_ssh(server.config, answering))
    assert ran.code == 4
    assert "open to others (mode 755); chmod go-rwx" in ran.err
    assert not (answering.parent / "environment").exists()
