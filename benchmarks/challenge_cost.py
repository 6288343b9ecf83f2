"""What a challenge costs: the prover beside the bare product, the checker beside the prover, and whether a real run bounds this machine.

    python benchmarks/challenge_cost.py --out results/challenge-cost.md

Chain and bare product are timed in pairs, one after the other, in an order that changes with each pair; the interval is of the median
of the paired ratios (sign test, 95 %). torch uses as many threads as there are cores, numpy too. Before each pair and each single time
it is waited until hardly anything else runs; how often that was in vain is said.
"""

from __future__ import annotations

import argparse
import math
import multiprocessing
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

import numpy as np
import psutil
import torch  # noqa: TID251 - what is compared with
from typing_extensions import override

from gpuaudit.catalogue.compiled import load_catalogue
from gpuaudit.challenge.assumption import load_assumptions
from gpuaudit.challenge.chain import RowSource, raw_matrix
from gpuaudit.challenge.crew import SameProcessCrew, walk_together
from gpuaudit.challenge.domain import Domain, device_key
from gpuaudit.challenge.figures import host_figures, require_figures
from gpuaudit.challenge.floors import Floors, assumed_of, work_floors
from gpuaudit.challenge.matrix import FloatMatrix, MakeMatrix
from gpuaudit.challenge.messages import DeviceKind
from gpuaudit.challenge.sizes import ALIGNMENT_BYTES, Sizes
from gpuaudit.challenge.sizing import Wish, size_challenge
from gpuaudit.challenge.slot import ChallengeDevice, NumpyDevice
from gpuaudit.challenge.walk import first_walk_seed
from gpuaudit.units import Seconds
from gpuaudit.workload.torch_challenge import TorchDevice, TorchMatrix, product_rate

