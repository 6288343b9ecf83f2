"""A Ray cluster as what runs nodes, one task pinned to each, and as what hears files. The only file that imports ray."""

from __future__ import annotations

import re
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

import ray
from ray.exceptions import RayError, RayTaskError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from gpuaudit import __version__
from gpuaudit.appraisal.rules.manual import rules_sha256
from gpuaudit.appraisal.threshold import load_thresholds
from gpuaudit.catalogue.compiled import load_catalogue
from gpuaudit.errors import MachineError, UsageError
from gpuaudit.fleet.folder import Candidate
from gpuaudit.fleet.gather import Hearing, batches, ear_for
from gpuaudit.fleet.node import FailedNode, NodeTask, Outcome, RealNode, run_node
from gpuaudit.fleet.testimony import Heard, NoTestimony
from gpuaudit.fleet.witness import Ear, read_candidate

_LOCAL: Final = "local"
_NOT_IN_NAMES: Final = re.compile(r"[^A-Za-z0-9_.-]+")
# Ray hands on what failed there as text, within errors of its own.
_IMPORT_FAILED: Final = re.compile(r"\b(?:ModuleNotFoundError: |ImportError: |No module named ).*")
_GPU: Final = "GPU"
_CPU: Final = "CPU"
# Two for each core keeps the cluster at work; more would only hold finished evidence in its memory.
_AHEAD: Final = 2
_LONGEST_WAIT_SECONDS: Final = 1.0
# How often files are sent to another node after theirs was lost.
_SENT_AGAIN: Final = 3
# In a process of the cluster: the ear for the hearing that it was last asked about.
_EARS: Final[dict[str, Ear]] = {}

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


@dataclass(frozen=True, slots=True, kw_only=True)
class RayListeners:
    """Hear files on the cluster that this process is connected to, as many at once as it has cores.

    Files are read here and sent: no node need see the folder, and none can put another file in the place of one. Their appraisal
    is as trustworthy as the cluster.
    """

    def hear(self, candidates: Sequence[Candidate], hearing: Hearing) -> Iterator[Heard]:
        """Hear all files; see `gather.Listeners`.

        Raises:
            MachineError: No node has a core, judges by the same rules, or stays there for as long as it takes.
        """
        if not _RAY.cluster_resources().get(_CPU, 0):
            raise MachineError("--address: no node of this cluster has a core to hear with; leave --address out to do it here")
        sent = _RAY.put(hearing)
        told = (sent.hex(), _foundations())
        running: list[Any] = []
        for batch in batches(candidates):
            read = [(candidate, read_candidate(candidate)) for candidate in batch]
            yield from (data for _, data in read if isinstance(data, NoTestimony))
            files = [(candidate, data) for candidate, data in read if isinstance(data, bytes)]
            if files:
                running.append(_hear_there().remote(sent, *told, files))
            while len(running) >= _AHEAD * _cores():
                yield from _first_heard(running)
        while running:
            yield from _first_heard(running)


def connect(address: str) -> None:
    """Connect to a cluster, or start one on this machine where `address` is `local`.

    Raises:
        MachineError: There is no such cluster.
    """
    try:
        ray.init(address=address, log_to_driver=False, include_dashboard=False if address == _LOCAL else None)
    except (ConnectionError, RayError, RuntimeError, ValueError) as error:
        raise MachineError(f"--address {address}: no Ray cluster there: {_first_line(error)}") from None


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
    return _AHEAD * _cores()


def _cores() -> int:
    # Nodes may come and go while it runs.
    return max(1, int(_RAY.cluster_resources().get(_CPU, 1)))


def _hear_there() -> Any:
    return ray.remote(_hear).options(num_cpus=1, max_retries=_SENT_AGAIN, scheduling_strategy="SPREAD")


def _hear(
    hearing: Hearing, name: str, foundations: Sequence[str], files: Sequence[tuple[Candidate, bytes]]
) -> list[Heard] | MachineError:
    """Hear files in a process of the cluster. What makes this node unfit to hear is returned, so that Ray does not try again."""
    own = _foundations()
    if own != foundations:
        return MachineError(
            f"--address: a node of the cluster would judge by other rules: it has gpuaudit {', '.join(own)}, expected "
            f"{', '.join(foundations)}; install the same there"
        )
    if name not in _EARS:
        _EARS.clear()
        _EARS[name] = ear_for(hearing)
    return [_EARS[name].judge(candidate, data) for candidate, data in files]


def _foundations() -> tuple[str, ...]:
    """Name what a verdict rests on beside the evidence."""
    return (
        __version__,
        f"rules {rules_sha256()[:16]}",
        f"thresholds {load_thresholds().sha256[:16]}",
        f"catalogue {load_catalogue().version}",
    )


def _first_heard(running: list[Any]) -> Sequence[Heard]:
    """Wait for a batch and take it out of `running`.

    Raises:
        MachineError: A node cannot hear, or the batch's was lost again and again.
    """
    (ready, *_), _ = ray.wait(running, num_returns=1)
    running.remove(ready)
    try:
        answer: list[Heard] | MachineError = ray.get(ready)
    except RayTaskError as error:
        missing = _IMPORT_FAILED.search(str(error))
        if missing is None:
            # A fault of ours, on another machine.
            raise
        raise MachineError(
            f"--address: a node of the cluster cannot load gpuaudit: {missing[0]}; expected gpuaudit "
            f"{', '.join(_foundations())}; install the same there"
        ) from None
    except RayError as error:
        raise MachineError(f"--address: the cluster did not hear all files: {type(error).__name__}; run it again") from None
    if isinstance(answer, MachineError):
        raise answer
    return answer


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
        return _failed(task, f"{type(error).__name__}: {_last_line(error)}")
    return outcome


def _failed(task: NodeTask, reason: str) -> FailedNode:
    return FailedNode(node=task.node.node, reason=reason, attempts=1)


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__


def _last_line(error: Exception) -> str:
    return str(error).strip().rpartition("\n")[2] or "it gave no reason"
