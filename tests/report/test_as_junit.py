"""A pipeline is red for what a verdict rests on, and for nothing else."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree as ET

import pytest

from gpuaudit.appraisal.result import Outcome
from gpuaudit.report.as_junit import as_junit
from tests.report.papers import HOSTILE, evidence, hostile, paper, paper_of


def parsed(text: str) -> ET.Element:
    return ET.fromstring(text)  # noqa: S314 - what was just written here


def verdict_case(text: str) -> ET.Element:
    return next(case for case in parsed(text).iter("testcase") if case.get("name") == "verdict")


@pytest.mark.parametrize(
    ("case", "kind", "type_"),
    [
        pytest.param("confirmed", "", "", id="confirmed-passes"),
        pytest.param("refuted-by-identity", "failure", "refuted", id="refuted-fails"),
        pytest.param("inconclusive", "error", "inconclusive", id="inconclusive-never-passes"),
        pytest.param("simulated", "failure", "not-accepted", id="a-simulation-nobody-allowed-fails"),
    ],
)
def test_the_case_of_a_line_is_its_verdict(case: str, kind: str, type_: str) -> None:
    found = [child for child in verdict_case(as_junit(paper(case).result)) if child.tag != "system-out"]
    assert [child.tag for child in found] == ([kind] if kind else [])
    assert [child.get("type") for child in found] == ([type_] if kind else [])


def test_a_line_that_is_not_about_hardware_is_skipped() -> None:
    result = paper_of(evidence("a100-sxm4-80gb:8"), tender="changan-2023").result
    assert verdict_case(as_junit(result)).find("skipped") is not None


def test_what_moves_no_verdict_fails_nothing() -> None:
    honest = paper("confirmed").result
    (line,) = honest.lines
    advisory = next(finding for finding in line.findings if not finding.required)
    odd = replace(advisory, outcome=Outcome.CONTRADICTED)
    result = replace(honest, lines=(replace(line, findings=(odd,)),))
    suite = parsed(as_junit(result))[0]
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("2", "0", "0")
    assert "contradicted" in as_junit(result)
    required = replace(result, lines=(replace(line, findings=(replace(odd, required=True),)),))
    assert parsed(as_junit(required))[0].get("failures") == "1"


def test_the_numbers_of_a_suite_are_those_of_its_cases() -> None:
    suite = parsed(as_junit(paper("refuted-by-identity").result))[0]
    assert int(suite.get("tests", "")) == len(suite.findall("testcase")) > 100
    assert int(suite.get("failures", "")) == len(suite.findall("testcase/failure")) > 8


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text[:16]))
def test_hostile_text_is_inert(text: str) -> None:
    written = as_junit(hostile(text).result)
    assert parsed(written).tag == "testsuites"
    assert not any(character < " " and character != "\n" for character in written)
    assert len(written) < 2_000_000
