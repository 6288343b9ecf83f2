"""What `gpuaudit fleet run` does."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gpuaudit.cli import console
from gpuaudit.cli.collect import SIMULATED_HEAD, nonce_of
from gpuaudit.cli.progress import counted
from gpuaudit.cores import available_cores
from gpuaudit.errors import UsageError
from gpuaudit.fleet.ledger import Ledger
from gpuaudit.fleet.node import Node, NodeTask
from gpuaudit.fleet.nonces import node_nonce
from gpuaudit.fleet.processes import ProcessEngine
from gpuaudit.fleet.run import Engine, run_fleet
from gpuaudit.fleet.simulate import parse_fault, simulated_fleet

_EXAMPLES: Final = "without Ray, let srun, pdsh or Kubernetes run `gpuaudit attest` on each node"


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedFleet:
    """A simulated fleet as it was asked for; `spec` is empty where the nodes are a cluster's."""

    spec: str
    nodes: int
    seed: int
    bad: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """What each node is to measure, and how hard it is tried. `workers` is 0 for one process a core."""

    suite: str
    busy_ok: bool
    attempts: int
    timeout: float
    workers: int


def run_nodes(out: Path, fleet: SimulatedFleet, effort: Effort, *, address: str, nonce: str) -> bool:
    """Run all nodes that have no evidence in `out` yet, and print what came of them.

    Returns:
        Whether a node failed.

    Raises:
        UsageError: There is nothing to run on, or another run is at work in the folder.
        MachineError: There is no such cluster, or the folder cannot be written.
    """
    master = nonce_of(nonce)
    engine, members = _engine(address, fleet, effort)
    tasks = [
        NodeTask(node=member, nonce=node_nonce(master, member.node), suite=effort.suite, busy_ok=effort.busy_ok)
        for member in members
    ]
    if fleet.spec:
        console.say(SIMULATED_HEAD)
    with counted("nodes") as told:
        summary = run_fleet(tasks, Ledger(folder=out), engine, told=told)
    console.result(f"{summary.sealed} sealed, {summary.kept} had evidence before, {len(summary.failed)} failed: {out}")
    if summary.failed:
        console.complain(f"failed: {', '.join(summary.failed[:8])}; see {out}/NODE.failed, and run again to retry")
    return bool(summary.failed)


def _engine(address: str, fleet: SimulatedFleet, effort: Effort) -> tuple[Engine, tuple[Node, ...]]:
    """Find what runs the nodes, and the nodes."""
    members: tuple[Node, ...] = ()
    if fleet.spec:
        faults = tuple(parse_fault(text) for text in fleet.bad)
        members = simulated_fleet(fleet.spec, fleet.nodes, seed=fleet.seed, faults=faults)
    if address:
        from gpuaudit.fleet.ray_runner import RayEngine, connect, real_nodes

        connect(address)
        return RayEngine(attempts=effort.attempts, timeout_seconds=effort.timeout), members or real_nodes()
    if not members:
        raise UsageError(f"fleet run: expected --address of a Ray cluster, or --simulate; {_EXAMPLES}")
    return ProcessEngine(workers=effort.workers or available_cores(), attempts=effort.attempts), members
