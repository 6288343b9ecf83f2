"""Does our timer agree with torch's, does the adaptive stop save time, and does its interval tell the truth? On this processor.

Run: python benchmarks/gemm_fidelity.py [--repeats N]. Writes results/DATE-gemm-fidelity/ with a table and the raw numbers. The goals:
the paired ratio to `torch.utils.benchmark`, its 95 % interval within 2 % of 1; at most a third of the time of 50 warm-up and 100 timed
iterations; the interval of the median covers the long-run median in at least 90 of 100 repeats; telemetry beside a run costs less than
1 % of its throughput.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import statistics
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import torch
import torch.utils.benchmark

from gpuaudit.attester.nvml.telemetry import NvmlSampler
from gpuaudit.clock import WallClock, rfc3339
from gpuaudit.evidence.measurement import Dtype, GemmTask, Samples
from gpuaudit.simulated.nvml import simulated_nvml
from gpuaudit.simulated.spec import parse_spec
from gpuaudit.units import Bytes
from gpuaudit.workload.amounts import operand_bytes
from gpuaudit.workload.crew import Crew, no_alarm
from gpuaudit.workload.median import half_width_relative, median_interval
from gpuaudit.workload.messages import HOST
from gpuaudit.workload.sampling import Terms, sample
from gpuaudit.workload.suite import load_suite
from gpuaudit.workload.telemetry import Recorder
from gpuaudit.workload.torch_accelerator import TorchAccelerator, TorchKernel, open_host

DTYPES: Final = (Dtype.FP32, Dtype.BF16, Dtype.INT8, Dtype.FP64)
SIZES: Final = (1024, 2048)
SUITE: Final = load_suite("quick")
# Pairs are taken until their median is known to 0.7 %, or the time is over.
FEWEST_PAIRS: Final = 60
PAIR_SECONDS: Final = 90.0
PAIRED_GOAL: Final = 0.007
FIXED_WARMUPS: Final = 50
FIXED_RUNS: Final = 100
# No multiple of three: each timer makes three runs in a row and keeps the last, which must not always be of the same set.
SETS: Final = 4
# About 250 runs before and after a measurement are its long run: what the processor does a minute later is another question.
NEIGHBOURS: Final = 12
TELEMETRY_BLOCKS: Final = 120
TELEMETRY_BLOCK_SECONDS: Final = 0.1
RESULTS: Final = Path(__file__).resolve().parent.parent / "results"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What was found for one product."""

    dtype: str
    size: int
    milliseconds: float
    pairs: int
    ratio: float
    ratio_lower: float
    ratio_upper: float
    time_share: float
    runs_median: float
    stops: dict[str, int]
    half_width_median: float
    off_near: list[float]
    covered_alone: int
    covered_near: int
    covered_all: int
    repeats: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Repeated:
    """One measurement after another of the same product."""

    wall: list[float]
    measured: list[Samples]

    def long_run(self) -> float:
        """Return the median over all runs of all repeats."""
        return statistics.median(second for each in self.measured for second in each.seconds)

    def near(self, position: int) -> float:
        """Return the median over the runs of the repeats before and after one, itself left out."""
        first = max(0, min(position - NEIGHBOURS // 2, len(self.measured) - NEIGHBOURS - 1))
        around = [
            each for place, each in enumerate(self.measured) if first <= place <= first + NEIGHBOURS and place != position
        ]
        return statistics.median(second for each in around for second in each.seconds)

    def covered(self, truth: Callable[[int], float]) -> int:
        """Count the repeats whose claimed interval holds what `truth` gives for their position."""
        return sum(off <= each.half_width_relative for off, each in zip(self.off(truth), self.measured, strict=True))

    def covered_without_drift(self, truth: Callable[[int], float]) -> int:
        """Count the repeats in which the interval from the samples alone would have held it."""
        alone = (half_width_relative(each.seconds) for each in self.measured)
        return sum(off <= width for off, width in zip(self.off(truth), alone, strict=True))

    def off(self, truth: Callable[[int], float]) -> list[float]:
        """Return how far each repeat's median is from `truth`, relative to it."""
        medians = [statistics.median(each.seconds) for each in self.measured]
        return [abs(middle - truth(position)) / middle for position, middle in enumerate(medians)]


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=100)
    # With as many threads as cores, any other process stalls one thread and all wait for it.
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    repeats = arguments.repeats
    began, load = rfc3339(WallClock().now()), os.getloadavg()[0]
    host = open_host()
    rows = [_row(host, dtype, size, repeats) for size in SIZES for dtype in DTYPES]
    cost = _telemetry_cost(host)
    starts = _starts()
    text = _table(rows, cost, starts, began=began, load=load)
    folder = RESULTS / f"{began[:10]}-gemm-fidelity"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "README.md").write_text(text)
    raw = {"rows": [asdict(row) for row in rows], "telemetryCost": cost, "startSeconds": starts}
    (folder / "raw.json").write_text(json.dumps(raw, indent=1) + "\n")
    print(text)


