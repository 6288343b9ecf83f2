"""A whole appraisal: what it says, in what order, and what it does when one of our own rules fails."""

from __future__ import annotations

import json
import random
from dataclasses import replace

import pytest

from gpuaudit.appraisal.amount import Unit
from gpuaudit.appraisal.appraise import Exhibit, Question, appraise, fold_lines
from gpuaudit.appraisal.policy import load_policy
from gpuaudit.appraisal.reference import Yardstick, prepare
from gpuaudit.appraisal.result import AttestationResult, Basis, Digest, Effect, Outcome, Verdict
from gpuaudit.appraisal.rule import Expected, rule
from gpuaudit.appraisal.rules import ALL_RULES
from gpuaudit.appraisal.threshold import Thresholds, load_thresholds
from gpuaudit.catalogue.model import Product
from gpuaudit.evidence.bundle import EvidenceBundle, Origin
from gpuaudit.evidence.codec import dump, load
from gpuaudit.tender.parse import load_tender
from tests.appraisal.machines import NONCE, machine, nvml, with_device

A100 = "a100-sxm4-80gb"
CONFIRMED, REFUTED, INCONCLUSIVE, OUT = Verdict.CONFIRMED, Verdict.REFUTED, Verdict.INCONCLUSIVE, Verdict.OUT_OF_SCOPE


def judged(evidence: EvidenceBundle, yardstick: Yardstick, tender: str = "sustech-2024", **terms: object) -> AttestationResult:
    loaded = load_tender(tender)
    policy = load_policy(str(terms.pop("policy", "standard")))
    question = Question(
        tender=loaded.tender,
        tender_file=Digest(name=tender, sha256=loaded.sha256),
        policy=policy,
        thresholds_sha256=load_thresholds().sha256,
        **terms,  # type: ignore[arg-type]
    )
    exhibit = Exhibit(bundle=evidence, file=Digest(name="evidence.json", sha256="0" * 64), signed_by=("key",))
    return appraise(exhibit, question, yardstick, appraised_at="2026-01-02T00:00:00Z")


def test_an_honest_machine_bears_out_the_claim_at_both_bases(yardstick: Yardstick) -> None:
    result = judged(machine(yardstick, *[A100] * 8), yardstick)
    assert result.verdict is CONFIRMED
    assert result.accepted
    assert result.by_basis.reported is CONFIRMED
    assert result.by_basis.measured is CONFIRMED
    assert result.by_basis.challenged is INCONCLUSIVE
    assert result.headline == "This machine bears out the claim: 8 of 8 devices are A100."


def test_the_headline_names_whom_only_the_machine_itself_excludes(yardstick: Yardstick) -> None:
    # Two PCIe cards: no measurement tells them from A800.
    result = judged(machine(yardstick, *["a100-pcie-80gb"] * 8), yardstick)
    assert result.verdict is CONFIRMED
    assert "A800" in result.headline
    assert "excluded only by what the machine reports" in result.headline


@pytest.mark.parametrize("origin", [Origin.SIMULATED, Origin.CAPTURE])
def test_only_hardware_is_accepted_without_being_allowed(origin: Origin, yardstick: Yardstick) -> None:
    evidence = replace(machine(yardstick, *[A100] * 8), origin=origin)
    result = judged(evidence, yardstick)
    assert result.verdict is CONFIRMED
    assert not result.accepted
    assert result.headline.startswith(origin.value.upper())


def test_a_capture_is_not_accepted_even_where_simulations_are(yardstick: Yardstick) -> None:
    evidence = replace(machine(yardstick, *[A100] * 8), origin=Origin.CAPTURE)
    assert not judged(evidence, yardstick, allow_simulated=True).accepted


def test_testimony_shows_what_is_reported_and_never_confirms(yardstick: Yardstick) -> None:
    evidence = replace(machine(yardstick, *[A100] * 8), measurements=(), origin=Origin.CAPTURE)
    result = judged(evidence, yardstick, policy="testimony")
    assert result.verdict is INCONCLUSIVE
    assert result.by_basis.reported is CONFIRMED


def test_order_of_devices_and_measurements_changes_nothing(yardstick: Yardstick) -> None:
    evidence = machine(yardstick, A100, "a800-sxm4-80gb", A100, "t4", "a100-pcie-40gb")
    chance = random.Random(7)
    first = judged(evidence, yardstick)
    for _ in range(5):
        devices, taken = list(evidence.nvml.devices), list(evidence.measurements)
        chance.shuffle(devices)
        chance.shuffle(taken)
        shuffled = replace(evidence, nvml=replace(evidence.nvml, devices=tuple(devices)), measurements=tuple(taken))
        again = judged(shuffled, yardstick)
        assert again.verdict is first.verdict
        assert again.by_basis == first.by_basis
        assert sorted(map(repr, again.lines[0].findings)) == sorted(map(repr, first.lines[0].findings))
        assert again.lines[0].rivals == first.lines[0].rivals


