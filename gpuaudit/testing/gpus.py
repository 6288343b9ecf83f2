"""Simulated accelerators in place: what a test gets, and an audit of them without files and keys."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache

from gpuaudit.appraisal.appraise import Exhibit, Question, appraise
from gpuaudit.appraisal.policy import load_policy
from gpuaudit.appraisal.reference import Yardstick, prepare
from gpuaudit.appraisal.result import AttestationResult, Digest
from gpuaudit.appraisal.threshold import load_thresholds
from gpuaudit.attester.attest import attest
from gpuaudit.attester.machine import Machine
from gpuaudit.catalogue.compiled import load_catalogue
from gpuaudit.clock import WallClock, rfc3339
from gpuaudit.envelope.nonce import fresh_nonce
from gpuaudit.evidence.bundle import EvidenceBundle
from gpuaudit.evidence.codec import encode
from gpuaudit.simulated.adversaries.repertoire import parse_adversary, play
from gpuaudit.simulated.adversaries.stage import honest_stage, on_stage
from gpuaudit.simulated.device import SimulatedDevice
from gpuaudit.simulated.spec import parse_spec
from gpuaudit.tender.parse import load_tender
from gpuaudit.workload.bench import SilentProgress
from gpuaudit.workload.suite import load_suite


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedGpus:
    """A simulated machine, as long as it is in place."""

    devices: tuple[SimulatedDevice, ...]
    machine: Machine

    def attest(self, *, suite: str = "quick") -> EvidenceBundle:
        """Collect and measure, as `gpuaudit attest` does, on a virtual clock: no real work is done.

        Raises:
            UsageError: There is no such suite.
        """
        return attest(
            self.machine,
            nonce=fresh_nonce(),
            suite=load_suite(suite),
            clock=WallClock(),
            busy_ok=False,
            progress=SilentProgress(),
        )

    def audit(self, tender: str, *, policy: str = "standard", suite: str = "quick") -> AttestationResult:
        """Collect, measure and appraise, as `gpuaudit audit --allow-simulated` does. Nothing is signed and no file is written.

        Args:
            tender: A slug, or a path to a TOML file.
            policy: What counts.
            suite: What to measure.

        Raises:
            UsageError: There is no such tender, policy or suite, or the tender's file is at fault.
        """
        loaded, bundle = load_tender(tender), self.attest(suite=suite)
        question = Question(
            tender=loaded.tender,
            tender_file=Digest(name=loaded.tender.slug, sha256=loaded.sha256),
            policy=load_policy(policy),
            thresholds_sha256=load_thresholds().sha256,
            allow_simulated=True,
        )
        file = Digest(name="evidence, not sealed", sha256=hashlib.sha256(encode(bundle)).hexdigest())
        exhibit = Exhibit(bundle=bundle, file=file, signed_by=())
        return appraise(exhibit, question, _yardstick(), appraised_at=rfc3339(WallClock().now()))


@contextmanager
def simulated(spec: str, *, adversary: str = "", seed: int = 0) -> Iterator[SimulatedGpus]:
    """Let everything in this process that asks pynvml hear simulated devices, until left.

    Args:
        spec: As `--simulate` takes it: `a100-sxm4-80gb:8`, `a:1,b:1`.
        adversary: As `--adversary` takes it: `renamed-as=a100-sxm4-80gb`; empty for an honest machine.
        seed: Another one is another machine.

    Raises:
        UsageError: There is no such device or adversary.
        RuntimeError: A simulation is already in place.
    """
    stage = honest_stage(parse_spec(spec, seed=seed), seed=seed)
    if adversary:
        stage = play(parse_adversary(adversary), stage)
    with on_stage(stage) as machine:
        yield SimulatedGpus(devices=tuple(stage.devices), machine=machine)


@cache
def _yardstick() -> Yardstick:
    return prepare(load_catalogue(), load_thresholds().thresholds)