def _row(host: TorchAccelerator, dtype: Dtype, size: int, repeats: int) -> Row:
    task = GemmTask(dtype=dtype, m=size, n=size, k=size, layout="tn")
    kernel = host.prepare(task, rotation_bytes=Bytes(SETS * operand_bytes(task)))
    ratios = _ratios(kernel, _timer(dtype, kernel))
    lower, upper = median_interval(ratios)
    before = _fixed_seconds(kernel)
    repeated = _repeated(host, kernel, repeats)
    fixed = (before + _fixed_seconds(kernel)) / 2
    kernel.release()
    long_run = repeated.long_run()
    row = Row(
        dtype=dtype.value,
        size=size,
        milliseconds=long_run * 1e3,
        pairs=len(ratios),
        ratio=statistics.median(ratios),
        ratio_lower=lower,
        ratio_upper=upper,
        time_share=statistics.median(repeated.wall) / fixed,
        runs_median=statistics.median(len(each.seconds) for each in repeated.measured),
        stops=dict(Counter(each.stop.value for each in repeated.measured)),
        half_width_median=statistics.median(each.half_width_relative for each in repeated.measured),
        off_near=sorted(repeated.off(repeated.near)),
        covered_alone=repeated.covered_without_drift(repeated.near),
        covered_near=repeated.covered(repeated.near),
        covered_all=repeated.covered(lambda _: long_run),
        repeats=repeats,
    )
    print(f"{row.dtype} {row.size}: ratio {row.ratio:.4f}, time {row.time_share:.2f}, covered {row.covered_near}", flush=True)
    return row


def _timer(dtype: Dtype, kernel: TorchKernel) -> torch.utils.benchmark.Timer:
    """Set up torch's own timer over the same operands, used in turn as well: where a matrix lies in memory is worth some percent."""
    sets = kernel._buffers  # noqa: SLF001 - another set of operands would be another question
    multiply = torch._int_mm if dtype is Dtype.INT8 else torch.mm  # noqa: SLF001 - torch has no public name for it
    return torch.utils.benchmark.Timer(
        "a, b, c = next(turn); multiply(a, b, out=c)",
        globals={"turn": itertools.cycle(sets), "multiply": multiply},
        num_threads=torch.get_num_threads(),
    )


def _ratios(kernel: TorchKernel, timer: torch.utils.benchmark.Timer) -> list[float]:
    """Time one run by ours and one by torch's, in turn, and each first in every other pair.

    torch's timer makes two runs of its own before each that it times; so do we.
    """
    ratios: list[float] = []
    began = time.monotonic()
    while len(ratios) < FEWEST_PAIRS or (_half_width(ratios) > PAIRED_GOAL and time.monotonic() - began < PAIR_SECONDS):
        if len(ratios) % 2:
            ours = kernel.time(3, passes=1)[-1]
            theirs = timer.timeit(1).median
        else:
            theirs = timer.timeit(1).median
            ours = kernel.time(3, passes=1)[-1]
        ratios.append(ours / theirs)
    return ratios


def _half_width(ratios: list[float]) -> float:
    lower, upper = median_interval(ratios)
    return (upper - lower) / 2


def _fixed_seconds(kernel: TorchKernel) -> float:
    began = time.monotonic()
    kernel.time(FIXED_WARMUPS, passes=1)
    kernel.time(FIXED_RUNS, passes=1)
    return time.monotonic() - began


