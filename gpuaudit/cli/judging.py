"""From options to a verdict: what `appraise` and `audit` share."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from gpuaudit.appraisal.appraise import Exhibit, Question, appraise
from gpuaudit.appraisal.claim import claim_of
from gpuaudit.appraisal.policy import LoadedPolicy, load_policy
from gpuaudit.appraisal.reference import Yardstick, prepare
from gpuaudit.appraisal.result import AttestationResult, Digest, Verdict
from gpuaudit.appraisal.threshold import load_thresholds
from gpuaudit.catalogue.compiled import load_catalogue
from gpuaudit.cli import console
from gpuaudit.cli.exits import Exit
from gpuaudit.cli.format import Format, as_json
from gpuaudit.clock import WallClock, rfc3339
from gpuaudit.envelope import PredicateType, Subject, seal
from gpuaudit.envelope.keystore import LoadedSigner
from gpuaudit.evidence.codec import dump
from gpuaudit.report.as_text import USUAL_WIDTH, as_brief
from gpuaudit.report.compose import view_of_result
from gpuaudit.tender.model import HardwareLine
from gpuaudit.tender.parse import LoadedTender, known_tenders, load_tender

_EXITS = {
    Verdict.CONFIRMED: Exit.CONFIRMED,
    Verdict.REFUTED: Exit.REFUTED,
    Verdict.INCONCLUSIVE: Exit.INCONCLUSIVE,
    Verdict.OUT_OF_SCOPE: Exit.OUT_OF_SCOPE,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """On which terms evidence is judged. Made before any work: a misspelt tender must not cost minutes of a rented machine."""

    tender: LoadedTender
    tender_name: str
    policy: LoadedPolicy
    complete: bool
    allow_simulated: bool
    yardstick: Yardstick
    thresholds_sha256: str


def read_terms(tender: str, policy: str, *, complete: bool, allow_simulated: bool) -> Terms:
    """Load tender, policy, catalogue and thresholds, and see that each line names products that the catalogue has.

    Raises:
        UsageError: There is no such tender or policy, or the tender's file is at fault.
    """
    thresholds = load_thresholds()
    loaded = load_tender(tender)
    terms = Terms(
        tender=loaded,
        # A file may take the slug of a tender that comes with gpuaudit: what was appraised is then named by its place.
        tender_name=tender if tender in known_tenders() else f"file {loaded.place}",
        policy=load_policy(policy),
        complete=complete,
        allow_simulated=allow_simulated,
        yardstick=prepare(load_catalogue(), thresholds.thresholds),
        thresholds_sha256=thresholds.sha256,
    )
    for line in terms.tender.tender.lines:
        if isinstance(line, HardwareLine):
            claim_of(line, terms.yardstick)
    return terms


def judge(exhibit: Exhibit, terms: Terms, *, nonce_expected: str) -> AttestationResult:
    """Appraise one machine's evidence on these terms, now."""
    tender_file = Digest(name=terms.tender_name, sha256=terms.tender.sha256)
    question = Question(
        tender=terms.tender.tender,
        tender_file=tender_file,
        policy=terms.policy,
        thresholds_sha256=terms.thresholds_sha256,
        nonce_expected=nonce_expected,
        complete=terms.complete,
        allow_simulated=terms.allow_simulated,
    )
    return appraise(exhibit, question, terms.yardstick, appraised_at=rfc3339(WallClock().now()))


def seal_result(result: AttestationResult, signer: LoadedSigner) -> bytes:
    """Sign a result. Its subjects are the tender's file, the evidence and any challenge."""
    files = (result.tender, *(evidence.file for evidence in result.evidence), *result.challenges)
    subjects = tuple(Subject(name=file.name, sha256=file.sha256) for file in files)
    return seal(PredicateType.RESULT, subjects, dump(AttestationResult, result), signer.signer)


def show(result: AttestationResult, format_: Format) -> None:
    """Print the result to stdout."""
    if format_ is Format.JSON:
        console.result(as_json(json.loads(dump(AttestationResult, result))))
    else:
        console.result(as_brief(view_of_result(result), width=console.width(USUAL_WIDTH)))


def exit_of(verdict: Verdict, *, accepted: bool) -> Exit:
    """Return the exit status of a machine's or a fleet's verdict; a confirmed simulation that nobody allowed has its own."""
    if verdict is Verdict.CONFIRMED and not accepted:
        return Exit.SIMULATED
    return _EXITS[verdict]


def file_digest(name: str, data: bytes) -> Digest:
    """Return the digest of a file's bytes under its name."""
    return Digest(name=name, sha256=hashlib.sha256(data).hexdigest())
