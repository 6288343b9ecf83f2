"""The engine for a Ray cluster: one task on each node, pinned to it, with all of that node's GPUs. The only file that imports ray."""

from __future__ import annotations

import re
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

import ray
from ray.exceptions import RayError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from gpuaudit.errors import MachineError, UsageError
from gpuaudit.fleet.node import FailedNode, NodeTask, Outcome, RealNode, run_node

_LOCAL: Final = "local"
_NOT_IN_NAMES: Final = re.compile(r"[^A-Za-z0-9_.-]+")
_GPU: Final = "GPU"
_CPU: Final = "CPU"
# Two for each core keeps the cluster at work; more would only hold finished evidence in its memory.
_AHEAD: Final = 2
_LONGEST_WAIT_SECONDS: Final = 1.0

# Ray types few of its functions.
_RAY: Final[Any] = ray

Attempt: TypeAlias = tuple[NodeTask, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class RayEngine:
    """Runs nodes on the cluster that this process is connected to, each up to `attempts` times, `timeout_seconds` an attempt.

    A real node's task stays on that node and asks for all of its GPUs, so that nothing else that Ray runs is on them; the time
    that it waits for them counts. Simulated nodes are spread over the cluster.
    """

    attempts: int
    timeout_seconds: float

    def run(self, tasks: Sequence[NodeTask]) -> Iterator[Outcome]:
        """Run all tasks; see `run.Engine`."""
        pending: deque[Attempt] = deque((task, 1) for task in tasks)
        running: dict[Any, tuple[Attempt, float]] = {}
        while pending or running:
            while pending and len(running) < _room(pending[0][0]):
                task, number = pending.popleft()
                running[_submit(task)] = ((task, number), time.monotonic() + self.timeout_seconds)
            for (task, number), outcome in _ended(running):
                if isinstance(outcome, FailedNode) and number < self.attempts:
                    pending.append((task, number + 1))
                elif isinstance(outcome, FailedNode):
                    yield replace(outcome, attempts=number)
                else:
                    yield outcome


def connect(address: str) -> None:
    """Connect to a cluster, or start one on this machine where `address` is `local`.

    Raises:
        MachineError: There is no such cluster.
    """
    try:
        ray.init(address=address, log_to_driver=False, include_dashboard=False if address == _LOCAL else None)
    except (ConnectionError, RayError, RuntimeError, ValueError) as error:
        raise MachineError(f"--address {address}: no Ray cluster there: {str(error).splitlines()[0]}") from None


def real_nodes() -> tuple[RealNode, ...]:
    """Return the nodes of the cluster that are alive and have GPUs, by the name that the cluster gives each.

    Raises:
        UsageError: There is none.
    """
    alive = [node for node in _RAY.nodes() if node["Alive"] and node["Resources"].get(_GPU, 0) > 0]
    if not alive:
        raise UsageError("--address: no node of this cluster has GPUs; is the driver there, and did Ray see it?")
    names = [_NOT_IN_NAMES.sub("-", node["NodeName"]).strip("-.") or "node" for node in alive]
    counts = Counter(names)
    return tuple(
        RealNode(node=name if counts[name] == 1 else f"{name}-{node['NodeID'][:8]}", place=node["NodeID"])
        for name, node in zip(names, alive, strict=True)
    )


def _room(task: NodeTask) -> int:
    """Return how many tasks may be under way: every real node at once, simulated ones as the cluster has cores."""
    if isinstance(task.node, RealNode):
        return len(_RAY.nodes())
    return _AHEAD * max(1, int(_RAY.cluster_resources().get(_CPU, 1)))


def _submit(task: NodeTask) -> Any:
    options: dict[str, Any] = {"num_cpus": 1, "max_retries": 0, "scheduling_strategy": "SPREAD"}
    if isinstance(task.node, RealNode):
        gpus = [node["Resources"].get(_GPU, 0) for node in _RAY.nodes() if node["NodeID"] == task.node.place]
        options |= {
            "num_gpus": sum(gpus),
            "scheduling_strategy": NodeAffinitySchedulingStrategy(node_id=task.node.place, soft=False),
        }
    return ray.remote(run_node).options(**options).remote(task)


def _ended(running: dict[Any, tuple[Attempt, float]]) -> Iterator[tuple[Attempt, Outcome]]:
    """Take out of `running` what has ended or hangs, after waiting for a moment."""
    ready, _ = ray.wait(list(running), num_returns=1, timeout=_LONGEST_WAIT_SECONDS)
    for reference in ready:
        attempt, _ = running.pop(reference)
        yield attempt, _outcome(reference, attempt[0])
    now = time.monotonic()
    for reference, (attempt, deadline) in list(running.items()):
        if now > deadline:
            del running[reference]
            ray.cancel(reference, force=True)
            yield attempt, _failed(attempt[0], "it gave no answer in time, or its GPUs were not free")


def _outcome(reference: Any, task: NodeTask) -> Outcome:
    try:
        outcome: Outcome = ray.get(reference)
    except RayError as error:
        # A node that vanished, a process that was killed, or a fault of ours on the node: each a reason, not an end of the run.
        return _failed(task, f"{type(error).__name__}: {str(error).strip().splitlines()[-1]}")
    return outcome


def _failed(task: NodeTask, reason: str) -> FailedNode:
    return FailedNode(node=task.node.node, reason=reason, attempts=1)