def test_order_of_rules_changes_nothing(yardstick: Yardstick) -> None:
    backwards = prepare(yardstick.catalogue, yardstick.thresholds, tuple(reversed(ALL_RULES)))
    for cards in ([A100] * 8, ["a800-sxm4-80gb"] * 8, [A100] * 7 + ["t4"]):
        evidence = machine(yardstick, *cards)
        one, other = judged(evidence, yardstick), judged(evidence, backwards)
        assert one.verdict is other.verdict
        assert one.by_basis == other.by_basis
        assert sorted(map(repr, one.lines[0].findings)) == sorted(map(repr, other.lines[0].findings))


def test_a_rule_that_raises_ends_the_appraisal(yardstick: Yardstick) -> None:
    @rule("broken", basis=Basis.REPORTED, effect=Effect.IDENTITY, reads="identity.name", unit=Unit.TEXT)
    def a_rule_with_a_fault(product: Product, thresholds: Thresholds) -> Expected:
        """It divides by zero."""
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        prepare(yardstick.catalogue, yardstick.thresholds, (a_rule_with_a_fault,))


def test_no_rules_confirm_nothing(yardstick: Yardstick) -> None:
    nothing = prepare(yardstick.catalogue, yardstick.thresholds, ())
    result = judged(machine(yardstick, *[A100] * 8), nothing)
    assert result.verdict is INCONCLUSIVE


def test_every_device_has_one_finding_per_rule_whatever_it_found(yardstick: Yardstick) -> None:
    (line,) = judged(machine(yardstick, A100, "t4"), yardstick).lines
    for subject in ("device 0", "device 1"):
        rules = [finding.rule for finding in line.findings if finding.subject == subject]
        assert sorted(rules) == sorted(one.slug for one in ALL_RULES)


def test_an_odd_advisory_reading_is_shown_and_moves_nothing(yardstick: Yardstick) -> None:
    evidence = with_device(machine(yardstick, *[A100] * 8), 3, identity={"gpu_core_count": nvml(4480)})
    result = judged(evidence, yardstick)
    assert result.verdict is CONFIRMED
    assert any("gpu-core-count: 4480" in notice for notice in result.notices)


def test_the_result_survives_its_own_json(yardstick: Yardstick) -> None:
    result = judged(machine(yardstick, *[A100] * 8), yardstick)
    data = dump(AttestationResult, result)
    assert load(AttestationResult, data, place="result") == result
    plain = json.loads(data)
    assert {"verdict", "accepted", "origin", "policy", "byBasis", "coverage", "lines"} <= plain.keys()
    line = plain["lines"][0]
    assert {"id", "text", "verdict", "reason", "byBasis", "rivals", "noData", "findings"} <= line.keys()
    assert {"rule", "outcome", "effect", "basis", "subject", "observed", "expected", "excluded"} <= line["findings"][0].keys()


def test_the_same_evidence_gives_the_same_bytes(yardstick: Yardstick) -> None:
    evidence = machine(yardstick, *[A100] * 8)
    assert dump(AttestationResult, judged(evidence, yardstick)) == dump(AttestationResult, judged(evidence, yardstick))


def test_a_nonce_given_beforehand_makes_it_fresh(yardstick: Yardstick) -> None:
    evidence = machine(yardstick, *[A100] * 8)
    for nonce, outcome in ((NONCE, Outcome.SATISFIED), ("", Outcome.UNDETERMINED)):
        result = judged(evidence, yardstick, nonce_expected=nonce)
        (finding,) = (one for one in result.machine_findings if one.rule == "freshness")
        assert finding.outcome is outcome
        assert any("freshness" in text for text in result.coverage) is (nonce == "")


@pytest.mark.parametrize(
    ("verdicts", "folded"),
    [
        pytest.param([OUT, OUT], OUT, id="nothing-about-hardware"),
        pytest.param([CONFIRMED, OUT], CONFIRMED, id="what-is-out-of-scope-does-not-count"),
        pytest.param([CONFIRMED, INCONCLUSIVE], INCONCLUSIVE, id="all-lines-must-be-confirmed"),
        pytest.param([CONFIRMED, REFUTED], REFUTED, id="one-refuted-line-refutes"),
        pytest.param([INCONCLUSIVE, REFUTED], REFUTED, id="a-refutation-outweighs-a-doubt"),
        pytest.param([], OUT, id="no-lines"),
    ],
)
def test_lines_fold_into_one_verdict(verdicts: list[Verdict], folded: Verdict) -> None:
    assert fold_lines(verdicts) is folded
