"""What it costs to appraise a fleet: 50, 500 and 5,000 nodes of eight GPUs, with evidence as large as the quick suite writes it.

Run: python benchmarks/fleet_scale.py [NODES...]. Writes results/fleet-scale.md. The goals are 10 s and 500 MB for 500 nodes on two
cores, time in proportion to the number of nodes, and memory that follows neither that nor the size of the evidence; SCALE.md beside
the fleet's modules says what still does.

One machine is simulated in full; every other node is that evidence with other cards, names and times, sealed with a key of its own.
"""

from __future__ import annotations

import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from securesystemslib.signer import CryptoSigner

from gpuaudit.attester.attest import attest
from gpuaudit.clock import WallClock, rfc3339
from gpuaudit.envelope import PredicateType, Subject, seal
from gpuaudit.envelope.keys import public_pem
from gpuaudit.envelope.nonce import nonce_digest
from gpuaudit.evidence.codec import encode
from gpuaudit.evidence.reading import Known
from gpuaudit.simulated.machine import simulated_machine
from gpuaudit.simulated.spec import parse_spec
from gpuaudit.workload.bench import SilentProgress
from gpuaudit.workload.suite import load_suite

SPEC, TENDER, NONCE = "a100-sxm4-80gb:8", "ustc-suzhou-2024", "ab" * 32
RESULTS = Path(__file__).resolve().parent.parent / "results" / "fleet-scale.md"
SAMPLE_SECONDS = 0.05
DIGITS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one size took. Memory is the sum over all processes, shared pages counted once (PSS), at its highest."""

    nodes: int
    seconds: float
    cpu_seconds: float
    peak_megabytes: float
    parent_megabytes: float
    bundle_bytes: int
    verdict: str
    good: int


def main() -> None:
    """Make fleets, appraise them, print and write the table."""
    sizes = [int(text) for text in sys.argv[1:]] or [50, 500, 5000]
    with tempfile.TemporaryDirectory(prefix="gpuaudit-scale-") as folder:
        fleet = Path(folder) / "fleet"
        costs = []
        made = 0
        for size in sorted(sizes):
            _make(fleet, range(made, size))
            made = size
            costs.append(_appraise(fleet, size))
            print(costs[-1], flush=True)
    text = _table(costs)
    RESULTS.write_text(text)
    print(text)


def _make(fleet: Path, numbers: range) -> None:
    (fleet / "keys").mkdir(parents=True, exist_ok=True)
    with ProcessPoolExecutor() as pool:
        parts = [numbers[start :: os.cpu_count() or 1] for start in range(os.cpu_count() or 1)]
        for _ in pool.map(_make_part, [fleet] * len(parts), parts):
            pass


def _make_part(fleet: Path, numbers: range) -> None:
    with simulated_machine(parse_spec(SPEC)) as machine:
        bundle = attest(
            machine, nonce=NONCE, suite=load_suite("quick"), clock=WallClock(), busy_ok=False, progress=SilentProgress()
        )
    own = [
        reading.value.encode()
        for device in bundle.nvml.devices
        for reading in (device.identity.uuid, device.identity.serial)
        if isinstance(reading, Known)
    ]
    payload = encode(bundle)
    for number in numbers:
        nonce = f"{number:064x}"
        node = payload.replace(NONCE.encode(), nonce.encode())
        for text in own:
            node = node.replace(text, text[: -DIGITS - 2] + f"{number:0{DIGITS}}".encode() + text[-2:])
        signer = CryptoSigner.generate_ed25519()
        sealed = seal(PredicateType.EVIDENCE, [Subject(name="nonce", sha256=nonce_digest(nonce))], node, signer)
        (fleet / f"node-{number:05}.json").write_bytes(sealed)
        (fleet / "keys" / f"node-{number:05}.pub").write_bytes(public_pem(signer.public_key))


def _appraise(fleet: Path, size: int) -> Cost:
    command = [
        sys.executable, "-m", "gpuaudit", "fleet", "appraise", str(fleet), "--tender", TENDER,
        "--keyring", str(fleet / "keys"), "--allow-simulated", "--format", "json", "--quiet",
    ]  # fmt: skip
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as home, tempfile.TemporaryFile("w+") as answer:
        process = subprocess.Popen(command, stdout=answer, env=os.environ | {"XDG_CONFIG_HOME": home})
        peak = parent = 0.0
        while process.poll() is None:
            family = [process.pid, *_children(process.pid)]
            memory = [_pss_megabytes(pid) for pid in family]
            peak, parent = max(peak, sum(memory)), max(parent, memory[0])
            time.sleep(SAMPLE_SECONDS)
        seconds = time.perf_counter() - began
        answer.seek(0)
        result = json.load(answer)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Cost(
        nodes=size,
        seconds=seconds,
        cpu_seconds=after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime,
        peak_megabytes=peak,
        parent_megabytes=parent,
        bundle_bytes=round(statistics.mean(path.stat().st_size for path in fleet.glob("*.json"))),
        verdict=result["verdict"],
        good=result["lines"][0]["goodServers"],
    )


def _children(pid: int) -> list[int]:
    try:
        direct = [int(text) for text in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []
    return [*direct, *(grandchild for child in direct for grandchild in _children(child))]


def _pss_megabytes(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


def _table(costs: list[Cost]) -> str:
    rows = [
        f"| {one.nodes:,} | {one.nodes * 8:,} | {one.seconds:.1f} s | {one.cpu_seconds:.1f} s | "
        f"{one.cpu_seconds / one.nodes * 1000:.1f} ms | {one.peak_megabytes:.0f} MB | {one.parent_megabytes:.0f} MB | "
        f"{one.verdict}, {one.good} good |"
        for one in costs
    ]
    return "\n".join(
        [
            "# What appraising a fleet costs",
            "",
            f"Command: `python benchmarks/fleet_scale.py`, {rfc3339(WallClock().now())}",
            f"Machine: {os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}, load {os.getloadavg()[0]:.1f}",
            f"Evidence: `{SPEC}`, suite quick, {costs[0].bundle_bytes:,} bytes a file, sealed by a key for each node; tender {TENDER}",
            f"Disk of the largest fleet: {costs[-1].bundle_bytes * costs[-1].nodes / 1e9:.2f} GB",
            "",
            "| nodes | GPUs | wall time | processor time | a node | memory, all processes | of it the first process | result |",
            "|---|---|---|---|---|---|---|---|",
            *rows,
            "",
            "Wall time with start and imports; memory is the highest sum of proportional set sizes, sampled every 50 ms.",
            "",
        ]
    )


if __name__ == "__main__":
    main()
