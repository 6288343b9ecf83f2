"""For each pair that is sold for each other: the rule that tells works, and without what it reads nothing is confirmed."""

from __future__ import annotations

import pytest

from benchmarks.pairs import pairs_page, rivals_page
from benchmarks.soundness_study.pairing import Pair, claim_of_pair, handed_over, load_pairs, separations, without
from benchmarks.soundness_study.questions import answer, question
from gpuaudit.appraisal.reference import Yardstick
from gpuaudit.appraisal.result import Verdict
from gpuaudit.appraisal.rules import RULES_BY_SLUG

EVERY_PAIR = pytest.mark.parametrize("pair", load_pairs(), ids=lambda pair: pair.id)


@EVERY_PAIR
def test_the_rule_tells_what_was_handed_over(pair: Pair, yardstick: Yardstick) -> None:
    telling = {one.rule.slug: one for one in separations(handed_over(pair), pair, yardstick)}
    assert pair.rule in telling
    assert telling[pair.rule].required


@EVERY_PAIR
def test_what_was_handed_over_is_not_confirmed(pair: Pair, yardstick: Yardstick) -> None:
    (line,) = answer(handed_over(pair), question(pair.wanted, pair.cards), yardstick).lines
    assert line.verdict is not Verdict.CONFIRMED


@EVERY_PAIR
def test_without_what_the_rule_reads_it_is_not_confirmed_and_a_lesser_card_is_named(pair: Pair, yardstick: Yardstick) -> None:
    blind = without(handed_over(pair), RULES_BY_SLUG[pair.rule])
    (line,) = answer(blind, question(pair.wanted, pair.cards), yardstick).lines
    assert line.verdict is not Verdict.CONFIRMED
    still_counted = any(device.verdict is not Verdict.REFUTED for device in line.devices)
    if still_counted and pair.handed in claim_of_pair(pair, yardstick).lesser:
        assert pair.handed in {rival.product for rival in line.rivals}


def test_most_pairs_have_a_lesser_card_that_must_be_named(yardstick: Yardstick) -> None:
    lesser = [pair for pair in load_pairs() if pair.handed in claim_of_pair(pair, yardstick).lesser]
    assert len(lesser) >= len(load_pairs()) / 2


def test_the_pages_are_generated_from_the_same_pairs(yardstick: Yardstick) -> None:
    page = pairs_page(yardstick)
    assert all(f"| {pair.wanted} | {pair.handed} | {pair.cards} | {pair.rule} |" in page for pair in load_pairs())
    assert "a800-sxm4-80gb" in rivals_page(yardstick)
