"""Run a fleet: every node that has no sealed evidence yet, on whatever engine there is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from gpuaudit.fleet.ledger import Ledger
from gpuaudit.fleet.node import NodeTask, Outcome, SealedNode


class Engine(Protocol):
    """Runs tasks somewhere.

    Implemented by `processes.ProcessEngine` and `ray_runner.RayEngine`. An implementation gives every task exactly one outcome, in
    any order: one that hangs, or whose process or node dies, is a `FailedNode` with that reason, not an exception.
    """

    def run(self, tasks: Sequence[NodeTask]) -> Iterator[Outcome]:
        """Run all tasks, each as often as the engine was told to try."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class RunSummary:
    """How a run ended. `kept` had evidence before it began."""

    kept: int
    sealed: int
    failed: tuple[str, ...]


def run_fleet(
    tasks: Sequence[NodeTask], ledger: Ledger, engine: Engine, *, told: Callable[[int, int], None] = lambda _done, _all: None
) -> RunSummary:
    """Run the nodes that are left and write down each outcome as it comes.

    Args:
        tasks: All nodes; those with sealed evidence are not run again.
        ledger: Where outcomes are kept.
        engine: What runs them.
        told: Is called with how many of how many are done.

    Raises:
        UsageError: Another run is at work in the folder, or a name cannot be a file's.
        MachineError: The folder cannot be written.
        OSError: The disk is full; everything sealed so far stays.
    """
    failed: list[str] = []
    sealed = 0
    with ledger.held(task.node.node for task in tasks) as left:
        wanted = frozenset(left)
        for outcome in engine.run([task for task in tasks if task.node.node in wanted]):
            if isinstance(outcome, SealedNode):
                ledger.keep(outcome.node, outcome.evidence, outcome.public_key)
                sealed += 1
            else:
                ledger.fail(outcome.node, outcome.reason, attempts=outcome.attempts)
                failed.append(outcome.node)
            told(sealed + len(failed), len(left))
    return RunSummary(kept=len(tasks) - len(left), sealed=sealed, failed=tuple(sorted(failed)))
