"""A result as JUnit XML, for CI: a suite for each line, a case for each rule and one for the line itself.

Only required findings fail or skip a case: what moves no verdict must not turn a pipeline red. A confirmed simulation that was
not accepted is a failure of the line.
"""

from __future__ import annotations

from collections.abc import Iterable
from xml.etree import ElementTree as ET

from gpuaudit.appraisal.result import AttestationResult, Finding, LineResult, Outcome, Verdict
from gpuaudit.printable import printable
from gpuaudit.report.quoting import quoted, sentence
from gpuaudit.report.words import NOT_ACCEPTED, STAMPS


def as_junit(result: AttestationResult) -> str:
    """Write one `testsuites` element. Refuted and contradicted are failures; inconclusive and undetermined are errors.

    A line out of scope is skipped. Nothing that is inconclusive passes.
    """
    stamp = STAMPS[result.origin]
    root = ET.Element("testsuites", name=f"gpuaudit {quoted(result.tender.name)}{f' {stamp}' if stamp else ''}")
    for line in result.lines:
        root.append(_suite(line, result))
    for suite in root:
        cases = list(suite)
        suite.set("tests", str(len(cases)))
        for kind, attribute in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
            suite.set(attribute, str(sum(case.find(kind) is not None for case in cases)))
    ET.indent(root)
    return printable(ET.tostring(root, encoding="unicode", xml_declaration=True), keep="\n")


def _suite(line: LineResult, result: AttestationResult) -> ET.Element:
    suite = ET.Element("testsuite", name=f"line {quoted(line.id)}", timestamp=quoted(result.appraised_at))
    case = ET.SubElement(suite, "testcase", classname=quoted(line.id), name="verdict")
    _judge(case, line, result)
    for finding in line.findings:
        _add(suite, line.id, finding)
    return suite


def _judge(case: ET.Element, line: LineResult, result: AttestationResult) -> None:
    told = f"{line.verdict.value}: {sentence(line.reason)}"
    match line.verdict:
        case Verdict.CONFIRMED if result.verdict is Verdict.CONFIRMED and not result.accepted:
            ET.SubElement(case, "failure", message=NOT_ACCEPTED.format(origin=result.origin.value), type="not-accepted")
        case Verdict.CONFIRMED:
            pass
        case Verdict.REFUTED:
            ET.SubElement(case, "failure", message=told, type="refuted")
        case Verdict.INCONCLUSIVE:
            ET.SubElement(case, "error", message=told, type="inconclusive")
        case Verdict.OUT_OF_SCOPE:
            ET.SubElement(case, "skipped", message=told)
    ET.SubElement(case, "system-out").text = _quotation(line, result.notices)


def _quotation(line: LineResult, notices: Iterable[str]) -> str:
    return "\n".join((sentence(line.text), *(f"odd, without moving the verdict: {sentence(notice)}" for notice in notices)))


def _add(suite: ET.Element, line_id: str, finding: Finding) -> None:
    case = ET.SubElement(
        suite, "testcase", classname=quoted(line_id), name=f"{quoted(finding.rule)}: {quoted(finding.subject)}"
    )
    told = f"{finding.outcome.value}: {sentence(finding.observed)}; expected {sentence(finding.expected)}"
    if not finding.required:
        ET.SubElement(case, "system-out").text = f"{told} (moves no verdict)"
        return
    match finding.outcome:
        case Outcome.CONTRADICTED:
            ET.SubElement(case, "failure", message=told, type=quoted(finding.rule))
        case Outcome.UNDETERMINED:
            ET.SubElement(case, "error", message=told, type=quoted(finding.rule))
        case Outcome.NOT_APPLICABLE:
            ET.SubElement(case, "skipped", message=told)
        case Outcome.SATISFIED:
            ET.SubElement(case, "system-out").text = told
