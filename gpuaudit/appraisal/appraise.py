"""Appraise one machine's evidence against a tender.

The content of evidence never raises here: what does not fit is a finding. A rule that raises is a fault of ours and ends the
program, so that no result is signed.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from gpuaudit import __version__
from gpuaudit.appraisal.case import DeviceCase, device_cases
from gpuaudit.appraisal.claim import OWN_BASES, Claim, claim_of
from gpuaudit.appraisal.count import Fold, Key, Tally, fold, tally
from gpuaudit.appraisal.eliminate import Examination, examine
from gpuaudit.appraisal.finding import device_findings, device_standing
from gpuaudit.appraisal.policy import LoadedPolicy, Policy
from gpuaudit.appraisal.reference import Yardstick
from gpuaudit.appraisal.remaining import name_rivals
from gpuaudit.appraisal.result import (
    AttestationResult,
    Basis,
    ByBasis,
    Digest,
    EvidenceSummary,
    LineResult,
    Verdict,
)
from gpuaudit.appraisal.rules.counting import as_many_devices_as_claimed_are_confirmed
from gpuaudit.appraisal.rules.machine import MACHINE_RULES
from gpuaudit.appraisal.rules.machine_rule import Context
from gpuaudit.appraisal.rules.manual import rules_sha256
from gpuaudit.appraisal.wording import coverage, headline, notices
from gpuaudit.catalogue.model import NoData, Quantity
from gpuaudit.evidence.bundle import EvidenceBundle, Origin, Tool
from gpuaudit.tender.model import ClaimLine, OtherLine, Tender

_MACHINE: Final = "this machine"
_OUT_OF_SCOPE: Final = ByBasis(
    reported=Verdict.OUT_OF_SCOPE,
    measured=Verdict.OUT_OF_SCOPE,
    challenged=Verdict.OUT_OF_SCOPE,
    endorsed=Verdict.OUT_OF_SCOPE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Exhibit:
    """One machine's evidence, opened and authenticated (or unsigned, where the policy lets it in)."""

    bundle: EvidenceBundle
    file: Digest
    signed_by: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What is asked of the evidence, and under which conditions.

    `nonce_expected` is empty where none was given beforehand. `complete` says that somebody vouches for these being all machines.
    """

    tender: Tender
    tender_file: Digest
    policy: LoadedPolicy
    thresholds_sha256: str
    nonce_expected: str = ""
    complete: bool = False
    allow_simulated: bool = False


def appraise(exhibit: Exhibit, question: Question, yardstick: Yardstick, *, appraised_at: str) -> AttestationResult:
    """Come to a verdict on every line of the tender and on the whole.

    Returns:
        The result, unsigned. The same exhibit, question and yardstick always give the same one but for `appraised_at`.

    Raises:
        UsageError: The tender names a product that the catalogue does not know.
    """
    bundle = exhibit.bundle
    cases = device_cases(bundle, yardstick.thresholds.canonical)
    lines = tuple(_line(line, cases, bundle, question, yardstick) for line in question.tender.lines)
    context = Context(nonce_expected=question.nonce_expected, plausible=yardstick.thresholds.plausible)
    machine = tuple(rule.find(bundle, context) for rule in MACHINE_RULES)
    verdict = fold_lines(line.verdict for line in lines)
    accepted_origins = (Origin.HARDWARE, Origin.SIMULATED) if question.allow_simulated else (Origin.HARDWARE,)
    return AttestationResult(
        schema_version=1,
        tool=Tool(name="gpuaudit", version=__version__),
        verdict=verdict,
        accepted=verdict is Verdict.CONFIRMED and bundle.origin in accepted_origins,
        headline=headline(verdict, lines, bundle),
        origin=bundle.origin,
        policy=question.policy.policy.name,
        policy_sha256=question.policy.sha256,
        thresholds_sha256=question.thresholds_sha256,
        rules_sha256=rules_sha256(),
        catalogue_version=yardstick.catalogue.version,
        tender=question.tender_file,
        tender_title=question.tender.title,
        evidence=(_summary(exhibit),),
        complete=question.complete,
        appraised_at=appraised_at,
        by_basis=_fold_bases(lines),
        coverage=coverage(question.tender, bundle, question.nonce_expected),
        notices=notices(machine, lines),
        machine_findings=machine,
        lines=lines,
    )


def fold_lines(verdicts: Iterable[Verdict]) -> Verdict:
    """Fold the verdicts of lines: one refuted line refutes, all hardware lines must be confirmed to confirm."""
    hardware = [verdict for verdict in verdicts if verdict is not Verdict.OUT_OF_SCOPE]
    if not hardware:
        return Verdict.OUT_OF_SCOPE
    if Verdict.REFUTED in hardware:
        return Verdict.REFUTED
    return Verdict.CONFIRMED if all(verdict is Verdict.CONFIRMED for verdict in hardware) else Verdict.INCONCLUSIVE


def _line(
    line: ClaimLine, cases: Sequence[DeviceCase], bundle: EvidenceBundle, question: Question, yardstick: Yardstick
) -> LineResult:
    if isinstance(line, OtherLine):
        return _other_line(line)
    claim = claim_of(line, yardstick)
    policy = question.policy.policy
    examinations = tuple(examine(case, claim, yardstick, policy) for case in cases)
    tallies = _tallies(examinations, bundle)
    folds = {name: fold(line, (one,), complete=question.complete) for name, one in tallies.items()}
    by_basis = ByBasis(
        reported=folds["reported"].verdict,
        measured=folds["measured"].verdict,
        # There are no such readings in evidence that a machine collects of itself.
        challenged=Verdict.INCONCLUSIVE,
        endorsed=Verdict.INCONCLUSIVE,
    )
    overall = _under_policy(folds["overall"], tallies["overall"], policy)
    counted = [one for one in examinations if one.verdict is not Verdict.REFUTED]
    return LineResult(
        id=line.id,
        text=line.text,
        verdict=overall.verdict,
        reason=overall.reason,
        by_basis=by_basis,
        claimed=tuple(sorted(claim.claimed)),
        devices=tuple(device_standing(one, claim) for one in examinations),
        rivals=name_rivals(counted, claim, yardstick),
        no_data=_no_data(claim),
        findings=(
            as_many_devices_as_claimed_are_confirmed(line, tallies["overall"], overall),
            *(finding for one in examinations for finding in device_findings(one, claim)),
        ),
    )


def _other_line(line: OtherLine) -> LineResult:
    return LineResult(
        id=line.id,
        text=line.text,
        verdict=Verdict.OUT_OF_SCOPE,
        reason="nothing in the line is about hardware",
        by_basis=_OUT_OF_SCOPE,
        claimed=(),
        devices=(),
        rivals=(),
        no_data=(),
        findings=(),
    )


def _tallies(examinations: Sequence[Examination], bundle: EvidenceBundle) -> dict[str, Tally]:
    """Count the devices for the bases that the evidence has, and for the whole.

    That there are no other devices is reported, so measuring refutes only where it found a device to be something else.
    """
    reported = tally(_MACHINE, [(one.case.device, one.by_basis.reported) for one in examinations], bundle)
    measured = tally(_MACHINE, [(one.case.device, one.by_basis.measured) for one in examinations], bundle, key=Key.UUID)
    return {
        "reported": reported,
        "measured": replace(measured, all_seen=measured.all_seen and measured.bad > 0),
        "overall": tally(_MACHINE, [(one.case.device, one.verdict) for one in examinations], bundle),
    }


def _under_policy(overall: Fold, counted: Tally, policy: Policy) -> Fold:
    """Where the policy, not the machine, keeps the line from being confirmed, say so instead of a count of nothing."""
    if overall.verdict is not Verdict.INCONCLUSIVE or not counted.seen:
        return overall
    lacking = [basis.value for basis in policy.confirms if basis not in OWN_BASES]
    if not policy.confirms:
        return Fold(verdict=overall.verdict, reason=f"policy {policy.name} never confirms; see what each basis supports")
    if lacking:
        wanted = " and ".join(lacking)
        return Fold(
            verdict=overall.verdict, reason=f"policy {policy.name} asks for what is {wanted}, and there is none of it here"
        )
    return overall


def _no_data(claim: Claim) -> tuple[str, ...]:
    """Name the claimed products for which the catalogue lacks a value that separates products."""
    wanted = (Quantity.MEMORY_TOTAL_BYTES, Quantity.MEMORY_BANDWIDTH_BYTES_PER_SECOND, Quantity.GPU_CORE_COUNT)
    return tuple(
        f"{product.id}: {quantity.value}"
        for product in claim.products
        for quantity in wanted
        if isinstance(product.span(quantity), NoData)
    )


def _fold_bases(lines: Sequence[LineResult]) -> ByBasis:
    folded = {basis.value: fold_lines(getattr(line.by_basis, basis.value) for line in lines) for basis in Basis}
    return ByBasis(**folded)


def _summary(exhibit: Exhibit) -> EvidenceSummary:
    bundle = exhibit.bundle
    return EvidenceSummary(
        file=exhibit.file,
        signed_by=exhibit.signed_by,
        nonce=bundle.nonce,
        started_at=bundle.started_at,
        finished_at=bundle.finished_at,
        tool=bundle.tool,
        devices_seen=len(bundle.nvml.devices),
    )
