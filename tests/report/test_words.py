"""The words of every verdict, as one text that a person reviews."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Final

from gpuaudit.appraisal import wording
from gpuaudit.report import words as fixed
from gpuaudit.report.compose import view_of
from gpuaudit.report.redact import redacted
from gpuaudit.report.view import Fact, Facts, Listing
from tests.report.papers import CASES, evidence, paper, paper_of

SNAPSHOT: Final = Path(__file__).parent / "words.txt"
PACKAGE: Final = Path(__file__).parents[2] / "gpuaudit"
# Those that are signed, of one machine and of a fleet, and those that are not.
PLACES: Final = {"appraisal/wording.py", "fleet/wording.py", "report/words.py"}
# A tender that is not about hardware.
OUT_OF_SCOPE: Final = "changan-2023"


def words() -> str:
    """Headline, remarks, titles and limits of the cases, then all fixed words; digests are left out."""
    told: list[str] = []
    papers = {case: paper(case) for case in CASES}
    papers["out-of-scope"] = paper_of(evidence("a100-sxm4-80gb:8"), tender=OUT_OF_SCOPE)
    papers["redacted"] = redacted(paper("confirmed"), full_sha256="f" * 64)
    for case, one in papers.items():
        view = view_of(one)
        told += [f"== {case}", view.verdict, view.headline, *view.remarks]
        for section in view.sections:
            told.append(f"-- {section.title}")
            if section.id in {"limits", "no-proof", "verify"}:
                told += [item for block in section.blocks if isinstance(block, Listing) for item in block.items]
    told.append("== fixed")
    for name, value in {"OPENING": wording._OPENING, "MARK": wording._MARK, **vars(fixed)}.items():
        if name.isupper():
            told += [
                f"-- {name}",
                *map(str, value.values() if isinstance(value, dict) else (value,) if isinstance(value, str) else value),
            ]
    return "\n".join(re.sub(r"\b[0-9a-f]{32,}\b", "DIGEST", line) for line in told) + "\n"


def test_the_words_of_verdicts_are_those_that_were_reviewed() -> None:
    """If a change is meant: python -c "from tests.report.test_words import *; SNAPSHOT.write_text(words())", and read the diff."""
    assert words() == SNAPSHOT.read_text(encoding="utf-8")


def test_a_fact_has_a_name_and_a_value() -> None:
    facts = [
        fact
        for case in CASES
        for section in view_of(paper(case)).sections
        for block in section.blocks
        if isinstance(block, Facts)
        for fact in block.items
    ]
    assert Fact(label="policy", value="standard") in facts
    assert all(fact.label and fact.value for fact in facts)


def test_what_marks_a_simulation_or_a_capture_is_said_in_few_places() -> None:
    """A mark that is written out elsewhere would drift from those that were reviewed."""
    found = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and re.match(r"(SIMULATED|CAPTURE): ", node.value)
    }
    assert found == PLACES
