"""Claims and evidence as the study makes them: the real attester below, the real appraisal above."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from types import MappingProxyType
from typing import Final

from gpuaudit.appraisal.appraise import Exhibit, Question, appraise
from gpuaudit.appraisal.policy import load_policy
from gpuaudit.appraisal.reference import Yardstick, prepare
from gpuaudit.appraisal.result import AttestationResult, Digest
from gpuaudit.appraisal.threshold import load_thresholds
from gpuaudit.attester.attest import attest
from gpuaudit.catalogue.compiled import load_catalogue
from gpuaudit.clock import SteppingClock
from gpuaudit.evidence.bundle import EvidenceBundle
from gpuaudit.simulated.adversaries.repertoire import parse_adversary, play
from gpuaudit.simulated.adversaries.stage import Stage, honest_stage, on_stage
from gpuaudit.simulated.device import SimulatedDevice
from gpuaudit.tender.model import Exactly, HardwareLine, ProductClaim, Status, Tender, Unsaid
from gpuaudit.workload.bench import SilentProgress
from gpuaudit.workload.suite import Suite, load_suite

_NONCE: Final = "5a" * 32
_NOWHERE: Final = "0" * 64
_NO_FILES: Final[Mapping[str, str]] = MappingProxyType({})
_THEN: Final = datetime(2026, 11, 23, tzinfo=UTC)


@cache
def real_yardstick() -> Yardstick:
    """Prepare the catalogue, the thresholds and the rules that come with gpuaudit."""
    return prepare(load_catalogue(), load_thresholds().thresholds)


def evidence_of(
    devices: Sequence[SimulatedDevice], adversary: str = "", *, files: Mapping[str, str] = _NO_FILES
) -> EvidenceBundle:
    """Attest a simulated machine with `devices` and further `files`, on which `adversary` plays, with the suite `quick`."""
    stage = replace(honest_stage(devices), files=files)
    if adversary:
        stage = play(parse_adversary(adversary), stage)
    return evidence_on(stage)


def evidence_on(stage: Stage) -> EvidenceBundle:
    """Attest the machine of `stage` with the suite `quick`."""
    with on_stage(stage) as machine:
        return attest(
            machine,
            nonce=_NONCE,
            suite=_suite(),
            clock=SteppingClock(_THEN),
            busy_ok=False,
            progress=SilentProgress(),
        )


@cache
def _suite() -> Suite:
    return load_suite("quick")


@cache
def question(named: str, cards: int) -> Question:
    """Ask for one server with exactly so many cards of a family or a product."""
    line = HardwareLine(
        id="line",
        text=f"a server with {cards} {named}",
        product=ProductClaim(named=named),
        per_server=Exactly(n=cards),
        servers=Exactly(n=1),
        total=Unsaid(),
    )
    tender = Tender(
        schema=1,
        slug="study",
        title="study",
        buyer="",
        summary="",
        source="",
        status=Status.UNDETERMINED,
        documents=(),
        lines=(line,),
    )
    return Question(
        tender=tender,
        tender_file=Digest(name="study", sha256=_NOWHERE),
        policy=load_policy("standard"),
        thresholds_sha256=load_thresholds().sha256,
        allow_simulated=True,
    )


def answer(bundle: EvidenceBundle, asked: Question, yardstick: Yardstick) -> AttestationResult:
    """Appraise as `gpuaudit appraise` does."""
    exhibit = Exhibit(bundle=bundle, file=Digest(name="evidence.json", sha256=_NOWHERE), signed_by=("study",))
    return appraise(exhibit, asked, yardstick, appraised_at="2026-11-23T00:00:00Z")
