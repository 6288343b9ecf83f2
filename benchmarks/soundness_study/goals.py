"""What the study has to show, and whether it does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from benchmarks.soundness_study.judging import FALSE_CONFIRMATION, FALSE_REFUTATION, UNEXPLAINED, Tally
from benchmarks.soundness_study.leaving_out import LeftOut
from benchmarks.soundness_study.mutation import Mutation
from gpuaudit.appraisal.result import Verdict

MATCHING: Final = "honest, matching"
ANOTHER: Final = "honest, another claim"
_LEAST_CONFIRMED: Final = 0.99
_LEAST_AUDITS: Final = 17_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """One goal with what was found."""

    what: str
    got: str
    met: bool


def goals_of(tallies: Mapping[str, Tally], mutations: Sequence[Mutation], left_out: LeftOut) -> tuple[Goal, ...]:
    """Hold the tallies against the goals."""
    return (
        *verdict_goals(tallies),
        _none_empty(tallies),
        _enough(tallies),
        _each_rule_counts(mutations),
        Goal(
            what="records and captures that exclude their own product, the bands rebuilt without them",
            got=f"{len(left_out.excluding)} of {left_out.records} records and {left_out.captures} captures",
            met=not left_out.excluding,
        ),
    )


def verdict_goals(tallies: Mapping[str, Tally]) -> tuple[Goal, ...]:
    """Hold the verdicts alone against the goals, for studies of any size."""
    matching = [tally for kind, tally in tallies.items() if kind.startswith(MATCHING)]
    return (
        _none_of(tallies.values(), FALSE_CONFIRMATION, "false confirmations at a basis that the adversary does not control"),
        _none_of(tallies.values(), FALSE_REFUTATION, "false refutations of genuine machines"),
        _share(matching, "overall", Verdict.CONFIRMED, _LEAST_CONFIRMED, "honest matching machines confirmed"),
        _share([tallies[ANOTHER]], "reported", Verdict.REFUTED, 1.0, "honest machines refuted as reported for another claim"),
        _none_of(tallies.values(), UNEXPLAINED, "lesser cards left open without being named as rivals"),
    )


def _none_of(tallies: Iterable[Tally], notable: str, what: str) -> Goal:
    found = sum(count for tally in tallies for name, count in tally.notable.items() if name.startswith(notable))
    return Goal(what=what, got=str(found), met=found == 0)


def _share(tallies: Sequence[Tally], basis: str, verdict: Verdict, least: float, what: str) -> Goal:
    audits = sum(tally.audits for tally in tallies)
    reached = sum(tally.verdicts[basis, verdict] for tally in tallies)
    share = reached / audits if audits else 0.0
    return Goal(what=f"{what} (at least {least:.0%})", got=f"{share:.2%} of {audits}", met=share >= least)


def _none_empty(tallies: Mapping[str, Tally]) -> Goal:
    cells = sum(tally.cells for tally in tallies.values())
    empty = [kind for kind, tally in tallies.items() if not tally.audits or tally.audits < tally.cells]
    return Goal(what="cells with at least one audit", got=f"{cells}, {len(empty)} kinds with an empty one", met=not empty)


def _enough(tallies: Mapping[str, Tally]) -> Goal:
    audits = sum(tally.audits for tally in tallies.values())
    return Goal(what=f"audits (more than {_LEAST_AUDITS})", got=str(audits), met=audits > _LEAST_AUDITS)


def _each_rule_counts(mutations: Sequence[Mutation]) -> Goal:
    idle = [mutation.rule for mutation in mutations if not mutation.changed]
    got = f"{len(mutations) - len(idle)} of {len(mutations)}" + (f", not {', '.join(idle)}" if idle else "")
    return Goal(what="required rules without which some cell changes", got=got, met=not idle)