def _repeated(host: TorchAccelerator, kernel: TorchKernel, repeats: int) -> _Repeated:
    """Measure again and again with the adaptive stop."""
    terms = Terms(sampling=SUITE.host_sampling, budget_seconds=60.0, least_seconds=0.0)
    wall, measured = [], []
    for _ in range(repeats):
        began = time.monotonic()
        measured.append(sample(host, kernel, terms))
        wall.append(time.monotonic() - began)
    return _Repeated(wall=wall, measured=measured)


def _telemetry_cost(host: TorchAccelerator) -> dict[str, float]:
    """Compare blocks of runs with and without eight samplers beside them, in turn; NVML is simulated, its Python code is not."""
    task = GemmTask(dtype=Dtype.FP32, m=512, n=512, k=512, layout="tn")
    kernel = host.prepare(task, rotation_bytes=Bytes(0))
    devices = parse_spec("a100-sxm4-80gb:8")
    ratios = []
    with simulated_nvml(devices):
        recorders = [Recorder(NvmlSampler(), device.uuid) for device in devices]
        once = statistics.median(kernel.time(20, passes=1))
        for _ in range(TELEMETRY_BLOCKS):
            rates = {}
            for sampled in (True, False):
                for recorder in recorders:
                    recorder.resume() if sampled else recorder.pause()
                rates[sampled] = statistics.median(kernel.time(max(1, int(TELEMETRY_BLOCK_SECONDS / once)), passes=1))
            ratios.append(rates[True] / rates[False])
        for recorder in recorders:
            recorder.stop()
    kernel.release()
    lower, upper = median_interval(ratios)
    return {"median": statistics.median(ratios), "lower": lower, "upper": upper, "blocks": TELEMETRY_BLOCKS}


def _starts() -> dict[int, float]:
    """Time the start of one worker and of eight at once, from the process to torch being ready."""
    seconds = {}
    for count in (1, 8):
        began = time.monotonic()
        with Crew([HOST] * count, SUITE.limits, alarm=no_alarm) as crew:
            failed = crew.open(range(count))
            seconds[count] = time.monotonic() - began
        if failed:
            raise SystemExit(f"workers did not start: {failed}")
    return seconds


def _table(rows: list[Row], cost: dict[str, float], starts: dict[int, float], *, began: str, load: float) -> str:
    model = next(
        (line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line), "?"
    )
    lines = [
        "# Fidelity of the product measurement on a processor",
        "",
        f"Command: `python benchmarks/gemm_fidelity.py --repeats {rows[0].repeats}`, {began}",
        f"Machine: {os.cpu_count()} cores, {model}, load {load:.1f} at the start",
        f"Versions: Python {platform.python_version()}, torch {torch.__version__}, {torch.get_num_threads()} threads",
        "",
        "`ratio`: our time over that of `torch.utils.benchmark`, runs taken in turn, median and its 95 % interval; the goal is within 2 %",
        "of 1. `time`: wall time of an adaptive measurement over that of 50 warm-up and 100 timed runs; the goal is at most 0.33.",
        "`covered`: how often the interval of a measurement held the median of the long run around it (the twelve measurements before",
        "and after), and that of all repeats, in which the machine's own drift over minutes shows; the goal is 90 of 100. `alone` is",
        "what the interval would have held without the drift that the suite adds for such machines.",
        "",
        "| type | size | ms | ratio | interval | time | runs | stopped by | half width | alone | covered | of all |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        stops = ", ".join(f"{name} {count}" for name, count in sorted(row.stops.items()))
        lines.append(
            f"| {row.dtype} | {row.size} | {row.milliseconds:.2f} | {row.ratio:.4f} | {row.ratio_lower:.4f} to {row.ratio_upper:.4f} "
            f"({row.pairs} pairs) | {row.time_share:.2f} | {row.runs_median:.0f} | {stops} "
            f"| {row.half_width_median:.2%} | {row.covered_alone} | {row.covered_near} of {row.repeats} | {row.covered_all} of {row.repeats} |"
        )
    lines += [
        "",
        f"Telemetry of eight devices at 25 Hz beside a product in the same process: time {cost['median']:.4f} of that without, "
        f"{cost['lower']:.4f} to {cost['upper']:.4f} ({cost['blocks']:.0f} pairs of blocks).",
        "",
        f"Start of a worker with torch loaded: {starts[1]:.1f} s; of eight at once on these cores: {starts[8]:.1f} s.",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
