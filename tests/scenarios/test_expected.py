"""Every adversary gets what was written down before the rules were tuned."""

from __future__ import annotations

import pytest

from benchmarks.soundness_study.expectations import Case, load_expectations, outcome_of
from benchmarks.soundness_study.questions import answer, evidence_of, question
from gpuaudit.appraisal.reference import Yardstick
from gpuaudit.simulated.spec import parse_spec


@pytest.mark.parametrize("case", load_expectations(), ids=lambda case: case.id)
def test_an_adversary_gets_what_was_expected_of_each_basis(case: Case, yardstick: Yardstick) -> None:
    bundle = evidence_of(parse_spec(case.simulate), case.adversary)
    result = answer(bundle, question(case.claim, case.cards), yardstick)
    got = outcome_of(result)
    assert (got.reported, got.measured, got.overall) == (case.reported, case.measured, case.overall), result.headline
    assert not case.names or case.names in got.rivals
    assert not case.notice or case.notice in got.notices, result.notices
