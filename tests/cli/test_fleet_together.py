"""`gpuaudit fleet run --together`: who answered at the same time, and what an appraisal takes from it."""

from __future__ import annotations

import base64
import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from gpuaudit.cli.app import run
from gpuaudit.cli.signing import load_signer
from gpuaudit.evidence.codec import load
from gpuaudit.fleet.simultaneity import Window
from gpuaudit.fleet.together import ROUND_NAME, Answered, TogetherRecord, seal_round
from tests.challenge.rounds import A100
from tests.challenge.sshd import Server, installed_program, needs_sshd, sshd
from tests.cli.conftest import Gpuaudit
from tests.cli.test_challenge_attempts import program

REAL = "sustech-2024"
TENDER = "tender.toml"
NODES = ["node-000", "node-001", "node-002"]
Change = Callable[[Path], object]


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three honest simulated servers of one A100 that answered together: `fleet`, and beside it the verifier's `config`."""
    folder = tmp_path_factory.mktemp("together")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CONFIG_HOME", str(folder / "config"))
        simulated = ["--simulate", f"{A100}:1", "--nodes", "3", "--seed", "7"]
        assert run(["fleet", "run", "--together", *simulated, "--out", str(folder / "fleet"), "--quiet"]) == 0
    return folder


@pytest.fixture
def fleet(shown: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of them, for a test of its own."""
    shutil.copytree(shown, tmp_path / "together")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "together" / "config"))
    write_tender()
    return tmp_path / "together" / "fleet"


def write_tender() -> None:
    """Claim servers of one card: eight of a real tender's take long to simulate."""
    real = resources.files("gpuaudit.tender").joinpath("data", f"{REAL}.toml").read_text()
    Path(TENDER).write_text(
        real.replace('per_server = { kind = "exactly", n = 8 }', 'per_server = { kind = "exactly", n = 1 }')
    )


def appraised(gpuaudit: Gpuaudit, fleet: Path) -> dict[str, Any]:
    ran = gpuaudit(
        *("fleet", "appraise", fleet, "--tender", TENDER, "--allow-simulated", "--trust-on-first-use", "--format", "json")
    )
    assert ran.code == 0, ran.err
    result: dict[str, Any] = json.loads(ran.out)
    return result


def the_round(gpuaudit: Gpuaudit, fleet: Path) -> dict[str, Any]:
    (one,) = appraised(gpuaudit, fleet)["together"]
    return dict(one)


def recorded(fleet: Path) -> TogetherRecord:
    statement = json.loads(base64.b64decode(json.loads((fleet / ROUND_NAME).read_bytes())["payload"]))
    return load(TogetherRecord, json.dumps(statement["predicate"]).encode(), place=ROUND_NAME)


def signed_again(fleet: Path, change: Callable[[TogetherRecord], TogetherRecord]) -> None:
    """Let the verifier's own key sign another round."""
    (fleet / ROUND_NAME).write_bytes(seal_round(change(recorded(fleet)), load_signer("", None).signer))


def test_servers_that_answered_together_are_told_of_and_move_no_verdict(gpuaudit: Gpuaudit, fleet: Path) -> None:
    result = appraised(gpuaudit, fleet)
    (one,) = result["together"]
    assert (one["state"], one["nodes"], one["leftOut"], one["slots"]) == ("read", NODES, [], 3)
    assert one["basis"] == "measured"
    assert "3 of 3 nodes answered together on the verifier's clock, for 3 slots" in result["headline"]
    assert "the devices are simulated" in result["headline"]
    # Where the devices are simulated, nothing is said of how many there are.
    assert any("machines shown one after another may be one" in line for line in result["coverage"])
    (fleet / ROUND_NAME).unlink()
    without = appraised(gpuaudit, fleet)
    assert without["together"] == []
    assert [line["verdict"] for line in without["lines"]] == [line["verdict"] for line in result["lines"]]


def test_each_challenge_of_a_round_can_be_checked_again(gpuaudit: Gpuaudit, fleet: Path) -> None:
    ran = gpuaudit("challenge", "recheck", fleet / "node-001" / "challenge.json")
    assert ran.code == 0, ran.err


def alter(text: bytes, other: bytes) -> Change:
    def change(fleet: Path) -> None:
        file = fleet / ROUND_NAME
        sealed = file.read_bytes()
        payload = base64.b64decode(json.loads(sealed)["payload"])
        assert text in payload
        file.write_bytes(sealed.replace(base64.b64encode(payload), base64.b64encode(payload.replace(text, other))))

    return change


def swap_challenges(fleet: Path) -> None:
    first, second = (fleet / node / "challenge.json" for node in NODES[:2])
    first.write_bytes(second.read_bytes())


def lengthen_fill(one: TogetherRecord) -> TogetherRecord:
    first = one.members[0]
    assert isinstance(first.part, Answered)
    ended = first.part.fill.ended_nanoseconds - 1_000_000_000
    fill = Window(began_nanoseconds=first.part.fill.began_nanoseconds, ended_nanoseconds=ended)
    return replace(one, members=(replace(first, part=replace(first.part, fill=fill)), *one.members[1:]))


CHANGES: dict[str, tuple[Change, str]] = {
    "another-node-in-the-signed-round": (alter(b"node-002", b"node-009"), "signature"),
    "another-nodes-challenge": (swap_challenges, "not the challenge of this round"),
    "no-challenge": (lambda fleet: (fleet / "node-000" / "challenge.json").unlink(), "challenge.json"),
    "no-envelope": (lambda fleet: (fleet / ROUND_NAME).write_bytes(b"\x00"), ROUND_NAME),
    "nothing-in-it": (lambda fleet: (fleet / ROUND_NAME).write_bytes(b""), ROUND_NAME),
    "evidence-in-its-place": (lambda fleet: shutil.copy(fleet / "node-000" / "evidence.json", fleet / ROUND_NAME), ROUND_NAME),
    "times-of-its-own": (lambda fleet: signed_again(fleet, lengthen_fill), "its times are not those of the round"),
    "one-member-twice": (
        lambda fleet: signed_again(fleet, lambda one: replace(one, members=(*one.members, one.members[0]))),
        "named twice",
    ),
    "another-product": (
        lambda fleet: signed_again(fleet, lambda one: replace(one, product="t4")),
        "about another machine, product or verifier",
    ),
}


@pytest.mark.parametrize(("change", "reason"), CHANGES.values(), ids=list(CHANGES))
def test_a_round_that_does_not_hold_proves_nothing_and_spoils_nothing(
    gpuaudit: Gpuaudit, fleet: Path, change: Change, reason: str
) -> None:
    change(fleet)
    result = appraised(gpuaudit, fleet)
    (one,) = result["together"]
    assert one["state"] != "read"
    assert reason in one["reason"]
    assert (one["nodes"], one["cards"], one["statement"]) == ([], 0, "")
    assert "answered together" not in result["headline"]
    assert any(f"{ROUND_NAME}: {one['state']}" in notice for notice in result["notices"])
    assert [line["verdict"] for line in result["lines"]] == ["confirmed"]


def test_times_are_not_believed_of_a_key_that_came_with_the_evidence(
    gpuaudit: Gpuaudit, fleet: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever lays evidence, keys and a round of his own into a folder: first use trusts the nodes' keys, and no verifier's."""
    public = next((tmp_path / "together" / "config" / "gpuaudit" / "keys").glob("*.pub"))
    shutil.copy(public, fleet / "keys" / "verifier.pub")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "somebody-else"))
    one = the_round(gpuaudit, fleet)
    assert one["state"] != "read"
    assert one["nodes"] == []


def test_a_node_that_handed_in_other_evidence_does_not_count(gpuaudit: Gpuaudit, fleet: Path) -> None:
    (fleet / "node-001" / "evidence.json").write_bytes((fleet / "node-002" / "evidence.json").read_bytes())
    one = the_round(gpuaudit, fleet)
    assert "node-001" not in one["nodes"]
    assert {left["node"]: left["reason"] for left in one["leftOut"]}[
        "node-001"
    ] == "its evidence is not among what was appraised"


def test_a_node_that_cannot_answer_is_named_and_the_others_go_on(gpuaudit: Gpuaudit) -> None:
    """A node of smaller cards in between: it has not the memory, and nobody waits for it."""
    ran = gpuaudit(
        *("fleet", "run", "--together", "--simulate", f"{A100}:1", "--nodes", "3", "--bad", "1:spec=t4:1", "--seed", "7"),
        *("--out", "fleet"),
    )
    assert ran.code == 4
    assert "2 of 3 nodes answered together" in ran.out
    assert "out of memory" in ran.err
    assert sorted(path.name for path in Path("fleet").glob("node-*")) == NODES
    members = {one.node: one.part for one in recorded(Path("fleet")).members}
    (left,) = [part for part in members.values() if not isinstance(part, Answered)]
    assert not left.seed_revealed


WRONG: dict[str, tuple[list[str], str]] = {
    "nobody": (["--together"], "expected --hosts FILE, or --simulate"),
    "an-engine-too": (["--together", "--simulate", f"{A100}:1", "--address", "local"], "leave out --address and --nonce"),
    "both": (["--together", "--simulate", f"{A100}:1", "--hosts", "hosts"], "leave one of them out"),
    "hosts-alone": (["--hosts", "hosts"], "go with --together"),
    "no-claim": (["--together", "--hosts", "hosts"], "nothing is claimed"),
    "no-file": (["--together", "--hosts", "absent", "--product", A100], "cannot be read"),
    "no-product": (["--together", "--hosts", "hosts", "--product", "abacus"], "--product: got 'abacus'"),
    "no-suite": (["--together", "--simulate", f"{A100}:1", "--suite", "brief"], "expected one of full, quick, thorough"),
    "too-long": (["--together", "--simulate", f"{A100}:1", "--seconds", "121"], "expected at most 120"),
    "rehearsed-simulation": (["--together", "--simulate", f"{A100}:1", "--rehearsal"], "a simulation is small already"),
}


@pytest.mark.parametrize(("arguments", "message"), WRONG.values(), ids=list(WRONG))
def test_wrong_usage_is_told_before_anybody_is_asked(gpuaudit: Gpuaudit, arguments: list[str], message: str) -> None:
    Path("hosts").write_text("one\ntwo\n")
    ran = gpuaudit("fleet", "run", "--out", "fleet", *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert message in ran.err
    assert not Path("fleet").exists()


HOSTS: dict[str, tuple[str, str]] = {
    "none": ("# nobody\n\n", "got 0 hosts, expected 1 to 1000"),
    "too-many": ("".join(f"h{number}\n" for number in range(1001)), "got 1001 hosts"),
    "one-twice": ("one\nroot@one\n", "one: named twice"),
    "an-option": ("-oProxyCommand=touch\n", "got '-oProxyCommand=touch'"),
    "the-folder-of-keys": ("keys\n", "a name that is taken"),
    "no-text": ("\udcff\n", "cannot be read"),
}


@pytest.mark.parametrize(("text", "message"), HOSTS.values(), ids=list(HOSTS))
def test_a_file_of_hosts_that_is_none_is_refused(gpuaudit: Gpuaudit, text: str, message: str) -> None:
    Path("hosts").write_text(text, encoding="utf-8", errors="surrogateescape")
    ran = gpuaudit("fleet", "run", "--together", "--hosts", "hosts", "--product", A100, "--out", "fleet")
    assert (ran.code, ran.out) == (2, "")
    assert message in ran.err


def test_more_nodes_than_there_is_memory_for_are_refused(gpuaudit: Gpuaudit, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("hosts").write_text("".join(f"h{number}\n" for number in range(500)))

    class Little:
        available = 10**9

    monkeypatch.setattr("psutil.virtual_memory", Little)
    ran = gpuaudit("fleet", "run", "--together", "--hosts", "hosts", "--tender", REAL, "--out", "fleet")
    assert ran.code == 2
    assert "what 500 nodes open takes" in ran.err
    assert "1.0 GB are free" in ran.err


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    (tmp_path / "sshd").mkdir()
    with sshd(tmp_path / "sshd") as running:
        # Before what is said of all hosts: one of which nobody listens.
        nobody = "Host silent\n  HostName 127.0.0.1\n  Port 1\n"
        running.config.write_text(nobody + running.config.read_text())
        yield running


def together(config: Path, answering: Path, *hosts: str) -> list[str]:
    Path("hosts").write_text("".join(f"{host}\n" for host in hosts))
    fixed = ["fleet", "run", "--together", "--hosts", "hosts", "--product", A100, "--rehearsal", "--device", "cpu"]
    return [*fixed, "--retries", "0", "--ssh-config", str(config), "--remote", str(answering), "--out", "fleet"]


@needs_sshd
def test_machines_answer_together_over_ssh_and_who_cannot_be_reached_is_named(
    gpuaudit: Gpuaudit, server: Server, tmp_path: Path
) -> None:
    pytest.importorskip("torch", reason="torch is not installed")
    ran = gpuaudit(*together(server.config, installed_program(tmp_path), "root@first", "second", "silent"))
    assert ran.code == 4, ran.err
    assert "2 of 3 nodes answered together" in ran.out
    # Two names of one machine.
    assert "1 of them answered at a host key that another has too" in ran.out
    assert "silent: ssh silent" in ran.err
    assert "Connection refused" in json.loads(Path("fleet/silent.failed").read_text())["reason"]
    assert sorted(path.name for path in Path("fleet").iterdir()) == ["first", "keys", ROUND_NAME, "second", "silent.failed"]
    parts = [one.part for one in recorded(Path("fleet")).members if isinstance(one.part, Answered)]
    for windows in ([one.fill for one in parts], [one.walk for one in parts]):
        assert max(one.began_nanoseconds for one in windows) < min(one.ended_nanoseconds for one in windows)
    for node in ("first", "second"):
        checked = gpuaudit("challenge", "recheck", f"fleet/{node}/challenge.json")
        assert checked.code == 0, checked.err


@needs_sshd
def test_who_goes_away_with_the_seed_is_left_out_and_counts_in_the_odds(
    gpuaudit: Gpuaudit, server: Server, tmp_path: Path
) -> None:
    pytest.importorskip("torch", reason="torch is not installed")
    ran = gpuaudit(*together(server.config, program(tmp_path, "gone"), "first"))
    assert ran.code == 4, ran.err
    assert "None of 1 nodes answered together with others." in ran.out
    made = recorded(Path("fleet"))
    assert made.seeds == 1
    assert not isinstance(made.members[0].part, Answered)


@needs_sshd
def test_an_interrupted_round_ends_at_once_and_leaves_no_record_of_one(server: Server, tmp_path: Path) -> None:
    """A machine that takes what comes and never answers is hung up, however long it might be waited for."""
    silent, called = tmp_path / "silent", tmp_path / "called"
    silent.write_text(f"#!/bin/sh\ntouch {called}\nexec cat > /dev/null\n")
    silent.chmod(0o755)
    arguments = together(server.config, silent, "first", "second")
    with subprocess.Popen([sys.executable, "-m", "gpuaudit", *arguments], stderr=subprocess.PIPE, text=True) as process:
        for _ in range(2400):
            if called.exists() or process.poll() is not None:
                break
            time.sleep(0.05)
        assert called.exists()
        process.send_signal(signal.SIGINT)
        # A greeting that does not come is waited for five minutes.
        _, said = process.communicate(timeout=120)
    assert process.returncode == 130, said
    assert "Traceback" not in said
    assert not Path("fleet", ROUND_NAME).exists()
