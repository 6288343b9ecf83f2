"""The engine that needs nothing else: processes of this machine, for simulated nodes."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, wait
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from typing import Final

from gpuaudit.fleet.node import FailedNode, NodeTask, Outcome, run_node
from gpuaudit.fleet.pool import process_pool

# Two for each process keeps all of them at work; more would only hold finished evidence in memory.
_AHEAD: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class ProcessEngine:
    """Runs nodes in `workers` processes, or in this one where that is 1, each up to `attempts` times.

    A node that kills its process takes the nodes beside it along: all of those are tried again, one at a time.
    """

    workers: int
    attempts: int = 1

    def run(self, tasks: Sequence[NodeTask]) -> Iterator[Outcome]:
        """Run all tasks; see `run.Engine`."""
        if self.workers == 1:
            yield from (run_up_to(task, self.attempts) for task in tasks)
            return
        fallen: list[NodeTask] = []
        pending = deque(tasks)
        while pending:
            yield from self._together(pending, fallen)
        for task in fallen:
            yield self._alone(task)

    def _together(self, pending: deque[NodeTask], fallen: list[NodeTask]) -> Iterator[Outcome]:
        """Run from `pending` until it is empty or a process dies; who was under way then is put into `fallen`."""
        running: dict[Future[Outcome], NodeTask] = {}
        with process_pool(self.workers, prepare=_nothing) as pool:
            while pending or running:
                while pending and len(running) < _AHEAD * self.workers:
                    task = pending.popleft()
                    try:
                        running[pool.submit(run_up_to, task, self.attempts)] = task
                    except BrokenProcessPool:
                        pending.appendleft(task)
                        if not running:
                            return
                        break
                done, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in done:
                    task = running.pop(future)
                    try:
                        yield future.result()
                    except BrokenProcessPool:
                        fallen += [task, *running.values()]
                        return

    def _alone(self, task: NodeTask) -> Outcome:
        """Run one task in a process of its own, once for every attempt that is left to it."""
        for _ in range(self.attempts):
            with process_pool(1, prepare=_nothing) as pool:
                try:
                    return pool.submit(run_up_to, task, self.attempts).result()
                except BrokenProcessPool:
                    continue
        return FailedNode(node=task.node.node, reason="the process that ran it died", attempts=self.attempts + 1)


def _nothing() -> None:
    """Each task brings along what it needs."""


def run_up_to(task: NodeTask, attempts: int) -> Outcome:
    """Run a node until it gives evidence, up to `attempts` times, in this process."""
    outcome = run_node(task)
    for attempt in range(2, attempts + 1):
        if not isinstance(outcome, FailedNode):
            break
        outcome = run_node(task)
        if isinstance(outcome, FailedNode):
            outcome = replace(outcome, attempts=attempt)
    return outcome
