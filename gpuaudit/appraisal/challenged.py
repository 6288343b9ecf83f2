"""What a signed challenge adds to an appraisal: the verdict of one basis more, and never another verdict on the whole.

A challenge cannot refute, for a slow or shared card is no other product; and leaving it out cannot help, for the other bases do not
look at it.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from gpuaudit.appraisal.claim import Claim, claim_of
from gpuaudit.appraisal.count import least
from gpuaudit.appraisal.reference import Products, Yardstick
from gpuaudit.appraisal.result import (
    AttestationResult,
    Basis,
    ByBasis,
    Digest,
    Effect,
    Finding,
    LineResult,
    Outcome,
    Verdict,
)
from gpuaudit.challenge.conclude import sentence
from gpuaudit.challenge.result import ChallengeResult, Proved
from gpuaudit.challenge.target import NO_TENDER
from gpuaudit.errors import AuthenticityError
from gpuaudit.tender.model import HardwareLine, Tender

_RULE: Final = "challenge"
_SUBJECT: Final = "this machine"


def with_challenge(
    result: AttestationResult, tender: Tender, challenge: ChallengeResult, file: Digest, yardstick: Yardstick
) -> AttestationResult:
    """Add what a challenge supports to the result of an appraisal.

    Args:
        result: Of the evidence that the challenge was about.
        tender: Which was appraised.
        challenge: Opened, and signed by a key that the caller trusts.
        file: The challenge's, for the record.
        yardstick: As for the appraisal.

    Raises:
        AuthenticityError: The challenge was about other evidence or another tender.
    """
    _require_same_subject(result, challenge, file)
    hardware = {line.id: line for line in tender.lines if isinstance(line, HardwareLine)}
    lines = tuple(
        _line(one, hardware[one.id], challenge, claim_of(hardware[one.id], yardstick)) if one.id in hardware else one
        for one in result.lines
    )
    verdicts = [line.by_basis.challenged for line in lines if line.verdict is not Verdict.OUT_OF_SCOPE]
    return replace(
        result,
        lines=lines,
        by_basis=_with(result.by_basis, _folded(verdicts)) if verdicts else result.by_basis,
        notices=(
            *result.notices,
            f"challenge: {sentence(challenge)} Read at basis {challenge.basis}: {challenge.basis_reason}.",
        ),
        challenges=(*result.challenges, file),
    )


def _require_same_subject(result: AttestationResult, challenge: ChallengeResult, file: Digest) -> None:
    appraised = {one.file.sha256 for one in result.evidence}
    if challenge.attempts[-1].evidence_sha256 not in appraised:
        raise AuthenticityError(
            f"{file.name}: a challenge about other evidence ({challenge.attempts[-1].evidence_sha256[:16]}…); "
            "appraise the evidence that was written beside it"
        )
    if challenge.tender_sha256 not in {NO_TENDER, result.tender.sha256}:
        raise AuthenticityError(f"{file.name}: a challenge for another tender ({challenge.tender_sha256[:16]}…)")


def _line(result: LineResult, line: HardwareLine, challenge: ChallengeResult, claim: Claim) -> LineResult:
    left, cards = _left_and_cards(challenge, claim)
    wanted = least(line.per_server)
    enough = cards >= wanted and challenge.product in claim.claimed
    counts = challenge.basis == Basis.CHALLENGED.value
    confirmed = counts and enough and not left
    finding = Finding(
        rule=_RULE,
        outcome=Outcome.SATISFIED if enough and not left else Outcome.UNDETERMINED,
        effect=Effect.NOTE,
        basis=Basis(challenge.basis),
        required=False,
        subject=_SUBJECT,
        observed=f"{cards} cards by capacity, sized for {challenge.product}; {len(left)} lesser products remain",
        expected=f"{wanted} cards, and no lesser product that could have answered",
        excluded=tuple(sorted(claim.lesser - left)) if cards else (),
    )
    verdict = Verdict.CONFIRMED if confirmed else Verdict.INCONCLUSIVE
    return replace(result, by_basis=_with(result.by_basis, verdict), findings=(*result.findings, finding))


def _left_and_cards(challenge: ChallengeResult, claim: Claim) -> tuple[Products, int]:
    """Return the lesser products that could have answered, pools and those without figures included, and the cards proved."""
    if not isinstance(challenge.conclusion, Proved):
        return claim.lesser, 0
    able = {rival.product for rival in challenge.conclusion.rivals}
    return claim.lesser & able, challenge.conclusion.floors.cards


def _with(by_basis: ByBasis, challenged: Verdict) -> ByBasis:
    return replace(by_basis, challenged=challenged)


def _folded(verdicts: list[Verdict]) -> Verdict:
    return Verdict.CONFIRMED if all(verdict is Verdict.CONFIRMED for verdict in verdicts) else Verdict.INCONCLUSIVE
