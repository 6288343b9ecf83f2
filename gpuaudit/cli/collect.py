"""From options to evidence: what `probe`, `bench`, `attest` and `audit` share."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gpuaudit.attester.attest import attest, probe
from gpuaudit.attester.machine import Machine, this_machine
from gpuaudit.cli import console
from gpuaudit.cli.progress import shown_progress
from gpuaudit.clock import WallClock
from gpuaudit.envelope import fresh_nonce, read_nonce
from gpuaudit.errors import UsageError
from gpuaudit.evidence.bundle import EvidenceBundle, Origin
from gpuaudit.evidence.reading import Unknown
from gpuaudit.report.words import HEADS
from gpuaudit.workload.bench import SilentProgress
from gpuaudit.workload.suite import load_suite

DEFAULT_SUITE: Final = "quick"
SIMULATED_HEAD: Final = HEADS[Origin.SIMULATED]


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """What to collect: `simulate` is a spec, or empty for this machine; `nonce` is one, as `nonce_of` gives it.

    `adversary` names who plays on a simulated machine, or is empty.
    """

    simulate: str
    nonce: str
    suite: str
    busy_ok: bool
    adversary: str = ""


def nonce_of(typed: str) -> str:
    """Return the nonce that was typed, or draw one where none was.

    Raises:
        UsageError: What was typed is not a nonce.
    """
    return read_nonce(typed) if typed else fresh_nonce()


def folder_for(out: Path | None, nonce: str) -> Path:
    """Return the folder that was asked for, or name one for this moment and this nonce."""
    return out if out is not None else Path(f"gpuaudit-{WallClock().now():%Y%m%dT%H%M%SZ}-{nonce[:6]}")


def collect_identity(simulate: str, adversary: str = "") -> EvidenceBundle:
    """Collect what the machine says, and load nothing.

    Raises:
        UsageError: There is no such simulated device or adversary.
    """
    with _machine(simulate, adversary) as machine:
        return _told(probe(machine, nonce=fresh_nonce(), clock=WallClock()), simulate)


def collect(collection: Collection) -> EvidenceBundle:
    """Collect what the machine says and measure what it can do, with progress on stderr.

    Raises:
        UsageError: There is no such suite, simulated device or adversary.
    """
    suite = load_suite(collection.suite)
    # A simulation counts virtual seconds: minutes announced for it would not come.
    progress_shown = nullcontext(SilentProgress()) if collection.simulate else shown_progress()
    with _machine(collection.simulate, collection.adversary) as machine, progress_shown as progress:
        bundle = attest(
            machine,
            nonce=collection.nonce,
            suite=suite,
            clock=WallClock(),
            busy_ok=collection.busy_ok,
            progress=progress,
        )
    return _told(bundle, collection.simulate)


@contextmanager
def _machine(simulate: str, adversary: str) -> Iterator[Machine]:
    if adversary and not simulate:
        raise UsageError("--adversary: expected --simulate SPEC beside it: adversaries play on simulated machines only")
    # Imported on the way that is taken: a simulation needs no torch, and a real audit no simulation.
    if adversary:
        from gpuaudit.simulated.adversaries.repertoire import parse_adversary, play
        from gpuaudit.simulated.adversaries.stage import honest_stage, on_stage
        from gpuaudit.simulated.spec import parse_spec

        with on_stage(play(parse_adversary(adversary), honest_stage(parse_spec(simulate)))) as machine:
            yield machine
    elif simulate:
        from gpuaudit.simulated.machine import simulated_machine
        from gpuaudit.simulated.spec import parse_spec

        with simulated_machine(parse_spec(simulate)) as machine:
            yield machine
    else:
        from gpuaudit.attester.nvml.telemetry import NvmlSampler
        from gpuaudit.workload.torch_bench import TorchBench

        yield this_machine(TorchBench(NvmlSampler()))


def _told(bundle: EvidenceBundle, simulate: str) -> EvidenceBundle:
    """Say on stderr what a person may not expect in the result."""
    if bundle.origin is Origin.SIMULATED and not simulate:
        console.say(f"{SIMULATED_HEAD} ({bundle.origin_detail})")
    count = bundle.nvml.device_count
    if isinstance(count, Unknown):
        console.say(f"NVML counted no devices: {count.reason}: {count.detail}")
    return bundle
