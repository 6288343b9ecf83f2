"""Running a fleet: nothing sealed is lost, nothing is done twice, whatever kills it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import pytest

from gpuaudit.envelope import load_keyring, open_evidence
from gpuaudit.envelope.keystore import KeyStore
from gpuaudit.errors import MachineError, UsageError
from gpuaudit.evidence.bundle import Origin
from gpuaudit.evidence.reading import Known
from gpuaudit.fleet.folder import read_folder
from gpuaudit.fleet.ledger import Ledger
from gpuaudit.fleet.node import FailedNode, NodeTask, Outcome, SealedNode, run_node
from gpuaudit.fleet.processes import ProcessEngine
from gpuaudit.fleet.run import RunSummary, run_fleet
from gpuaudit.fleet.simulate import SimulatedNode, simulated_fleet
from tests.fleet.killing import kill_over, nursery

KILLS, NODES = 100, 3


def tasks(nodes: int, spec: str = "t4:1") -> list[NodeTask]:
    fleet = simulated_fleet(spec, nodes, seed=7)
    return [NodeTask(node=node, nonce="ab" * 32, suite="quick", busy_ok=False) for node in fleet]


class Scripted:
    """An engine whose nodes do what they are told."""

    def __init__(self, outcomes: Sequence[Outcome]) -> None:
        self.outcomes = {outcome.node: outcome for outcome in outcomes}
        self.asked: list[str] = []

    def run(self, tasks: Sequence[NodeTask]) -> Iterator[Outcome]:
        for task in tasks:
            self.asked.append(task.node.node)
            yield self.outcomes[task.node.node]


def sealed(node: str, content: bytes = b"evidence") -> SealedNode:
    return SealedNode(node=node, evidence=content, public_key=b"key of " + content)


def failed(node: str) -> FailedNode:
    return FailedNode(node=node, reason="it vanished", attempts=2)


def digests(folder: Path) -> dict[str, str]:
    return {path.name: sha256(path.read_bytes()).hexdigest() for path in folder.glob("*.json")}


def test_a_failed_node_is_run_again_and_a_sealed_one_is_not(tmp_path: Path) -> None:
    first = Scripted([sealed("node-000"), failed("node-001"), sealed("node-002")])
    assert run_fleet(tasks(3), Ledger(folder=tmp_path), first) == RunSummary(kept=0, sealed=2, failed=("node-001",))
    assert "it vanished" in (tmp_path / "node-001.failed").read_text()
    second = Scripted([sealed("node-001")])
    assert run_fleet(tasks(3), Ledger(folder=tmp_path), second) == RunSummary(kept=2, sealed=1, failed=())
    assert second.asked == ["node-001"]
    assert not (tmp_path / "node-001.failed").exists()
    assert len(read_folder(tmp_path).candidates) == 3


def test_evidence_is_never_replaced(tmp_path: Path) -> None:
    ledger = Ledger(folder=tmp_path)
    with ledger.held(["a"]):
        ledger.keep("a", b"first", b"key")
        with pytest.raises(FileExistsError):
            ledger.keep("a", b"second", b"other key")
    assert (tmp_path / "a.json").read_bytes() == b"first"
    assert (tmp_path / "keys" / "a.pub").read_bytes() == b"key"


def test_two_runs_cannot_share_a_folder(tmp_path: Path) -> None:
    with Ledger(folder=tmp_path).held([]), pytest.raises(UsageError, match="another run"), Ledger(folder=tmp_path).held([]):
        pass
    with Ledger(folder=tmp_path).held(["a"]) as left:
        assert left == ("a",)


@pytest.mark.parametrize("node", ["", "../escape", ".hidden", "a/b", "a\nb", "x" * 128])
def test_a_name_that_is_no_file_name_is_refused(node: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="node"), Ledger(folder=tmp_path).held([node]):
        pass


def test_a_folder_that_cannot_be_made_is_the_machines_fault(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises((UsageError, MachineError)), Ledger(folder=tmp_path / "file").held(["a"]):
        pass


def test_each_node_seals_with_a_key_of_its_own(tmp_path: Path) -> None:
    run_fleet(tasks(3), Ledger(folder=tmp_path), ProcessEngine(workers=1))
    keyring = load_keyring(KeyStore(folder=tmp_path / "none"), [tmp_path / "keys"])
    opened = [open_evidence(path.read_bytes(), keyring, place=path.name) for path in sorted(tmp_path.glob("*.json"))]
    assert len({one.keyids for one in opened}) == len(keyring.keys) == 3
    uuids = [one.bundle.nvml.devices[0].identity.uuid for one in opened]
    assert len({uuid.value for uuid in uuids if isinstance(uuid, Known)}) == 3


def test_processes_run_what_one_would(tmp_path: Path) -> None:
    summary = run_fleet(tasks(5), Ledger(folder=tmp_path), ProcessEngine(workers=2))
    assert summary == RunSummary(kept=0, sealed=5, failed=())


def test_a_node_that_cannot_run_is_tried_as_told(tmp_path: Path) -> None:
    bad = replace(tasks(1)[0], suite="endless")
    (outcome,) = ProcessEngine(workers=1, attempts=3).run([bad])
    assert isinstance(outcome, FailedNode)
    assert outcome.attempts == 3
    assert "endless" in outcome.reason


def test_an_adversary_plays_on_its_node(tmp_path: Path) -> None:
    node = SimulatedNode(node="n", spec="a100-sxm4-80gb:1", adversary="renamed-as=h100-sxm5-80gb", seed=3)
    outcome = run_node(NodeTask(node=node, nonce="ab" * 32, suite="quick", busy_ok=False))
    assert isinstance(outcome, SealedNode)
    (tmp_path / "n.pub").write_bytes(outcome.public_key)
    keyring = load_keyring(KeyStore(folder=tmp_path / "none"), [tmp_path / "n.pub"])
    bundle = open_evidence(outcome.evidence, keyring, place="n").bundle
    (device,) = bundle.nvml.devices
    assert isinstance(device.identity.name, Known)
    assert "H100" in device.identity.name.value
    assert bundle.origin is Origin.SIMULATED


def test_killed_at_any_time_nothing_sealed_is_lost_and_nothing_is_doubled(tmp_path: Path) -> None:
    """The whole command, killed at a hundred seeded times that cover it evenly; each state is looked at, and every tenth gone on with.

    What is sealed opens with its own key, is as the run before left it, and is never run again.
    """
    states: Counter[int] = Counter()

    def all_states() -> bool:
        return set(range(NODES)) <= states.keys()

    with nursery(tmp_path / "home") as started:
        for name in kill_over(started, lambda name: command(tmp_path / name), kills=KILLS, seed=7, covered=all_states):
            folder = tmp_path / name
            sealed_first = digests(folder)
            states[len(sealed_first)] += 1
            assert_all_open(folder)
            if states.total() % 10 == 0:
                assert started.run(command(folder)).code == 0
                assert sealed_first.items() <= digests(folder).items()
                assert_whole(folder)
    assert states.total() >= KILLS
    # Killed before the first node, and between any two.
    assert all_states(), states


def command(folder: Path) -> list[str | Path]:
    return ["fleet", "run", "--out", folder, "--simulate", "t4:1", "--nodes", str(NODES), "--seed", "7", "--workers", "1"]


def assert_whole(folder: Path) -> None:
    names = [f"node-{number:03}" for number in range(NODES)]
    assert sorted(path.name for path in folder.iterdir()) == [".run.lock", "keys", *(f"{name}.json" for name in names)]
    assert sorted(path.name for path in (folder / "keys").iterdir()) == [f"{name}.pub" for name in names]
    assert_all_open(folder)


def assert_all_open(folder: Path) -> None:
    for path in folder.glob("*.json"):
        keyring = load_keyring(KeyStore(folder=folder / "none"), [folder / "keys" / f"{path.stem}.pub"])
        opened = open_evidence(path.read_bytes(), keyring, place=path.name)
        assert opened.bundle.origin is Origin.SIMULATED
    assert list(folder.glob("*.failed")) == []
