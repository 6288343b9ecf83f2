"""The words beside a verdict: headline, notices, coverage. In one place, so that no form of the result says more than another.

They are part of the result and sealed with it, and so made here, where it is: a report shows what was signed, and `report` is
above `appraisal`. What every form puts around any result, signed by nobody, is in `gpuaudit.report.words`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from gpuaudit.appraisal.result import Basis, Finding, LineResult, Outcome, Verdict
from gpuaudit.evidence.bundle import EvidenceBundle, Origin
from gpuaudit.tender.model import HardwareLine, Tender

_SHOWN: Final = 4
_ORIGIN: Final = "origin"
_MARK: Final = {
    Origin.SIMULATED: "SIMULATED: no hardware was audited. ",
    Origin.CAPTURE: "CAPTURE: what somebody says that a machine said. ",
    Origin.HARDWARE: "",
}
_OPENING: Final = {
    Verdict.CONFIRMED: "This machine bears out the claim",
    Verdict.REFUTED: "This machine does not bear out the claim",
    Verdict.INCONCLUSIVE: "This machine neither bears out nor refutes the claim",
    Verdict.OUT_OF_SCOPE: "Nothing in the tender is about hardware",
}


def headline(verdict: Verdict, lines: Sequence[LineResult], bundle: EvidenceBundle) -> str:
    """Say the verdict in a sentence that can be quoted: "this machine", never "the seller"."""
    deciding = [line for line in lines if line.verdict is verdict and line.verdict is not Verdict.OUT_OF_SCOPE]
    reasons = "; ".join(dict.fromkeys(line.reason for line in deciding))
    told = f"{_OPENING[verdict]}: {reasons}." if reasons else f"{_OPENING[verdict]}."
    because = _because(verdict, deciding)
    return f"{_MARK[bundle.origin]}{told}{because}{_identity_only(verdict, deciding)}"


def notices(machine: Sequence[Finding], lines: Sequence[LineResult]) -> tuple[str, ...]:
    """Collect what looks odd and moves no verdict, to be read above it.

    Of a device that is refuted nothing else needs to look odd, and where evidence comes from is said in the headline.
    """
    odd = [one for one in machine if one.outcome is Outcome.CONTRADICTED and one.rule != _ORIGIN]
    for line in lines:
        refuted = {device.subject for device in line.devices if device.verdict is Verdict.REFUTED}
        odd += [
            one
            for one in line.findings
            if one.outcome is Outcome.CONTRADICTED and not one.required and one.subject not in refuted
        ]
    subjects: dict[str, list[str]] = {}
    for one in odd:
        told = subjects.setdefault(f"{one.rule}: {one.observed}, expected {one.expected}", [])
        if one.subject not in told:
            told.append(one.subject)
    return tuple(f"{_spoken(who)}: {what}" for what, who in subjects.items())


def _spoken(subjects: Sequence[str]) -> str:
    return subjects[0] if len(subjects) == 1 else f"{subjects[0]} and {len(subjects) - 1} more"


def coverage(tender: Tender, bundle: EvidenceBundle, nonce_expected: str) -> tuple[str, ...]:
    """List what the verdict does not cover."""
    hardware = [line for line in tender.lines if isinstance(line, HardwareLine)]
    left_out = []
    if any(line.period.months or line.period.start or line.period.end for line in hardware):
        left_out.append(f"period: one audit, from {bundle.started_at} to {bundle.finished_at}, says nothing of the rest")
    if hardware:
        named = f"{tender.cloud}, not checked" if tender.cloud else "not named in the document"
        left_out.append(f"cloud: {named}")
        left_out.append("place: a relay to a machine elsewhere is not excluded")
    if tender.suppliers:
        left_out.append(f"supplier: {', '.join(supplier.name for supplier in tender.suppliers)}, not checked")
    if tender.money:
        left_out.append("money: not judged")
    if hardware and not nonce_expected:
        left_out.append("freshness: no nonce was asked for beforehand")
    return tuple(left_out)


def _because(verdict: Verdict, lines: Sequence[LineResult]) -> str:
    """Quote the first device that settled it, with the rule and both numbers."""
    for line in lines:
        for device in line.devices:
            if device.verdict is verdict and verdict is not Verdict.CONFIRMED:
                return f" {device.subject.capitalize()}: {device.reason}."
    return ""


def _identity_only(verdict: Verdict, lines: Sequence[LineResult]) -> str:
    """Name the rivals that only the machine's own word excludes."""
    if verdict is not Verdict.CONFIRMED:
        return ""
    titles = dict.fromkeys(rival.title for line in lines for rival in line.rivals if rival.excluded_by == (Basis.REPORTED,))
    if not titles:
        return ""
    shown = ", ".join(list(titles)[:_SHOWN])
    more = f" and {len(titles) - _SHOWN} more" if len(titles) > _SHOWN else ""
    return f" {shown}{more} excluded only by what the machine reports."
