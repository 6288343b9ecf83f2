"""A small study of soundness: machines drawn from the plan of the large one, held against the same goals."""

from __future__ import annotations

import random
from collections import defaultdict
from dataclasses import replace

import pytest

from benchmarks.soundness_study.goals import verdict_goals
from benchmarks.soundness_study.judging import (
    FALSE_CONFIRMATION,
    FALSE_REFUTATION,
    NAMED,
    UNEXPLAINED,
    Tally,
    Truth,
    notables,
    study,
)
from benchmarks.soundness_study.leaving_out import SHARED, leave_out_records
from benchmarks.soundness_study.machines import Machine, evidence, names_of, plan
from benchmarks.soundness_study.questions import answer, question
from gpuaudit.appraisal.reference import Yardstick
from gpuaudit.appraisal.result import LineResult, Verdict
from gpuaudit.simulated.adversaries.renaming import ALL_FIELDS

EACH = 4


def sample() -> list[Machine]:
    """Some machines of every kind, with less noise drawn than in the large study."""
    chance = random.Random(20261123)
    kinds: defaultdict[str, list[Machine]] = defaultdict(list)
    for machine in plan():
        kinds[machine.kind].append(replace(machine, draws=min(machine.draws, 4), claims=machine.claims[:8]))
    return [machine for machines in kinds.values() for machine in chance.sample(machines, min(EACH, len(machines)))]


@pytest.fixture(scope="module")
def tallies() -> dict[str, Tally]:
    found: dict[str, Tally] = {}
    for seed, machine in enumerate(sample()):
        kind, tally = study(machine, seed)
        found.setdefault(kind, Tally()).add(tally)
    return found


def test_every_goal_on_verdicts_is_met(tallies: dict[str, Tally]) -> None:
    missed = [(goal.what, goal.got) for goal in verdict_goals(tallies) if not goal.met]
    assert not missed, [example for tally in tallies.values() for example in tally.examples.items()]


def test_the_study_is_about_something(tallies: dict[str, Tally]) -> None:
    verdicts = {verdict for tally in tallies.values() for (basis, verdict) in tally.verdicts if basis == "overall"}
    assert verdicts == {Verdict.CONFIRMED, Verdict.INCONCLUSIVE, Verdict.REFUTED}
    assert sum(tally.audits for tally in tallies.values()) > 250


A800 = Machine(
    kind="NVML and kernel forged",
    physical="a800-sxm4-80gb",
    pose="a100-sxm4-80gb",
    fields=ALL_FIELDS,
    adversary="kernel-too",
    claims=names_of("a100-sxm4-80gb"),
)
HONEST = replace(A800, kind="honest, another claim", pose="", fields=frozenset(), adversary="")


def line(machine: Machine, claim: str, yardstick: Yardstick) -> LineResult:
    (found,) = answer(evidence(machine, seed=1), question(claim, machine.cards), yardstick).lines
    return found


def test_a_single_forged_a800_is_counted_as_confirmed_with_the_rival_named() -> None:
    _, tally = study(A800, seed=1)
    assert tally.notable == {f"{NAMED}, overall": 2}


def test_the_judge_sees_a_confirmation_that_rests_on_nothing_forged(yardstick: Yardstick) -> None:
    confirmed = line(replace(HONEST, physical="a100-sxm4-80gb"), "A100", yardstick)
    truth = Truth(genuine=False, lesser=True)
    assert notables(HONEST, confirmed, truth) == (f"{FALSE_CONFIRMATION}, reported", f"{FALSE_CONFIRMATION}, overall")


def test_the_judge_sees_a_rival_that_the_result_does_not_name(yardstick: Yardstick) -> None:
    confirmed = line(A800, "A100", yardstick)
    truth = Truth(genuine=False, lesser=True)
    assert notables(A800, confirmed, truth) == (f"{NAMED}, overall",)
    assert notables(A800, replace(confirmed, rivals=()), truth) == (f"{FALSE_CONFIRMATION}, overall",)
    assert notables(A800, replace(confirmed, verdict=Verdict.INCONCLUSIVE, rivals=()), truth) == (UNEXPLAINED,)


def test_the_judge_sees_a_genuine_card_that_is_refuted(yardstick: Yardstick) -> None:
    refuted = line(HONEST, "A100", yardstick)
    truth = Truth(genuine=True, lesser=False)
    assert notables(HONEST, refuted, truth) == (f"{FALSE_REFUTATION}, reported", f"{FALSE_REFUTATION}, overall")


def test_a_part_of_a_card_satisfies_no_claim_however_well_it_measures(yardstick: Yardstick) -> None:
    confirmed = line(replace(HONEST, physical="a100-sxm4-80gb"), "A100", yardstick)
    part = replace(A800, kind="a part of a card, all forged", physical="a100-sxm4-80gb")
    assert f"{FALSE_CONFIRMATION}, overall" in notables(part, confirmed, Truth(genuine=False, lesser=False))


@pytest.mark.skipif(not SHARED.exists(), reason="the facts and captures from which the catalogue was made are not here")
def test_no_record_and_no_capture_excludes_its_own_product_without_its_source() -> None:
    left_out = leave_out_records()
    assert left_out.records == 283
    assert left_out.compared > 100
    assert left_out.captures == 6
    assert not left_out.excluding
