"""How often is a verdict wrong? Products x claims x adversaries, appraised the real way, with noise as genuine cards show it.

Run as `python -m benchmarks.soundness`; writes results/soundness.md. Exits 1 if a goal is missed.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from typing import Final

from benchmarks.soundness_study.goals import Goal, goals_of
from benchmarks.soundness_study.judging import Tally, study
from benchmarks.soundness_study.leaving_out import leave_out_records
from benchmarks.soundness_study.machines import Machine, plan
from benchmarks.soundness_study.mutation import mutations
from benchmarks.soundness_study.tables import document
from gpuaudit.catalogue.compiled import load_catalogue

RESULTS: Final = Path(__file__).parents[1] / "results" / "soundness.md"
_WORKERS: Final = 2
_CHUNK: Final = 16


def main() -> int:
    """Run the study and write its table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=20261123, help="decides the noise and the machines")
    parser.add_argument("--out", type=Path, default=RESULTS, help="where to write the table")
    options = parser.parse_args()
    began = time.perf_counter()
    tallies = run(plan(), seed=options.seed)
    took = Took(seconds=time.perf_counter() - began, processor_seconds=_processor_seconds())
    changed = mutations()
    left_out = leave_out_records()
    goals = goals_of(tallies, changed, left_out)
    options.out.write_text(document(tallies, goals, changed, left_out, header=_header(options.seed, took)), encoding="utf-8")
    _say(goals, tallies, took)
    return 0 if all(goal.met for goal in goals) else 1


def run(machines: Iterable[Machine], *, seed: int) -> dict[str, Tally]:
    """Study all machines on two processes and add up what each kind gave."""
    tallies: dict[str, Tally] = {}
    numbered = [(machine, seed + number) for number, machine in enumerate(machines)]
    with get_context("spawn").Pool(_WORKERS) as pool:
        for kind, tally in pool.imap_unordered(_study, numbered, chunksize=_CHUNK):
            tallies.setdefault(kind, Tally()).add(tally)
    order = {machine.kind: place for place, (machine, _) in reversed(list(enumerate(numbered)))}
    return dict(sorted(tallies.items(), key=lambda item: order[item[0]]))


def _study(numbered: tuple[Machine, int]) -> tuple[str, Tally]:
    machine, seed = numbered
    return study(machine, seed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Took:
    """What the audits took: by the clock, and of the processors by our own two processes, whoever else was there."""

    seconds: float
    processor_seconds: float

    @property
    def told(self) -> str:
        """Write both."""
        load = os.getloadavg()[0]
        return f"{self.seconds:.0f} s for the audits, {self.processor_seconds:.0f} s of processor time, load {load:.1f}"


def _processor_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _header(seed: int, took: Took) -> Mapping[str, str]:
    return {
        "command": f"python -m benchmarks.soundness --seed {seed}",
        "date": f"{datetime.now(UTC):%Y-%m-%d}",  # noqa: TID251 - a benchmark says when it ran
        "machine": f"{platform.machine()}, {_cpu()}, two processes, Python {platform.python_version()}",
        "took": took.told,
        "catalogue": load_catalogue().version,
    }


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.processor())


def _say(goals: Iterable[Goal], tallies: Mapping[str, Tally], took: Took) -> None:
    audits = sum(tally.audits for tally in tallies.values())
    print(f"{audits} audits in {took.told}")
    for goal in goals:
        print(f"{'met   ' if goal.met else 'MISSED'} {goal.what}: {goal.got}")


if __name__ == "__main__":
    sys.exit(main())
