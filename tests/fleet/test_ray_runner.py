"""The engine for Ray, on a cluster of several simulated nodes on this machine, one of which is killed in the middle."""

from __future__ import annotations

import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gpuaudit.errors import UsageError
from gpuaudit.fleet.ledger import Ledger
from gpuaudit.fleet.node import FailedNode, NodeTask, Outcome, RealNode
from gpuaudit.fleet.run import run_fleet
from gpuaudit.fleet.simulate import simulated_fleet

ray = pytest.importorskip("ray", reason="ray is not installed here (the extra `fleet`)")

from gpuaudit.fleet.ray_runner import RayEngine, connect, real_nodes  # noqa: E402 - ray may be missing

pytestmark = [
    pytest.mark.ray,
    pytest.mark.filterwarnings("ignore:::ray"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Three nodes of one core; the first is the head."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cluster_utils = pytest.importorskip("ray.cluster_utils")
        made = cluster_utils.Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
        made.workers = [made.add_node(num_cpus=1), made.add_node(num_cpus=1, num_gpus=8)]
        made.wait_for_nodes()
        connect(made.address)
        yield made
        ray.shutdown()
        made.shutdown()


def tasks(nodes: int, spec: str = "t4:1") -> list[NodeTask]:
    fleet = simulated_fleet(spec, nodes, seed=7)
    return [NodeTask(node=node, nonce="ab" * 32, suite="quick", busy_ok=False) for node in fleet]


def test_every_node_is_sealed_once(cluster: Any, tmp_path: Path) -> None:
    summary = run_fleet(tasks(5), Ledger(folder=tmp_path), RayEngine(attempts=1, timeout_seconds=120))
    assert (summary.sealed, summary.failed) == (5, ())
    assert len(list(tmp_path.glob("*.json"))) == 5


def test_real_nodes_are_those_with_gpus(cluster: Any) -> None:
    (node,) = real_nodes()
    assert node.place in {one["NodeID"] for one in ray.nodes()}


def test_a_node_that_cannot_run_is_tried_as_told_and_the_rest_is_sealed(cluster: Any, tmp_path: Path) -> None:
    first, *rest = tasks(3)
    engine = RayEngine(attempts=2, timeout_seconds=120)
    summary = run_fleet([replace(first, suite="endless"), *rest], Ledger(folder=tmp_path), engine)
    assert summary.failed == ("node-000",)
    told = (tmp_path / "node-000.failed").read_text()
    assert '"attempts": 2' in told
    assert "endless" in told


def test_a_node_that_is_not_there_is_a_reason(cluster: Any) -> None:
    gone = NodeTask(node=RealNode(node="gone", place="e" * 56), nonce="ab" * 32, suite="quick", busy_ok=False)
    (outcome,) = RayEngine(attempts=1, timeout_seconds=60).run([gone])
    assert isinstance(outcome, FailedNode)
    assert outcome.reason


def test_a_node_that_hangs_is_given_up(cluster: Any) -> None:
    # It asks for the GPUs of a node all of which somebody holds: it would wait for ever.
    (node,) = real_nodes()
    held = ray.remote(lambda: time.sleep(600)).options(num_gpus=8).remote()
    task = NodeTask(node=node, nonce="ab" * 32, suite="quick", busy_ok=False)
    began = time.monotonic()
    (outcome,) = RayEngine(attempts=1, timeout_seconds=3).run([task])
    ray.cancel(held, force=True)
    assert isinstance(outcome, FailedNode)
    assert "in time" in outcome.reason
    assert time.monotonic() - began < 60


def test_a_node_of_the_cluster_killed_in_the_middle_loses_nothing(cluster: Any, tmp_path: Path) -> None:
    """Its tasks are run again elsewhere; what was sealed before stays as it was."""

    class KillsAfterTwo:
        def run(self, tasks: Sequence[NodeTask]) -> Iterator[Outcome]:
            for number, outcome in enumerate(RayEngine(attempts=3, timeout_seconds=120).run(tasks)):
                if number == 1:
                    cluster.remove_node(cluster.workers.pop(0), allow_graceful=False)
                yield outcome

    summary = run_fleet(tasks(8, "a100-sxm4-80gb:2"), Ledger(folder=tmp_path), KillsAfterTwo())
    assert (summary.sealed, summary.failed) == (8, ())


def test_a_cluster_without_gpus_has_no_nodes_to_audit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray, "nodes", list)
    with pytest.raises(UsageError, match="no node of this cluster has GPUs"):
        real_nodes()
