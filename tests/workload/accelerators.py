"""Accelerators whose times a test chooses, on a clock of their own."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable

from gpuaudit.evidence.measurement import CapacityTask, GemmTask, Task
from gpuaudit.evidence.reading import Reason
from gpuaudit.units import Bytes, Seconds
from gpuaudit.workload.accelerator import NotMeasurableError
from gpuaudit.workload.amounts import amount_of
from gpuaudit.workload.sampling import Terms
from gpuaudit.workload.suite import Sampling

SAMPLING = Sampling(
    interval_relative=0.01,
    least_runs=12,
    most_runs=100,
    warmup_relative=0.01,
    warmup_block_seconds=0.05,
    warmup_share=0.4,
    shortest_run_seconds=0.0001,
    rotation_bytes=1024,
    drift_relative=0.002,
)


def terms(budget_seconds: float, *, least_seconds: float = 0.0, sampling: Sampling = SAMPLING) -> Terms:
    return Terms(sampling=sampling, budget_seconds=budget_seconds, least_seconds=least_seconds)


def always(seconds: float) -> Callable[[int], float]:
    return lambda _: seconds


def noisy(seconds: float, spread: float, *, seed: int = 1) -> Callable[[int], float]:
    generator = random.Random(seed)
    return lambda _: seconds * (1 + generator.gauss(0, spread))


_A_MILLISECOND = always(0.001)


class ChosenKernel:
    def __init__(self, owner: ChosenAccelerator, task: Task) -> None:
        self.owner = owner
        self.task = task

    def amount_per_pass(self) -> float:
        return amount_of(self.task)

    def time(self, runs: int, *, passes: int) -> tuple[Seconds, ...]:
        taken = []
        for _ in range(runs):
            count = next(self.owner.count)
            if count == self.owner.fails_at:
                raise NotMeasurableError(Reason.LOST, "gone")
            seconds = self.owner.pass_seconds(self.task, count) * passes
            self.owner.clock += seconds
            taken.append(Seconds(seconds))
        return tuple(taken)

    def release(self) -> None:
        self.owner.in_use -= 1


class ChosenAccelerator:
    """Takes `seconds(n)` for its n-th run; a product with `per_flop` takes what its size asks for."""

    def __init__(
        self,
        seconds: Callable[[int], float] = _A_MILLISECOND,
        *,
        per_flop: float = 0.0,
        fails_at: int = -1,
        refuses: str = "",
    ) -> None:
        self.seconds = seconds
        self.per_flop = per_flop
        self.fails_at = fails_at
        self.refuses = refuses
        self.clock = 100.0
        self.count = itertools.count()
        self.in_use = 0
        self.prepared: list[Task] = []
        self.rotation: list[int] = []

    @property
    def simulated(self) -> bool:
        return True

    def now(self) -> Seconds:
        return Seconds(self.clock)

    def free_bytes(self) -> Bytes:
        return Bytes(10**9)

    def prepare(self, task: Task, *, rotation_bytes: Bytes) -> ChosenKernel:
        if self.refuses:
            raise NotMeasurableError(Reason.NOT_SUPPORTED, self.refuses)
        self.in_use += 1
        self.prepared.append(task)
        self.rotation.append(rotation_bytes)
        return ChosenKernel(self, task)

    def pass_seconds(self, task: Task, count: int) -> float:
        if isinstance(task, GemmTask) and self.per_flop:
            return 1e-5 + self.per_flop * amount_of(task)
        return self.seconds(count)


def capacity(blocks: int) -> CapacityTask:
    return CapacityTask(requested_bytes=Bytes(blocks * 2**20), block_bytes=Bytes(2**20))
