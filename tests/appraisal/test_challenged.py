"""What a challenge adds to an appraisal, and what it must never do."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gpuaudit.appraisal.challenged import with_challenge
from gpuaudit.appraisal.reference import Yardstick
from gpuaudit.appraisal.result import AttestationResult, Basis, Digest, Outcome, Verdict
from gpuaudit.challenge.result import ChallengeResult, Place, Proved
from gpuaudit.errors import AuthenticityError
from gpuaudit.tender.parse import load_tender
from tests.appraisal.machines import machine
from tests.appraisal.test_appraise import judged
from tests.challenge.results import FAILED, full_size

A100 = "a100-sxm4-80gb"
FILE = Digest(name="challenge.json", sha256="4" * 64)
TENDER = load_tender("sustech-2024")


def added(result: AttestationResult, challenge: ChallengeResult, yardstick: Yardstick) -> AttestationResult:
    return with_challenge(result, TENDER.tender, challenge, FILE, yardstick)


def emptied(challenge: ChallengeResult) -> ChallengeResult:
    """As if the catalogue knew nobody else who could have answered."""
    assert isinstance(challenge.conclusion, Proved)
    return replace(challenge, conclusion=replace(challenge.conclusion, rivals=()))


def test_a_real_challenge_leaves_an_a100_line_open_because_others_could_have_answered(yardstick: Yardstick) -> None:
    result = added(judged(machine(yardstick, *[A100] * 8), yardstick), full_size(), yardstick)
    assert result.verdict is Verdict.CONFIRMED
    assert result.by_basis.challenged is Verdict.INCONCLUSIVE
    (finding,) = [one for one in result.lines[0].findings if one.rule == "challenge"]
    assert finding.basis is Basis.CHALLENGED
    assert finding.outcome is Outcome.UNDETERMINED
    assert "8 cards by capacity" in finding.observed
    assert {"rtx-4090", "l40s", "t4"} <= set(finding.excluded)
    assert not {"rtx-pro-6000-server", "a800-sxm4-80gb", "a100-sxm4-40gb"} & set(finding.excluded)
    assert any("Not excluded" in notice for notice in result.notices)
    assert result.challenges == (FILE,)


def test_the_basis_would_be_confirmed_if_nobody_lesser_could_have_answered(yardstick: Yardstick) -> None:
    result = added(judged(machine(yardstick, *[A100] * 8), yardstick), emptied(full_size()), yardstick)
    assert result.by_basis.challenged is Verdict.CONFIRMED
    assert result.lines[0].by_basis.challenged is Verdict.CONFIRMED


@pytest.mark.parametrize(
    "challenge",
    [
        pytest.param(emptied(full_size(place=Place.LOCAL)), id="on-its-own-clock"),
        pytest.param(emptied(full_size(slots=7)), id="seven-of-eight"),
        pytest.param(emptied(full_size(slower=10)), id="too-slow-to-hold-it"),
        pytest.param(emptied(full_size("a800-sxm4-80gb")), id="sized-for-what-is-not-claimed"),
        pytest.param(full_size(outcome=FAILED), id="wrong-arithmetic"),
    ],
)
def test_nothing_less_confirms_the_basis(challenge: ChallengeResult, yardstick: Yardstick) -> None:
    before = judged(machine(yardstick, *[A100] * 8), yardstick)
    result = added(before, challenge, yardstick)
    assert result.by_basis.challenged is Verdict.INCONCLUSIVE
    assert result.verdict is before.verdict


@pytest.mark.parametrize("policy", ["standard", "strict"])
@pytest.mark.parametrize("cards", [[A100] * 8, [A100] * 7, ["a800-sxm4-80gb"] * 8], ids=["eight", "seven", "a800"])
def test_a_challenge_moves_no_verdict_on_the_whole(cards: list[str], policy: str, yardstick: Yardstick) -> None:
    """So leaving one out cannot help."""
    before = judged(machine(yardstick, *cards), yardstick, policy=policy)
    for challenge in (full_size(), emptied(full_size()), full_size(outcome=FAILED)):
        after = added(before, challenge, yardstick)
        assert (after.verdict, after.accepted, after.headline) == (before.verdict, before.accepted, before.headline)
        assert after.by_basis.reported is before.by_basis.reported
        assert after.by_basis.measured is before.by_basis.measured


@pytest.mark.parametrize(
    "challenge",
    [
        pytest.param(full_size(evidence="5" * 64), id="other-evidence"),
        pytest.param(full_size(tender="5" * 64), id="another-tender"),
    ],
)
def test_a_challenge_about_something_else_is_not_authentic(challenge: ChallengeResult, yardstick: Yardstick) -> None:
    with pytest.raises(AuthenticityError, match="a challenge"):
        added(judged(machine(yardstick, *[A100] * 8), yardstick), challenge, yardstick)


def test_a_challenge_for_this_very_tender_counts(yardstick: Yardstick) -> None:
    before = judged(machine(yardstick, *[A100] * 8), yardstick)
    assert added(before, full_size(tender=TENDER.sha256), yardstick).challenges == (FILE,)