CHECKERS: Final[dict[str, MakeMatrix]] = {"torch int8": TorchMatrix, "numpy float32": FloatMatrix}
ROWS: Final = 65_536
WIDTH: Final = 8_192
CLAIMS: Final = ("a100-sxm4-80gb", "h100-sxm5-80gb")
_IDLE_PERCENT: Final = 10
_WAIT_SECONDS: Final = 20
KEY = device_key(bytes(32), bytes(32), 0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """A median with the 95 % interval of the sign test."""

    median: float
    low: float
    high: float

    @override
    def __str__(self) -> str:
        return f"{self.median:.3f} [{self.low:.3f}, {self.high:.3f}]"


def interval(samples: Sequence[float]) -> Interval:
    """Return the median of samples; the interval is all of them where there are fewer than six."""
    ordered = sorted(samples)
    count = len(ordered)
    margin = max(0, math.floor(count / 2 - 0.98 * math.sqrt(count)) - 1)
    return Interval(median=statistics.median(ordered), low=ordered[margin], high=ordered[count - 1 - margin])


class Quiet:
    """Waits for the machine to be idle, and counts how often it did and how often in vain."""

    def __init__(self) -> None:
        """Nobody has waited yet."""
        self.waits = 0
        self.vain = 0

    def wait(self) -> None:
        """Return when hardly anything else runs, or after some seconds."""
        until = time.monotonic() + _WAIT_SECONDS
        self.waits += 1
        while psutil.cpu_percent(interval=0.2) > _IDLE_PERCENT:
            if time.monotonic() > until:
                self.vain += 1
                return


QUIET: Final = Quiet()


def alone(work: Callable[[], object]) -> float:
    """Return how long `work` took, in seconds, when the machine had become idle."""
    QUIET.wait()
    return timed(work)


def timed(work: Callable[[], object]) -> float:
    """Return how long `work` took, in seconds."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def sizes(width: int, rows: int, steps: int) -> Sizes:
    """Return sizes with which a chain can be timed."""
    block = 4096
    return Sizes(
        slots=1,
        width=width,
        seed_bytes=128,
        steps=steps,
        rows=rows,
        group_rows=4096,
        block_bytes=block,
        walkers=max(1, rows * width // (50 * block)),
        jumps=128,
        epochs=1,
        row_samples=128,
        walk_samples=32,
    )


def chain_over_product(width: int, rows: int, steps: int, pairs: int) -> Interval:
    """Time the prover's whole fill against the bare products of the same shapes, into memory that is there, in pairs."""
    shape = sizes(width, rows, steps)
    device = TorchDevice("cpu")
    device.prepare(shape)
    at_once = min(2048, rows)
    operand = torch.from_numpy(np.random.default_rng(0).integers(-128, 128, (at_once, width), dtype=np.int8))
    matrix = torch.from_numpy(np.random.default_rng(1).integers(-128, 128, (width, width), dtype=np.int8)).t().contiguous().t()
    sums = torch.zeros((at_once, width), dtype=torch.int32)

    def fill() -> None:
        device.fill(KEY)

    def bare() -> None:
        for _ in range(rows // at_once * steps):
            torch._int_mm(operand, matrix, out=sums)  # noqa: SLF001 - what is compared with

    bare()
    ratios = []
    for pair in range(pairs):
        QUIET.wait()
        if pair % 2:
            chain, product = timed(fill), timed(bare)
        else:
            product, chain = timed(bare), timed(fill)
        ratios.append(chain / product)
    device.release()
    return interval(ratios)


def chain_seconds(device: ChallengeDevice, rows: int, steps: int) -> float:
    """Time the prover's whole fill once."""
    device.prepare(sizes(WIDTH, rows, steps))
    seconds = alone(lambda: device.fill(KEY))
    device.release()
    return seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Checking:
    """Seconds that it takes to recompute 128 rows, matrices included; of which the streams, the layout, and one product."""

    whole: Interval
    stream: float
    layout: float
    product: float


def checking(steps: int, make: MakeMatrix, runs: int) -> Checking:
    """Time recomputing the sampled rows, and its parts."""
    shape = sizes(WIDTH, ROWS, steps)
    indices = np.random.default_rng(2).integers(0, ROWS, shape.row_samples).tolist()
    rows = np.random.default_rng(3).integers(-128, 128, (shape.row_samples, WIDTH), dtype=np.int8)
    raw = raw_matrix(KEY, Domain.WEIGHTS, WIDTH, WIDTH)
    matrix = make(raw)
    return Checking(
        whole=interval([alone(lambda: RowSource(KEY, shape, make).folds(indices)) for _ in range(runs)]),
        stream=statistics.median(alone(lambda: raw_matrix(KEY, Domain.WEIGHTS, WIDTH, WIDTH)) for _ in range(runs)),
        layout=statistics.median(alone(lambda: make(raw)) for _ in range(runs)),
        product=statistics.median(alone(lambda: matrix.multiply(rows)) for _ in range(runs)),
    )


def peak_memory(name: str) -> float:
    """Return the most memory, in GiB, of a process that does nothing but recompute rows and looked-up blocks."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_peak_of_checking, (name,))


def _peak_of_checking(name: str) -> float:
    checked_slot(claim("a100-sxm4-80gb"), CHECKERS[name], jumps=12)
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.split("VmHWM:")[1].split()[0]) / 1024**2


def claim(product: str, width: int = WIDTH) -> Sizes:
    """Return the sizes of a challenge to eight of a product."""
    usual = load_assumptions().assumptions
    assumptions = replace(usual, shape=replace(usual.shape, width=width))
    figures = require_figures(load_catalogue().product(product), assumptions)
    return size_challenge(figures, Wish(slots=8, seconds=Seconds(10), rung=95, round_trip=Seconds(0.1)), assumptions)


def checked_slot(shape: Sizes, make: MakeMatrix, jumps: int) -> float:
    """Return how long one slot takes to check: its rows, and all jumps of its walks by the median of the last half of some."""
    chance = np.random.default_rng(4)
    QUIET.wait()
    began = time.perf_counter()
    source = RowSource(KEY, shape, make)
    source.folds(chance.integers(0, shape.rows, shape.row_samples).tolist())
    rows = time.perf_counter() - began
    # As many walkers as are checked; where they stand is anywhere.
    walkers = shape.walk_samples + 1
    places = [chance.integers(0, shape.offsets, walkers).astype(np.uint64) * np.uint64(ALIGNMENT_BYTES) for _ in range(jumps)]
    lookups = [timed(partial(source.blocks, place)) for place in places]
    return rows + shape.jumps * statistics.median(lookups[jumps // 2 :])


@dataclass(frozen=True, slots=True, kw_only=True)
class FullRun:
    """A whole fill and walk on this machine, and the floors that follow; `rate` is of the bare product, before and after."""

    shape: Sizes
    fill: float
    walk: float
    rate: float
    floors: Floors
    link_share: float


def full_run(seconds: float) -> FullRun:
    """Fill and walk as `challenge local` does."""
    assumptions = load_assumptions().assumptions
    QUIET.wait()
    before = product_rate("cpu", assumptions.shape.width)
    figures = host_figures(assumptions, operations=before, memory_bytes=assumptions.host.memory_bytes)
    wish = Wish(slots=1, seconds=Seconds(seconds), rung=95, round_trip=Seconds(0.001))
    shape = size_challenge(figures, wish, assumptions)
    crew = SameProcessCrew(DeviceKind.CPU, [TorchDevice("cpu")], ())
    crew.prepare(shape)
    fill = alone(lambda: crew.fill([KEY]))
    rate = (before + product_rate("cpu", shape.width)) / 2
    walk = alone(lambda: walk_together(crew, [first_walk_seed(bytes(32), bytes(32), 0)], shape.epochs))
    crew.release()
    floors = work_floors(shape, assumed_of(figures, alpha=0.05, attempts=1), fill=Seconds(fill), walk=Seconds(walk))
    link = figures.link * walk / ((1 - floors.wrong_walks) * shape.walk_bytes)
    return FullRun(shape=shape, fill=fill, walk=walk, rate=rate, floors=floors, link_share=link)


def prover_lines(pairs: int) -> Iterator[str]:
    """Write the prover's table."""
    yield "## The prover beside the bare product"
    yield ""
    yield "The bare product is `torch._int_mm` of slices of 2,048 rows, written into memory that is there already."
    yield ""
    yield "| n | rows | T | T is that of | fill / bare product, median [95 %] of pairs |"
    yield "|---|---|---|---|---|"
    for width, rows in ((4096, 65_536), (8192, 16_384)):
        for steps, whose in sized_steps(width).items():
            yield f"| {width} | {rows} | {steps} | {whose} | {chain_over_product(width, rows, steps, pairs)} |"
    yield ""
    yield (
        "The same work in the same memory takes twice the steps at half the width. The start of a row and the taking of bytes cost as much "
        "for few steps as for many, so the shortest chain has the highest ratio."
    )


def sized_steps(width: int) -> dict[int, str]:
    """Return the steps for which sizing asks at this width, by claim; and the fewest of the usual width, for comparison."""
    fewest = min(claim(product).steps for product in CLAIMS)
    whose = {claim(product, width).steps: f"{product} at this width" for product in CLAIMS}
    return dict(sorted({fewest: f"no claim at this width: the fewest at n = {WIDTH}", **whose}.items()))


def checker_lines(runs: int) -> Iterator[str]:
    """Write the checker's table, and why it is as it is."""
    yield f"## The checker, 128 rows of {ROWS:,}, n = {WIDTH}"
    yield ""
    yield "| with | T | seconds | of which streams | layout | one product | torch's chain, s | share of it |"
    yield "|---|---|---|---|---|---|---|---|"
    product = {}
    for steps in (4, 9):
        chain = chain_seconds(TorchDevice("cpu"), ROWS, steps)
        for name, make in CHECKERS.items():
            found = checking(steps, make, runs)
            product[name] = found.product
            yield (
                f"| {name} | {steps} | {found.whole} | {found.stream:.4f} | {found.layout:.4f} | {found.product:.4f} | {chain:.1f} "
                f"| {found.whole.median / chain:.2%} |"
            )
    QUIET.wait()
    rate, operations = product_rate("cpu", WIDTH), 2 * 128 * WIDTH**2
    numpy_chain = chain_seconds(NumpyDevice(), 4096, 4) * ROWS / 4096
    own = checking(4, FloatMatrix, runs).whole.median
    yield ""
    yield (
        f"This processor multiplies bytes at {rate / 1e12:.2f} x 10^12 operations/s of int8 and, 128 rows at once, at "
        f"{operations / product['numpy float32'] / 1e12:.2f} x 10^12 of numpy's float32. With numpy the products alone are "
        f"{128 / ROWS * rate * product['numpy float32'] / operations:.2%} of a chain at torch's rate: no numpy checker comes below 0.5 % "
        f"of a chain that is {rate * product['numpy float32'] / operations:.0f} times as fast. Of a chain that numpy itself works out "
        f"({numpy_chain:.0f} s for T = 4, by 4,096 rows) it is {own / numpy_chain:.2%}."
    )
    yield ""
    peaks = ", ".join(f"{name} {peak_memory(name):.2f} GiB" for name in CHECKERS)
    yield f"Peak memory of a process that does nothing but check: {peaks}."


def predicted_lines() -> Iterator[str]:
    """Write how long checking eight takes, by one slot on this machine."""
    yield "## Predicted time of a whole check, walks included"
    yield ""
    yield "One slot's rows, and 128 times the median jump of its 33 walks, measured here; times eight."
    yield ""
    yield f"| claim | T | {' | '.join(CHECKERS)} |"
    yield f"|---|---|{'---|' * len(CHECKERS)}"
    for product in CLAIMS:
        shape = claim(product)
        told = " | ".join(f"{shape.slots * checked_slot(shape, make, 24):.0f} s" for make in CHECKERS.values())
        yield f"| {shape.slots} x {product} | {shape.steps} | {told} |"


def full_run_lines(seconds: Sequence[float]) -> Iterator[str]:
    """Write what a real run proves of this machine."""
    yield "## A full run on this machine"
    yield ""
    yield "| wish, s | F | T | fill, s | bare int8, 10^12/s | floor | walk, s | looked up, GB/s | resident, of F | elsewhere: by the link, recomputed |"
    yield "|---|---|---|---|---|---|---|---|---|---|"
    for wish in seconds:
        run = full_run(wish)
        floors, shape = run.floors, run.shape
        yield (
            f"| {wish:.0f} | {shape.memory_bytes / 1024**2:.0f} MiB | {shape.steps} | {run.fill:.1f} | {run.rate / 1e12:.2f} "
            f"| {floors.operations_per_second / run.rate:.1%} | {run.walk:.1f} | {shape.walk_bytes / run.walk / 1e9:.2f} "
            f"| {floors.resident_bytes / shape.memory_bytes:.1%} "
            f"| {run.link_share:.1%}, {floors.elsewhere - run.link_share:.1%} |"
        )
    yield ""
    yield (
        "Gigabit Ethernet is assumed to be the only way from elsewhere, and four times the bare rate for whoever works bytes out again. "
        "The longer the chain, the dearer that is."
    )


def main() -> None:
    """Measure everything and write one page."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--out", type=Path)
    options.add_argument("--pairs", type=int, default=9)
    options.add_argument("--runs", type=int, default=9)
    options.add_argument("--seconds", type=float, nargs="+", default=[10.0, 30.0])
    chosen = options.parse_args()
    loads = [os.getloadavg()[0]]
    parts = []
    for part in (
        prover_lines(chosen.pairs),
        checker_lines(chosen.runs),
        predicted_lines(),
        full_run_lines(chosen.seconds),
    ):
        parts.append("\n".join(part))
        loads.append(os.getloadavg()[0])
    head = (
        f"# What a challenge costs\n\n`python {' '.join(sys.argv)}` on {platform.machine()}, {os.cpu_count()} cores; torch "
        f"{torch.__version__}, numpy {np.__version__}. Load before each part and after the last: "
        f"{', '.join(f'{load:.1f}' for load in loads)}. Waited {QUIET.waits} times until nothing else ran, {QUIET.vain} times in vain."
    )
    page = "\n\n".join([head, *parts]) + "\n"
    print(page)
    if chosen.out:
        chosen.out.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
