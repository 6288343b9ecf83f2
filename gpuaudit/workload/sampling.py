"""Warm-up, adaptive stop and time budget: how a prepared task becomes samples.

The same code measures torch on CUDA, torch on the processor and the simulation.
"""

from __future__ import annotations

import dataclasses
import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from gpuaudit.evidence.measurement import CapacityTask, GemmTask, Samples, StopReason, Task
from gpuaudit.evidence.reading import Known, Reading, Reason, Source, Unknown
from gpuaudit.units import Bytes, Seconds
from gpuaudit.workload.accelerator import Accelerator, Kernel, NotMeasurableError
from gpuaudit.workload.median import LEAST_RUNS, half_width_relative
from gpuaudit.workload.suite import Sampling

# Each look at the interval is a chance to stop too early, so looks are spaced by a quarter more runs.
_GROWTH: Final = 0.25
_MOST_RUNS_PER_WARMUP_BLOCK: Final = 200
# Edges of the trial products: multiples that every dtype's kernels accept, starting where even a slow path takes milliseconds.
_SMALLEST_EDGE: Final = 128
_EDGE_MULTIPLE: Final = 32
_WORK_PER_DOUBLING: Final = 8.0
_TRIAL_RUNS: Final = 2
# An interval of the median needs six runs; warm-up takes three at least.
_NEEDED_RUNS: Final = LEAST_RUNS + 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """On what terms one task is measured; see `Sampling` and `Step`."""

    sampling: Sampling
    budget_seconds: float
    least_seconds: float


def measure(accelerator: Accelerator, task: Task, terms: Terms, *, ready: Callable[[], None]) -> tuple[Task, Reading[Samples]]:
    """Measure `task`, or say why it cannot be measured.

    Args:
        accelerator: The device; nothing else of ours is running on it.
        task: What to run.
        terms: When to stop.
        ready: Called once when everything is allocated and the first run is about to start; it may wait, so that several
            devices start together.

    Returns:
        The samples, and the task that they are of: a product that is too slow for the budget is measured at a smaller size.
    """
    try:
        if isinstance(task, GemmTask):
            task, terms = _fitting(accelerator, task, terms)
        kernel = accelerator.prepare(task, rotation_bytes=Bytes(terms.sampling.rotation_bytes))
        try:
            ready()
            samples = _single(kernel) if isinstance(task, CapacityTask) else sample(accelerator, kernel, terms)
        finally:
            kernel.release()
    except NotMeasurableError as error:
        return task, Unknown(reason=error.reason, source=Source.WORKLOAD, detail=error.detail)
    return task, Known(value=samples, source=Source.WORKLOAD)


def sample(accelerator: Accelerator, kernel: Kernel, terms: Terms) -> Samples:
    """Warm `kernel` up and time runs of it until the median is known well enough or the budget is spent.

    Raises:
        NotMeasurableError: The device failed.
    """
    sampling = terms.sampling
    start = accelerator.now()
    deadline = start + terms.budget_seconds
    pass_seconds, warmup_runs = _warm_up(accelerator, kernel, terms)
    warmup_seconds = Seconds(accelerator.now() - start)

    shortest = max(sampling.shortest_run_seconds, terms.least_seconds / sampling.most_runs)
    passes = max(1, math.ceil(shortest / pass_seconds))
    seconds: list[Seconds] = []
    wanted = sampling.least_runs
    while True:
        affordable = max(1, int((deadline - accelerator.now()) / (pass_seconds * passes)))
        fresh = kernel.time(min(wanted, affordable), passes=passes)
        _positive(fresh)
        seconds.extend(fresh)
        stop = _stop(accelerator, seconds, terms, start=start)
        if stop is not None:
            break
        wanted = min(max(1, round(len(seconds) * _GROWTH)), sampling.most_runs - len(seconds))
    return Samples(
        amount_per_run=kernel.amount_per_pass() * passes,
        seconds=tuple(Seconds(round(each, 9)) for each in seconds),
        warmup_runs=warmup_runs,
        warmup_seconds=Seconds(round(warmup_seconds, 6)),
        stop=stop,
        half_width_relative=round(max(half_width_relative(seconds), sampling.drift_relative), 6),
    )


def _warm_up(accelerator: Accelerator, kernel: Kernel, terms: Terms) -> tuple[Seconds, int]:
    """Run until two blocks in a row are alike; return the last block's median and how many runs it took."""
    sampling = terms.sampling
    deadline = accelerator.now() + terms.budget_seconds * sampling.warmup_share
    current = _positive(kernel.time(1, passes=1))
    runs = 1
    while accelerator.now() < deadline:
        affordable = max(1, int((deadline - accelerator.now()) / current))
        count = max(1, min(int(sampling.warmup_block_seconds / current), affordable, _MOST_RUNS_PER_WARMUP_BLOCK))
        previous, current = current, _positive(kernel.time(count, passes=1))
        runs += count
        if abs(current - previous) <= sampling.warmup_relative * current:
            break
    return current, runs


