"""What each adversary is expected to get, as `expected.toml` has it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from gpuaudit.appraisal.result import AttestationResult, Verdict
from gpuaudit.evidence.record import entry
from gpuaudit.evidence.toml_file import load_toml


@entry
class Case:
    """One machine, one adversary, one claim, and what each basis must say."""

    simulate: str
    adversary: str
    claim: str
    cards: int
    reported: Verdict
    measured: Verdict
    overall: Verdict
    names: str = ""
    notice: str = ""
    why: str = ""
    corrected: str = ""

    @property
    def id(self) -> str:
        """Name the case for a list."""
        return f"{self.simulate} {self.adversary or 'honest'} as {self.cards} {self.claim}"


@entry
class Expectations:
    """All cases."""

    schema: Literal[1]
    case: tuple[Case, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a case got, in the terms in which it is expected."""

    reported: Verdict
    measured: Verdict
    overall: Verdict
    rivals: frozenset[str]
    notices: frozenset[str]


@cache
def load_expectations() -> tuple[Case, ...]:
    """Read `expected.toml`, strictly.

    Raises:
        MalformedFileError: The file breaks the format.
    """
    path = Path(__file__).with_name("expected.toml")
    return load_toml(Expectations, path.read_bytes(), place=path.name).case


def outcome_of(result: AttestationResult) -> Outcome:
    """Take out of a result on one line what cases speak of."""
    (line,) = result.lines
    return Outcome(
        reported=line.by_basis.reported,
        measured=line.by_basis.measured,
        overall=line.verdict,
        rivals=frozenset(rival.product for rival in line.rivals),
        notices=frozenset(notice.partition(":")[2].partition(":")[0].strip() for notice in result.notices),
    )
