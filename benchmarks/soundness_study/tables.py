"""The study as a page: what was asked, what came out, what it does not show."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from benchmarks.soundness_study.goals import Goal
from benchmarks.soundness_study.judging import NAMED, NOT_LESSER, SHARE, Tally
from benchmarks.soundness_study.leaving_out import LeftOut
from benchmarks.soundness_study.mutation import Mutation
from gpuaudit.appraisal.result import Verdict

_SHOWN: Final = (Verdict.CONFIRMED, Verdict.INCONCLUSIVE, Verdict.REFUTED)
_BASES: Final = ("reported", "measured", "overall")
_READING: Final = """\
A *cell* is one kind of adversary, one card, what it poses as, and one claim; an *audit* is one cell under one draw of noise. Evidence
is made by the real attester over simulated cards, and appraised as `gpuaudit appraise` does, under the policy `standard`. Each
verdict is given as confirmed / inconclusive / refuted.

Who forges all of NVML is expected to be confirmed *as reported*. What has to hold is the rest: no lesser card is confirmed as
measured, and none overall without being named in the headline as excluded by the machine's own word alone (*rival named*).
*Not lesser* are cards that pose as something that they equal or exceed in everything of which the catalogue has a sourced value:
no measurement can tell them from what they pose as, and nobody is handed less for it.

Honest machines of which *no source says enough* are those whose name, or whose total memory, is in no source: they stay open, and
the result says why. They are not among the matching ones of the goal.
"""
_LIMITS: Final = """\
- Simulated cards follow the catalogue's own numbers: the study shows that the rules follow from the catalogue, not that the
  catalogue is right. That is what leaving out one source at a time is for, as far as the sources go.
- Noise lies between records of other people's cards (benchmarks/soundness_study/spreads.toml); the floors rest on the lowest of the
  same records, so that honest cards reach them is nearly given. Double precision and link rates have next to no records.
- In leaving out, a citation stands for a whole span: a span with a second source is kept as it is.
- A relay to real cards elsewhere, and an owner of our own process, are outside of what evidence of one machine can show.
"""


def document(
    tallies: Mapping[str, Tally],
    goals: Sequence[Goal],
    mutations: Sequence[Mutation],
    left_out: LeftOut,
    *,
    header: Mapping[str, str],
) -> str:
    """Write the whole page."""
    parts = [
        "# Soundness of the verdicts\n",
        "".join(f"- {name}: {value}\n" for name, value in header.items()),
        _READING,
        "## Goals\n",
        _table(("goal", "found", "met"), ((goal.what, goal.got, "yes" if goal.met else "**no**") for goal in goals)),
        "## Verdicts by kind of machine\n",
        _table(
            ("machine", "machines", "cells", "audits", *_BASES, "rival named", "not lesser", "a share"),
            (_row(kind, tally) for kind, tally in tallies.items()),
        ),
        "## Who is confirmed overall with everything forged\n",
        "".join(_confirmed(tallies)),
        "## Examples\n",
        "".join(_examples(tallies)),
        "## Each required rule removed in turn\n",
        _table(("rule", "cells that change", "for example"), ((one.rule, str(one.changed), one.example) for one in mutations)),
        "## One source left out at a time\n",
        f"{left_out.records} measured records, of which a rule reads {left_out.compared}; {left_out.captures} genuine captures. "
        f"Excluding their own product: {', '.join(left_out.excluding) or 'none'}.\n",
        "## What this does not show\n",
        _LIMITS,
    ]
    return "\n".join(parts)


def _row(kind: str, tally: Tally) -> tuple[str, ...]:
    return (
        kind,
        f"{tally.machines}",
        f"{tally.cells}",
        f"{tally.audits}",
        *(" / ".join(str(tally.verdicts[basis, verdict]) for verdict in _SHOWN) for basis in _BASES),
        *(str(_sum(tally, notable)) for notable in (NAMED, NOT_LESSER, SHARE)),
    )


def _sum(tally: Tally, notable: str) -> int:
    """Count audits by overall verdict only: what the measured basis adds is in its own column."""
    return sum(count for name, count in tally.notable.items() if name == f"{notable}, overall")


def _confirmed(tallies: Mapping[str, Tally]) -> Iterator[str]:
    """List which card passes for which, under each heading."""
    for notable in (NAMED, NOT_LESSER, SHARE):
        poses: defaultdict[str, set[str]] = defaultdict(set)
        for tally in tallies.values():
            for name, physical, pose in tally.who:
                if name == f"{notable}, overall":
                    poses[pose or physical].add(physical)
        told = "; ".join(f"{pose}: {', '.join(sorted(found))}" for pose, found in sorted(poses.items()))
        yield f"- {notable}: {told or 'nobody'}.\n"


def _examples(tallies: Mapping[str, Tally]) -> Iterator[str]:
    for kind, tally in tallies.items():
        for notable, example in sorted(tally.examples.items()):
            yield f"- {kind}, {notable} ({tally.notable[notable]}): {example}\n"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}", *(f"| {' | '.join(row)} |" for row in rows)]
    return "\n".join(lines) + "\n"
