"""The six cases that every form of a report is tried on, and one whose every text is hostile."""

from __future__ import annotations

import dataclasses
from dataclasses import replace
from datetime import UTC, datetime
from enum import Enum
from functools import cache
from typing import Any, Final

from gpuaudit.appraisal.appraise import Exhibit, Question, appraise
from gpuaudit.appraisal.policy import load_policy
from gpuaudit.appraisal.reference import Yardstick, prepare
from gpuaudit.appraisal.result import Digest
from gpuaudit.appraisal.threshold import load_thresholds
from gpuaudit.attester.attest import attest
from gpuaudit.catalogue.compiled import load_catalogue
from gpuaudit.clock import SteppingClock
from gpuaudit.evidence.bundle import EvidenceBundle, Origin
from gpuaudit.evidence.measurement import Samples
from gpuaudit.evidence.reading import Known
from gpuaudit.report.as_html import as_html
from gpuaudit.report.compose import view_of
from gpuaudit.report.paper import Paper, Sealed, Whole
from gpuaudit.simulated.machine import simulated_machine
from gpuaudit.simulated.spec import parse_spec
from gpuaudit.tender.parse import load_tender
from gpuaudit.units import Seconds
from gpuaudit.workload.bench import SilentProgress
from gpuaudit.workload.suite import load_suite

CASES: Final = ("confirmed", "refuted-by-identity", "refuted-by-measurement", "inconclusive", "simulated", "capture")
NONCE: Final = "ab" * 32
HOSTILE: Final = (
    "<script>alert(1)</script>",
    "</style><img src=x onerror=alert(2)>",
    "{{ 7*7 }}{% raw %}",
    "\x1b[31mred\x1b]52;c;aGk=\x07",
    "\u202egnorw\u202c\u200b",
    "$\\frac{a}$",
    "x" * 10_000,
    "]]>&amp;\"'",
)


@cache
def paper(case: str) -> Paper:
    """One case, from simulated cards whose origin is then said to be another."""
    match case:
        case "confirmed":
            return paper_of(replace(evidence("a100-sxm4-80gb:8"), origin=Origin.HARDWARE))
        case "refuted-by-identity":
            return paper_of(replace(evidence("a800-sxm4-80gb:8"), origin=Origin.HARDWARE))
        case "refuted-by-measurement":
            return paper_of(at_rate(replace(evidence("a100-sxm4-80gb:8"), origin=Origin.HARDWARE), 2.5))
        case "inconclusive":
            return paper_of(at_rate(replace(evidence("a100-sxm4-80gb:8"), origin=Origin.HARDWARE), 0.25))
        case "simulated":
            return paper_of(evidence("a100-sxm4-80gb:8"))
        case "capture":
            taken = replace(evidence("a100-sxm4-80gb:8"), origin=Origin.CAPTURE, measurements=())
            return paper_of(taken, policy="testimony")
        case _:
            raise ValueError(case)


@cache
def page(case: str) -> str:
    return as_html(view_of(paper(case)))


@cache
def evidence(spec: str) -> EvidenceBundle:
    clock = SteppingClock(datetime(2026, 1, 1, tzinfo=UTC))
    with simulated_machine(parse_spec(spec)) as machine:
        return attest(machine, nonce=NONCE, suite=load_suite("quick"), clock=clock, busy_ok=False, progress=SilentProgress())


@cache
def yardstick() -> Yardstick:
    return prepare(load_catalogue(), load_thresholds().thresholds)


def paper_of(bundle: EvidenceBundle, *, policy: str = "standard", tender: str = "sustech-2024") -> Paper:
    loaded = load_tender(tender)
    question = Question(
        tender=loaded.tender,
        tender_file=Digest(name=loaded.tender.slug, sha256=loaded.sha256),
        policy=load_policy(policy),
        thresholds_sha256=load_thresholds().sha256,
        nonce_expected=NONCE,
    )
    exhibit = Exhibit(bundle=bundle, file=Digest(name="evidence.json", sha256="e" * 64), signed_by=("k" * 64,))
    result = appraise(exhibit, question, yardstick(), appraised_at="2026-01-01T00:02:00Z")
    return Paper(
        result=result,
        seal=Sealed(name="result.json", sha256="f" * 64, signed_by=("d" * 64,)),
        evidence=bundle,
        redaction=Whole(),
    )


def at_rate(bundle: EvidenceBundle, factor: float) -> EvidenceBundle:
    """The same machine, every run of it `factor` times as fast."""
    faster = []
    for one in bundle.measurements:
        if isinstance(one.samples, Known):
            samples: Samples = one.samples.value
            seconds = tuple(Seconds(second / factor) for second in samples.seconds)
            faster.append(replace(one, samples=replace(one.samples, value=replace(samples, seconds=seconds))))
        else:
            faster.append(one)
    return replace(bundle, measurements=tuple(faster))


def hostile(text: str) -> Paper:
    """A report in which every text that somebody else can choose is `text`."""
    honest = paper("simulated")
    return replace(honest, result=_overwritten(honest.result, text), evidence=_overwritten(honest.evidence, text))


def _overwritten(value: Any, text: str) -> Any:
    if isinstance(value, str) and not isinstance(value, Enum):
        return text
    if isinstance(value, tuple):
        return tuple(_overwritten(item, text) for item in value)
    if not dataclasses.is_dataclass(value) or isinstance(value, type):
        return value
    kept = {"state", "kind", "layout", "task", "subjects", "seconds", "uuid"}
    changes = {
        one.name: _overwritten(getattr(value, one.name), text)
        for one in dataclasses.fields(value)
        if one.name not in kept and one.name != "schema_version"
    }
    return replace(value, **changes)