def _positive(seconds: Sequence[Seconds]) -> Seconds:
    """Return the median of freshly timed runs.

    Raises:
        NotMeasurableError: It is not above zero, or a time is none: whoever owns the driver can stop the device's clock.
    """
    odd = [each for each in seconds if not 0 <= each < math.inf]
    median = Seconds(statistics.median(odd or seconds))
    if odd or not median > 0:
        raise NotMeasurableError(Reason.FAULT, f"the device's clock gave {median} s for a run")
    return median


def _stop(accelerator: Accelerator, seconds: list[Seconds], terms: Terms, *, start: Seconds) -> StopReason | None:
    """Say why sampling ends now, or None where it goes on."""
    spent = accelerator.now() - start
    count = len(seconds)
    may_be_steady = count >= terms.sampling.least_runs and spent >= terms.least_seconds
    if may_be_steady and half_width_relative(seconds) <= terms.sampling.interval_relative:
        return StopReason.STEADY
    if spent >= terms.budget_seconds:
        return StopReason.BUDGET
    return StopReason.COUNT if count >= terms.sampling.most_runs else None


def _single(kernel: Kernel) -> Samples:
    """Run once, without warm-up: filling all memory a second time tells nothing new."""
    seconds = kernel.time(1, passes=1)
    return Samples(
        amount_per_run=kernel.amount_per_pass(),
        seconds=tuple(Seconds(round(each, 9)) for each in seconds),
        warmup_runs=0,
        warmup_seconds=Seconds(0.0),
        stop=StopReason.COUNT,
        half_width_relative=1.0,
    )


def _fitting(accelerator: Accelerator, task: GemmTask, terms: Terms) -> tuple[GemmTask, Terms]:
    """Try ever larger products, up to the largest of which enough runs fit into the budget; at best `task` itself.

    A dtype without fast arithmetic can be a thousand times slower than its neighbour. Each size is tried only if eight times the
    trial before it, which was half as long on every edge, still fits.

    Returns:
        What to measure, and the terms with what is left of the budget.

    Raises:
        NotMeasurableError: Not even the smallest product fits, or the device lacks the dtype.
    """
    start = accelerator.now()
    left = terms.budget_seconds
    fits: list[GemmTask] = []
    seconds = 0.0
    sizes = _smaller(task)
    for size in sizes:
        if seconds * _WORK_PER_DOUBLING * _TRIAL_RUNS > left:
            break
        seconds = _trial(accelerator, size)
        left = terms.budget_seconds - (accelerator.now() - start)
        fits += [size] if seconds * _NEEDED_RUNS <= left else []
    else:
        # The task itself is not tried: the trial would be a warm-up thrown away.
        fits += [task] if seconds * _WORK_PER_DOUBLING * _NEEDED_RUNS <= left else []
    if not fits:
        detail = (
            f"one run at {sizes[0].m}x{sizes[0].n}x{sizes[0].k} takes {seconds:.3g} s of a budget of {terms.budget_seconds:g} s"
        )
        raise NotMeasurableError(Reason.TIMED_OUT, detail)
    return fits[-1], dataclasses.replace(terms, budget_seconds=left)


def _trial(accelerator: Accelerator, task: GemmTask) -> float:
    """Return how long one run of `task` takes; the run before it also pays for loading the library's kernels."""
    kernel = accelerator.prepare(task, rotation_bytes=Bytes(0))
    try:
        kernel.time(1, passes=1)
        return kernel.time(1, passes=1)[0]
    finally:
        kernel.release()


def _smaller(task: GemmTask) -> list[GemmTask]:
    """Return products like `task` with edges halved again and again, the smallest first, `task` itself left out."""
    smaller = []
    divisor = 2
    while max(task.m, task.n, task.k) // divisor >= _SMALLEST_EDGE:
        smaller.append(
            GemmTask(
                dtype=task.dtype,
                m=_edge(task.m, divisor),
                n=_edge(task.n, divisor),
                k=_edge(task.k, divisor),
                layout=task.layout,
            )
        )
        divisor *= 2
    return smaller[::-1]


def _edge(edge: int, divisor: int) -> int:
    return max(_EDGE_MULTIPLE, edge // divisor // _EDGE_MULTIPLE * _EDGE_MULTIPLE)
