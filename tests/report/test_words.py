"""The words of every verdict, as one text that a person reviews."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from gpuaudit.report.compose import view_of
from gpuaudit.report.view import Fact, Facts, Listing
from tests.report.papers import CASES, paper

SNAPSHOT: Final = Path(__file__).parent / "words.txt"


def words() -> str:
    """Headline, remarks, titles and limits of the six cases; digests are left out."""
    told: list[str] = []
    for case in CASES:
        view = view_of(paper(case))
        told += [f"== {case}", view.verdict, view.headline, *view.remarks]
        for section in view.sections:
            told.append(f"-- {section.title}")
            if section.id in {"limits", "no-proof", "verify"}:
                told += [item for block in section.blocks if isinstance(block, Listing) for item in block.items]
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
