"""What a challenge costs: the prover beside the bare product, the checker beside the prover, and whether a real run bounds this machine.

    python benchmarks/challenge_cost.py --out results/challenge-cost.md

Chain and bare product are timed in pairs, one after the other, in an order that changes with each pair; the interval is of the median
of the paired ratios (sign test, 95 %). torch uses as many threads as there are cores, numpy too.
"""

from __future__ import annotations

import argparse
import math
import os
import platform
import resource
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch  # noqa: TID251 - what is compared with
from typing_extensions import override

from gpuaudit.catalogue.compiled import load_catalogue
from gpuaudit.challenge.assumption import load_assumptions
from gpuaudit.challenge.chain import RowSource
from gpuaudit.challenge.domain import device_key
from gpuaudit.challenge.figures import host_figures, require_figures
from gpuaudit.challenge.floors import assumed_of, work_floors
from gpuaudit.challenge.matrix import FloatMatrix, MakeMatrix
from gpuaudit.challenge.sizes import Sizes
from gpuaudit.challenge.sizing import Wish, row_steps, size_challenge
from gpuaudit.challenge.slot import Slot
from gpuaudit.challenge.walk import first_walk_seed
from gpuaudit.units import Seconds
from gpuaudit.workload.torch_challenge import TorchDevice, TorchMatrix, product_rate

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
    """Time the prover's whole fill against the same number of bare products of the same shapes, in pairs."""
    shape = sizes(width, rows, steps)
    device = TorchDevice("cpu")
    device.prepare(shape)
    at_once = min(1024, rows)
    operand = torch.from_numpy(np.random.default_rng(0).integers(-128, 128, (at_once, width), dtype=np.int8))
    matrix = torch.from_numpy(np.random.default_rng(1).integers(-128, 128, (width, width), dtype=np.int8)).t().contiguous().t()

    def bare() -> None:
        for _ in range(rows // at_once * steps):
            torch._int_mm(operand, matrix)  # noqa: SLF001 - what is compared with

    bare()
    ratios = []
    for pair in range(pairs):
        first, second = (
            timed(one) for one in ((lambda: device.fill(KEY), bare) if pair % 2 else (bare, lambda: device.fill(KEY)))
        )
        ratios.append(first / second if pair % 2 else second / first)
    device.release()
    return interval(ratios)


def checker_share(width: int, rows: int, steps: int, make: MakeMatrix, runs: int) -> tuple[Interval, float]:
    """Time recomputing 128 rows, matrices included, and return seconds and row-steps a second."""
    shape = sizes(width, rows, steps)
    indices = np.random.default_rng(2).integers(0, rows, shape.row_samples).tolist()
    seconds = [timed(lambda: RowSource(KEY, shape, make).folds(indices)) for _ in range(runs)]
    source = RowSource(KEY, shape, make)
    alone = min(timed(lambda: source.folds(indices)) for _ in range(2))
    return interval(seconds), shape.row_samples * steps / alone


def full_run(memory: int, width: int) -> tuple[float, float, float, float]:
    """Fill and walk as a real challenge does; return the floor's share of the bare rate, of F, lookups a second, and the rate."""
    assumptions = load_assumptions().assumptions
    small = replace(assumptions, shape=replace(assumptions.shape, width=width))
    rate = product_rate("cpu", width)
    figures = host_figures(small, operations=rate, memory_bytes=memory)
    shape = size_challenge(figures, Wish(slots=1, seconds=Seconds(5), rung=95, round_trip=Seconds(0.001)), small)
    slot = Slot(0, TorchDevice("cpu"), shape)
    before = product_rate("cpu", width)
    fill = timed(lambda: slot.fill(KEY))
    rate = (before + product_rate("cpu", width)) / 2
    walk = timed(lambda: slot.walk(first_walk_seed(bytes(32), bytes(32), 0)))
    slot.release()
    floors = work_floors(shape, assumed_of(figures, alpha=0.05, attempts=1), fill=Seconds(fill), walk=Seconds(walk))
    return floors.operations_per_second / rate, floors.resident_bytes / shape.memory_bytes, shape.walk_bytes / walk, rate


def predicted(product: str, rates: dict[str, float]) -> str:
    """Say how long checking eight of a product takes, by the rates that were measured."""
    assumptions = load_assumptions().assumptions
    figures = require_figures(load_catalogue().product(product), assumptions)
    shape = size_challenge(figures, Wish(slots=8, seconds=Seconds(10), rung=95, round_trip=Seconds(0.1)), assumptions)
    work = 8 * row_steps(shape)
    told = ", ".join(f"{name} {work / rate:.0f} s" for name, rate in rates.items())
    return f"| 8 x {product} | {shape.steps} | {work:,.0f} | {told} |"


def main() -> None:
    """Measure everything and write one page."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--out", type=Path)
    options.add_argument("--pairs", type=int, default=5)
    chosen = options.parse_args()
    lines = [
        "# What a challenge costs",
        "",
        f"`python {' '.join(sys.argv)}` on {platform.machine()}, {os.cpu_count()} cores shared with other work, "
        f"load {os.getloadavg()[0]:.1f}; torch {torch.__version__}, numpy {np.__version__}.",
        "",
        "## The prover beside the bare product",
        "",
        "| n | rows | steps | fill / bare `torch._int_mm`, median [95 %] of pairs |",
        "|---|---|---|---|",
    ]
    for width, rows, steps in ((4096, 16_384, 4), (8192, 8_192, 4)):
        lines.append(f"| {width} | {rows} | {steps} | {chain_over_product(width, rows, steps, chosen.pairs)} |")
    lines += [
        "",
        "## The checker, 128 rows, n = 8192, T = 4",
        "",
        "| with | seconds | row-steps/s | share of a chain of 65,536 rows |",
        "|---|---|---|---|",
    ]
    chain = 2 * 65_536 * 8192**2 * 4 / product_rate("cpu", 8192)
    rates = {}
    for name, make in (("numpy float32", FloatMatrix), ("torch int8", TorchMatrix)):
        seconds, rates[name] = checker_share(8192, 65_536, 4, make, 3)
        lines.append(f"| {name} | {seconds} | {rates[name]:,.0f} | {100 * seconds.median / chain:.2f} % |")
    lines += [
        "",
        f"The chain is taken at the bare product's rate, {chain:.0f} s. Making the matrices is included: it is most of the time.",
        f"Peak memory of this whole process: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2:.2f} GiB.",
        "",
        "## Predicted time of a whole check, walks included (model: row-steps over the rate above)",
        "",
        "| claim | T | row-steps | time |",
        "|---|---|---|---|",
        *(predicted(product, rates) for product in ("a100-sxm4-80gb", "h100-sxm5-80gb")),
        "",
        "## A full run on this machine",
        "",
    ]
    work, resident, looked_up, rate = full_run(512 * 1024**2, 8192)
    lines += [
        f"Bare product {rate / 1e12:.2f} x 10^12 operations/s; floor {100 * work:.0f} % of it. Looked up {looked_up / 1e9:.2f} GB/s; "
        f"resident at least {100 * resident:.1f} % of F, assuming gigabit Ethernet as the only way from elsewhere.",
    ]
    page = "\n".join(lines) + "\n"
    print(page)
    if chosen.out:
        chosen.out.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
