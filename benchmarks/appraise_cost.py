"""What an appraisal costs: processor time for eight different devices, and the command from the shell.

    python benchmarks/appraise_cost.py --out results/appraise-cost.md

Without --out the table is only printed. The goals are 5 ms of processor time after import and opening, and 0.4 s for the command on
an idle machine of two cores. The first appraisal after the catalogue was loaded costs more than the next: how a reading divides the
catalogue and how a claim is worded is worked out when it is first asked for. Evidence of other machines then finds it done.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from gpuaudit.appraisal.appraise import Exhibit, Question, appraise
from gpuaudit.appraisal.claim import claim_of
from gpuaudit.appraisal.policy import load_policy
from gpuaudit.appraisal.reference import Yardstick, prepare
from gpuaudit.appraisal.result import Digest
from gpuaudit.appraisal.threshold import load_thresholds
from gpuaudit.attester.attest import attest
from gpuaudit.catalogue.compiled import load_catalogue
from gpuaudit.clock import WallClock, rfc3339
from gpuaudit.simulated.machine import simulated_machine
from gpuaudit.simulated.spec import parse_spec
from gpuaudit.tender.model import HardwareLine
from gpuaudit.tender.parse import load_tender
from gpuaudit.workload.bench import SilentProgress
from gpuaudit.workload.suite import load_suite

SPEC = "a100-sxm4-80gb:1,a100-sxm4-40gb:1,a100-pcie-80gb:1,a800-sxm4-80gb:1,h100-sxm5-80gb:1,h800-sxm5:1,l40s:1,t4:1"
TENDER = "sustech-2024"
RUNS = 40
FIRST_RUNS = 15
COMMAND_RUNS = 11


def main() -> None:
    """Measure, print and, if asked to, write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, help="where to write the table")
    out: Path | None = parser.parse_args().out
    appraisals, first = _appraisals()
    commands, bare = _commands()
    rows = [
        ("appraise, eight different devices, processor time", _spread(appraisals)),
        ("the same, first after the catalogue was loaded", _spread(first)),
        ("`gpuaudit appraise` from the shell, wall time", _spread(commands)),
        ("`python -c pass` beside it, wall time", _spread(bare)),
    ]
    ratio = statistics.median(commands) / statistics.median(bare)
    text = "\n".join(
        [
            "# What an appraisal costs",
            "",
            f"Command: `python benchmarks/appraise_cost.py --out results/appraise-cost.md`, {rfc3339(WallClock().now())}",
            f"Machine: {os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, load {os.getloadavg()[0]:.1f}",
            f"Devices: `{SPEC}`, suite quick, tender {TENDER}",
            "",
            "| what | minimum | median | maximum |",
            "|---|---|---|---|",
            *(f"| {what} | {spread} |" for what, spread in rows),
            "",
            f"The command takes {ratio:.1f} times as long as starting Python.",
            "",
        ]
    )
    if out is not None:
        out.write_text(text, encoding="utf-8")
    print(text)


def _appraisals() -> tuple[list[float], list[float]]:
    """Time appraisals with one catalogue, and each with a freshly loaded one, the claim worked out as the command does beforehand."""
    with simulated_machine(parse_spec(SPEC)) as machine:
        bundle = attest(
            machine,
            nonce="00" * 32,
            suite=load_suite("quick"),
            clock=WallClock(),
            busy_ok=False,
            progress=SilentProgress(),
        )
    thresholds = load_thresholds()
    tender = load_tender(TENDER)
    question = Question(
        tender=tender.tender,
        tender_file=Digest(name=TENDER, sha256=tender.sha256),
        policy=load_policy("standard"),
        thresholds_sha256=thresholds.sha256,
    )
    exhibit = Exhibit(bundle=bundle, file=Digest(name="evidence.json", sha256="0" * 64), signed_by=())

    def timed(yardstick: Yardstick) -> float:
        started = time.process_time()
        appraise(exhibit, question, yardstick, appraised_at="2026-01-01T00:00:00Z")
        return time.process_time() - started

    def loaded() -> Yardstick:
        yardstick = prepare(load_catalogue(), thresholds.thresholds)
        for line in tender.tender.lines:
            if isinstance(line, HardwareLine):
                claim_of(line, yardstick)
        return yardstick

    one = loaded()
    return [timed(one) for _ in range(RUNS)], [timed(loaded()) for _ in range(FIRST_RUNS)]


def _commands() -> tuple[list[float], list[float]]:
    """Time the command and a bare interpreter in turn, so that a slow moment of the machine falls on both."""
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"XDG_CONFIG_HOME": folder}
        seal = [sys.executable, "-m", "gpuaudit", "attest", "--simulate", SPEC, "--out", f"{folder}/out"]
        subprocess.run(seal, env=environment, check=True, capture_output=True)
        command = [sys.executable, "-m", "gpuaudit", "appraise", f"{folder}/out/evidence.json", "--tender", TENDER]
        pairs = [(_wall(command, environment), _wall([sys.executable, "-c", "pass"], environment)) for _ in range(COMMAND_RUNS)]
    return [one for one, _ in pairs], [other for _, other in pairs]


def _wall(command: list[str], environment: dict[str, str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, env=environment, check=False, capture_output=True)
    return time.perf_counter() - started


def _spread(times: list[float]) -> str:
    return " | ".join(f"{seconds * 1e3:.1f} ms" for seconds in (min(times), statistics.median(times), max(times)))


if __name__ == "__main__":
    main()
