"""From a result, and the evidence behind it, to the view that every form shows."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import TypeVar

from gpuaudit.appraisal.result import AttestationResult, EvidenceSummary, Verdict
from gpuaudit.catalogue.compiled import load_catalogue
from gpuaudit.printable import printable
from gpuaudit.report.machine import device_section, environment_section, unread_section
from gpuaudit.report.measured import measured_section
from gpuaudit.report.overtime import over_time
from gpuaudit.report.paper import NoEvidence, NotSealed, Paper, Redacted, Sealed, Whole
from gpuaudit.report.quoting import quoted, sentence
from gpuaudit.report.verdicts import findings_section, limits_section, line_sections, no_proof_section, odd_section
from gpuaudit.report.view import (
    Commands,
    CurveChart,
    DotChart,
    Fact,
    Facts,
    HeatChart,
    Listing,
    Section,
    TimeChart,
    View,
)
from gpuaudit.report.words import NOT_ACCEPTED, REDACTED, SIGNATURE, STAMPS, UNSIGNED

T = TypeVar("T")


def view_of_result(result: AttestationResult) -> View:
    """Lay out what a result alone gives, for the short form."""
    reason = "only the result is at hand"
    return view_of(Paper(result=result, seal=NotSealed(), evidence=NoEvidence(reason=reason), redaction=Whole()))


def view_of(paper: Paper) -> View:
    """Lay out everything that a report says, the verdict first."""
    # Quoting where a text is taken in is for length; that nothing is obeyed must not hang on anyone's having thought of it.
    return _each_text(_composed(paper), printable)


def _composed(paper: Paper) -> View:
    result = paper.result
    return View(
        stamp=STAMPS[result.origin],
        verdict=result.verdict.value,
        tender=quoted(result.tender.name),
        title=quoted(result.tender_title),
        headline=sentence(result.headline),
        remarks=tuple(_remarks(paper)),
        sections=tuple(_sections(paper)),
    )


def _each_text(value: T, change: Callable[[str], str]) -> T:
    """Return a record like `value` with every text in it changed."""
    if isinstance(value, str):
        return change(value)  # type: ignore[return-value]
    if isinstance(value, tuple):
        return tuple(_each_text(item, change) for item in value)  # type: ignore[return-value]
    if isinstance(value, DotChart | CurveChart | TimeChart | HeatChart):
        # Numbers and our own words.
        return value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return dataclasses.replace(
            value, **{one.name: _each_text(getattr(value, one.name), change) for one in dataclasses.fields(value)}
        )
    return value


def _remarks(paper: Paper) -> Iterator[str]:
    result = paper.result
    if result.verdict is Verdict.CONFIRMED and not result.accepted:
        yield NOT_ACCEPTED.format(origin=result.origin.value)
    if isinstance(paper.redaction, Redacted):
        yield REDACTED.format(count=paper.redaction.replaced, digest=paper.redaction.full_sha256)


def _sections(paper: Paper) -> Iterator[Section]:
    result = paper.result
    yield from line_sections(result)
    yield from odd_section(result)
    yield limits_section(result)
    yield _foundations(result)
    yield no_proof_section()
    yield from _of_evidence(paper)
    yield findings_section(result)
    yield _verification(paper)


def _of_evidence(paper: Paper) -> Iterator[Section]:
    evidence = paper.evidence
    if isinstance(evidence, NoEvidence):
        why = Listing(items=(sentence(evidence.reason),))
        yield Section(id="no-evidence", title="Cards, measurements and machine: not shown", brief=False, blocks=(why,))
        return
    yield device_section(evidence)
    yield measured_section(evidence, paper.result, load_catalogue(), over_time(evidence))
    yield environment_section(evidence)
    yield unread_section(evidence)


def _foundations(result: AttestationResult) -> Section:
    facts = [Fact(label="policy", value=quoted(result.policy)), Fact(label="catalogue", value=quoted(result.catalogue_version))]
    facts += [fact for evidence in result.evidence for fact in _evidence(evidence)]
    facts += [Fact(label="challenge", value=f"{quoted(file.name)} sha256:{quoted(file.sha256)}") for file in result.challenges]
    facts.append(Fact(label="tender", value=f"sha256:{result.tender.sha256}"))
    return Section(id="foundations", title="What this rests on", brief=True, blocks=(Facts(items=tuple(facts)),))


def _evidence(evidence: EvidenceSummary) -> Iterator[Fact]:
    yield Fact(label="evidence", value=f"{quoted(evidence.file.name)} sha256:{evidence.file.sha256}")
    yield Fact(
        label="collected", value=f"{evidence.started_at} to {evidence.finished_at}, devices seen: {evidence.devices_seen}"
    )
    yield Fact(label="signed by", value=", ".join(map(quoted, evidence.signed_by)) or UNSIGNED)
    yield Fact(label="nonce", value=quoted(evidence.nonce))


def _verification(paper: Paper) -> Section:
    """Say how to come to the same result, with the digests of everything that takes part in it."""
    result = paper.result
    facts = []
    commands = []
    if isinstance(paper.seal, Sealed):
        signers = ", ".join(map(quoted, paper.seal.signed_by))
        facts += [
            Fact(label="this result", value=f"{quoted(paper.seal.name)} sha256:{paper.seal.sha256}"),
            Fact(label="sealed by", value=signers),
        ]
        commands.append("gpuaudit verify result.json --keyring KEY.pub")
    commands += ["sha256sum evidence.json", "gpuaudit verify evidence.json --keyring KEY.pub"]
    complete = " --complete" if result.complete else ""
    commands.append(
        f"gpuaudit appraise evidence.json --tender TENDER.toml --policy {quoted(result.policy)}{complete} --keyring KEY.pub"
    )
    facts += [
        Fact(label="appraised", value=f"{result.appraised_at} by {quoted(result.tool.name)} {quoted(result.tool.version)}"),
        Fact(label="rules", value=f"sha256:{result.rules_sha256}"),
        Fact(label="thresholds", value=f"sha256:{result.thresholds_sha256}"),
        Fact(label="policy", value=f"sha256:{result.policy_sha256}"),
    ]
    blocks = (Facts(items=tuple(facts)), Commands(items=tuple(commands)), Listing(items=(SIGNATURE,)))
    return Section(id="verify", title="How to verify this yourself", brief=False, blocks=blocks)
