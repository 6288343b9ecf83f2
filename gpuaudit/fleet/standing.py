"""Where single machines stand against a line, which is what a fleet's verdict is counted from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from gpuaudit.appraisal.count import Tally, least
from gpuaudit.appraisal.result import Verdict
from gpuaudit.fleet.testimony import LineTestimony, Testimony
from gpuaudit.tender.model import HardwareLine


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeStanding:
    """One machine by itself: a server of a claim that does not say how many there are."""

    verdict: Verdict
    reason: str


def server_verdict(counted: Tally, line: HardwareLine) -> Verdict:
    """Say of one server whether it holds what the line says of each; it refutes only if all that is in it was seen."""
    needed = least(line.per_server)
    if counted.good >= needed:
        return Verdict.CONFIRMED
    short = counted.all_seen and counted.good + counted.open < needed
    return Verdict.REFUTED if short else Verdict.INCONCLUSIVE


def node_standing(one: Testimony, lines: Iterable[HardwareLine]) -> NodeStanding:
    """Fold the lines for one machine: one that serves any of them is good, one that can serve none is bad."""
    verdicts = {line.id: server_verdict(one.lines[line.id].overall, line) for line in lines}
    wanted = {line.id: line for line in lines}
    for verdict in (Verdict.CONFIRMED, Verdict.INCONCLUSIVE, Verdict.REFUTED):
        deciding = next((line for line, found in verdicts.items() if found is verdict), "")
        if deciding:
            return NodeStanding(verdict=verdict, reason=_reason(one.lines[deciding], wanted[deciding], verdict))
    return NodeStanding(verdict=Verdict.OUT_OF_SCOPE, reason="nothing in the tender is about hardware")


def _reason(testimony: LineTestimony, line: HardwareLine, verdict: Verdict) -> str:
    counted = f"{testimony.overall.good} of {testimony.overall.seen} devices are {line.product.named}, at least {least(line.per_server)} wanted"
    if verdict is Verdict.CONFIRMED or not testimony.reason:
        return counted
    return f"{counted}; {testimony.reason}"
