"""The engine for Ray, on a cluster of several simulated nodes on this machine, one of which is killed in the middle."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gpuaudit.cli.exits import Exit
from gpuaudit.errors import MachineError, UsageError
from gpuaudit.fleet.folder import Candidate
from gpuaudit.fleet.gather import Hearing
from gpuaudit.fleet.ledger import Ledger
from gpuaudit.fleet.node import FailedNode, NodeTask, Outcome, RealNode
from gpuaudit.fleet.run import run_fleet
from gpuaudit.fleet.simulate import simulated_fleet
from gpuaudit.fleet.testimony import Heard
from tests.fleet.fleets import A100, lay
from tests.fleet.test_gather import corrupt, gigabyte, result_of

ray = pytest.importorskip("ray", reason="ray is not installed here (the extra `fleet`)")

from gpuaudit.fleet import ray_runner  # noqa: E402 - ray may be missing
from gpuaudit.fleet.ray_runner import RayEngine, RayListeners, connect, real_nodes  # noqa: E402 - ray may be missing

pytestmark = [
    pytest.mark.ray,
    pytest.mark.filterwarnings("ignore:::ray"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


# By default a cluster takes a quarter of a minute to notice that a node is gone.
SOON = {"health_check_initial_delay_ms": 0, "health_check_period_ms": 500, "health_check_failure_threshold": 4}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Three nodes of one core; the first is the head."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cluster_utils = pytest.importorskip("ray.cluster_utils")
        made = cluster_utils.Cluster(
            initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False, "_system_config": SOON}
        )
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


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("files")
    lay(folder, A100, range(14))
    corrupt(folder)
    (folder / "odd.json").rename(folder / "corrupt.json")
    gigabyte(folder)
    return folder


def test_a_cluster_comes_to_the_same_result_as_this_machine(cluster: Any, files: Path) -> None:
    result = result_of(files, listeners=RayListeners())
    assert result == result_of(files)
    assert [row.state for row in result.rows].count("appraised") == 14


def test_the_command_sends_the_files_to_a_cluster(cluster: Any, files: Path, tmp_path: Path) -> None:
    """In a process of its own: this one is connected already."""
    options = ["--tender", "china-coal-2024", "--keyring", str(files / "keys"), "--allow-simulated", "--format", "json"]
    command = [sys.executable, "-m", "gpuaudit", "fleet", "appraise", str(files), *options, "--address", cluster.address]
    ran = subprocess.run(
        command, capture_output=True, text=True, check=False, env=os.environ | {"XDG_CONFIG_HOME": str(tmp_path)}
    )
    assert ran.returncode == Exit.CONFIRMED, ran.stderr
    assert sum(row["state"] == "appraised" for row in json.loads(ran.stdout)["rows"]) == 14
    assert "16 of 16 files" in ran.stderr


def test_a_node_without_gpuaudit_is_told_what_to_install(cluster: Any, files: Path, tmp_path: Path) -> None:
    """The processes of the cluster find a package of that name first that is none."""
    package = tmp_path / "absent" / "gpuaudit"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("raise ModuleNotFoundError(\"No module named 'gpuaudit'\")\n")
    there = json.dumps({"runtime_env": {"env_vars": {"PYTHONPATH": str(package.parent)}}})
    command = [sys.executable, "-m", "gpuaudit", "fleet", "appraise", str(files), "--tender", "china-coal-2024"]
    ran = subprocess.run(
        [*command, "--keyring", str(files / "keys"), "--address", cluster.address],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
        env=os.environ | {"XDG_CONFIG_HOME": str(tmp_path), "RAY_JOB_CONFIG_JSON_ENV_VAR": there},
    )
    assert ran.returncode == Exit.MACHINE, ran.stderr
    (told,) = [line for line in ran.stderr.splitlines() if "install the same there" in line]
    assert "No module named 'gpuaudit'" in told


def test_a_node_that_would_judge_by_other_rules_is_refused(cluster: Any, files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The verifier's own version differs from the nodes' as theirs would from its."""
    monkeypatch.setattr(ray_runner, "__version__", "0.0.1")
    with pytest.raises(MachineError, match=r"other rules.*expected 0\.0\.1"):
        result_of(files, listeners=RayListeners())


def test_a_node_killed_while_it_hears_changes_nothing(cluster: Any, files: Path) -> None:
    """What was sent to it is sent again."""

    class KillsAfterTwo:
        def hear(self, candidates: Sequence[Candidate], hearing: Hearing) -> Iterator[Heard]:
            for number, heard in enumerate(RayListeners().hear(candidates, hearing)):
                if number == 2:
                    cluster.remove_node(cluster.workers.pop(0), allow_graceful=False)
                    cluster.workers.append(cluster.add_node(num_cpus=1))
                yield heard

    assert result_of(files, listeners=KillsAfterTwo()) == result_of(files)


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


def test_a_cluster_without_cores_hears_nothing(cluster: Any, files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray, "cluster_resources", dict)
    with pytest.raises(MachineError, match="no node of this cluster has a core"):
        result_of(files, listeners=RayListeners())


def test_a_cluster_that_refuses_without_a_word_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**_options: object) -> None:
        raise ConnectionError

    monkeypatch.setattr(ray, "init", refuse)
    with pytest.raises(MachineError, match="no Ray cluster there: ConnectionError"):
        connect("nowhere:1")


def test_a_node_that_fails_without_a_word_is_a_reason(cluster: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def lose(_reference: object) -> None:
        raise ray.exceptions.RayError

    monkeypatch.setattr(ray, "get", lose)
    (outcome,) = RayEngine(attempts=1, timeout_seconds=120).run(tasks(1))
    assert isinstance(outcome, FailedNode)
    assert outcome.reason == "RayError: it gave no reason"


def test_a_cluster_without_gpus_has_no_nodes_to_audit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray, "nodes", list)
    with pytest.raises(UsageError, match="no node of this cluster has GPUs"):
        real_nodes()
