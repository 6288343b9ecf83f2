"""The fold: what all nodes contributed, the silent ones included, to one result.

A unit of the fleet never confirms for another: what was not shown, or could not be believed, is unseen.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from gpuaudit import __version__
from gpuaudit.appraisal.appraise import Question, fold_lines
from gpuaudit.appraisal.count import Fold, Tally, fold, least
from gpuaudit.appraisal.result import Basis, ByBasis, Verdict
from gpuaudit.appraisal.rules.manual import rules_sha256
from gpuaudit.evidence.bundle import Origin, Tool
from gpuaudit.fleet.duplicates import Counted, Sighting, count_machines, find_duplicates, keys_shown_twice, still_claimed
from gpuaudit.fleet.outliers import Distribution, Outlier, RateBook
from gpuaudit.fleet.plan import FleetPlan
from gpuaudit.fleet.result import (
    FleetDistribution,
    FleetDuplicate,
    FleetLine,
    FleetOutlier,
    FleetResult,
    FleetTrust,
)
from gpuaudit.fleet.rows import row_of, silent_row
from gpuaudit.fleet.sampling import state
from gpuaudit.fleet.standing import server_verdict
from gpuaudit.fleet.testimony import NoTestimony, Testimonies
from gpuaudit.fleet.wording import fleet_coverage, fleet_headline, fleet_notices
from gpuaudit.tender.model import ClaimLine, HardwareLine, Unsaid

NOT_SHOWN: Final = "not-shown"
_OUT_OF_SCOPE: Final = ByBasis(
    reported=Verdict.OUT_OF_SCOPE,
    measured=Verdict.OUT_OF_SCOPE,
    challenged=Verdict.OUT_OF_SCOPE,
    endorsed=Verdict.OUT_OF_SCOPE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class NoPlan:
    """No draw was planned: what was shown says nothing of the rest."""


Drawing: TypeAlias = FleetPlan | NoPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class Assembly:
    """Everything that was heard. `heard` and `silent` are in the order of names; `rates` are those of all of `heard`."""

    heard: Testimonies
    silent: Sequence[NoTestimony]
    rates: RateBook
    drawing: Drawing
    trust: FleetTrust


def fold_fleet(assembly: Assembly, question: Question, *, catalogue_version: str, appraised_at: str) -> FleetResult:
    """Come to a verdict on every line over all machines, and on the whole.

    Args:
        assembly: What the files gave.
        question: As it was asked of each machine. `complete` holds only if nothing is silent: an unread machine may be any.
        catalogue_version: Of the catalogue that the machines were appraised against.
        appraised_at: RFC 3339.
    """
    silent = (*assembly.silent, *_not_shown(assembly))
    twice = keys_shown_twice(assembly.heard)
    sightings = find_duplicates(assembly.heard, twice)
    asked = replace(question, complete=question.complete and not silent)
    lines = tuple(
        _line(line, assembly, count_machines(assembly.heard, line.id, twice), sightings, asked)
        if isinstance(line, HardwareLine)
        else _other_line(line)
        for line in question.tender.lines
    )
    hardware = [line for line in question.tender.lines if isinstance(line, HardwareLine)]
    rows = sorted(
        [*(row_of(one, hardware) for one in assembly.heard), *(silent_row(one) for one in silent)],
        key=lambda row: (row.node, row.file.name),
    )
    verdict = fold_lines(line.verdict for line in lines)
    origin = _origin(assembly.heard)
    distributions = assembly.rates.distributions()
    outliers = assembly.rates.outliers(distributions)
    return FleetResult(
        schema_version=1,
        scope="fleet",
        tool=Tool(name="gpuaudit", version=__version__),
        verdict=verdict,
        accepted=verdict is Verdict.CONFIRMED
        and (origin is Origin.HARDWARE or (origin is Origin.SIMULATED and question.allow_simulated)),
        headline=fleet_headline(verdict, lines, assembly.heard, origin),
        origin=origin,
        policy=question.policy.policy.name,
        policy_sha256=question.policy.sha256,
        thresholds_sha256=question.thresholds_sha256,
        rules_sha256=rules_sha256(),
        catalogue_version=catalogue_version,
        tender=question.tender_file,
        tender_title=question.tender.title,
        complete=question.complete,
        appraised_at=appraised_at,
        trust=assembly.trust,
        by_basis=ByBasis(**{basis.value: fold_lines(getattr(line.by_basis, basis.value) for line in lines) for basis in Basis}),
        coverage=fleet_coverage(
            question,
            assembly.heard,
            says_of_rest=isinstance(assembly.drawing, FleetPlan) or verdict is Verdict.CONFIRMED,
        ),
        notices=fleet_notices(rows, assembly.heard, sightings, outliers),
        lines=lines,
        rows=tuple(rows),
        duplicates=tuple(_duplicate(one) for one in sightings),
        products=dict(sorted(sum((Counter(one.products) for one in assembly.heard), Counter[str]()).items())),
        distributions=tuple(_distribution(one) for one in distributions),
        outliers=tuple(_outlier(one) for one in outliers),
    )


def _not_shown(assembly: Assembly) -> tuple[NoTestimony, ...]:
    """Give a row to every server that was drawn and that nothing was heard of."""
    if isinstance(assembly.drawing, NoPlan):
        return ()
    present = {one.node for one in assembly.heard} | {one.node for one in assembly.silent}
    return tuple(
        NoTestimony(node=node, file="", state=NOT_SHOWN, reason="drawn by the plan, and nothing was shown of it")
        for node in assembly.drawing.drawn
        if node not in present
    )


def _line(
    line: HardwareLine,
    assembly: Assembly,
    counted: Counted,
    sightings: Sequence[Sighting],
    question: Question,
) -> FleetLine:
    folds = [
        fold(line, tallies, complete=question.complete) for tallies in (counted.overall, counted.reported, counted.measured)
    ]
    overall, reported, measured = (_of_somebody(one, assembly.heard) for one in folds)
    if overall.verdict is Verdict.INCONCLUSIVE and assembly.heard and not question.policy.policy.confirms:
        policy = question.policy.policy.name
        overall = Fold(verdict=Verdict.INCONCLUSIVE, reason=f"policy {policy} never confirms; see what each basis supports")
    clashes = [one for one in sightings if _refutes(one, line)]
    if clashes:
        overall = reported = Fold(verdict=Verdict.REFUTED, reason=_in_two_places(clashes))
    verdicts = [server_verdict(one, line) for one in counted.overall]
    statement, sampled = ("", "") if clashes else _sample(line, counted.overall, assembly.drawing)
    return FleetLine(
        id=line.id,
        text=line.text,
        verdict=overall.verdict,
        reason=overall.reason,
        by_basis=ByBasis(
            reported=reported.verdict,
            measured=measured.verdict,
            challenged=Verdict.INCONCLUSIVE,
            endorsed=Verdict.INCONCLUSIVE,
        ),
        good_servers=verdicts.count(Verdict.CONFIRMED),
        open_servers=verdicts.count(Verdict.INCONCLUSIVE),
        bad_servers=verdicts.count(Verdict.REFUTED),
        good_devices=sum(one.good for one in counted.overall),
        statement=statement,
        sampled=sampled,
    )


def _of_somebody(one: Fold, heard: Testimonies) -> Fold:
    """Of nobody nothing is said, not even that no accelerator was found."""
    return one if heard else Fold(verdict=Verdict.INCONCLUSIVE, reason="no machine was heard")


def _refutes(sighting: Sighting, line: HardwareLine) -> bool:
    """Whether a card stands in two places at once, for this line.

    The same file under two names is the same card in one place, unless a line wants several servers: then each name is shown as a
    server of its own.
    """
    if not still_claimed(sighting, line.id):
        return False
    if sighting.copied:
        several = not isinstance(line.servers, Unsaid) and least(line.servers) > 1
        return several and sighting.first.node != sighting.second.node
    return sighting.at_once


def _in_two_places(clashes: Sequence[Sighting]) -> str:
    one = clashes[0]
    how = "its evidence is the same, byte for byte" if one.copied else f"at the same time as {one.first.node}"
    what = f"{one.second.node} shows cards that {one.first.node} shows ({one.keys[0]} and {len(one.keys) - 1} more), {how}"
    more = f"; and so do {len(clashes) - 1} more" if len(clashes) > 1 else ""
    return f"one card in two places: {what}{more}"


def _sample(line: HardwareLine, tallies: Sequence[Tally], drawing: Drawing) -> tuple[str, str]:
    """Say what the servers that were drawn tell of all of them; one that was drawn and not confirmed counts as bad."""
    if isinstance(drawing, NoPlan) or isinstance(line.servers, Unsaid):
        return "", ""
    good = {one.name for one in tallies if server_verdict(one, line) is Verdict.CONFIRMED}
    confirmed = sum(node in good for node in drawing.drawn)
    population = len(drawing.servers)
    statement = state(population, len(drawing.drawn), len(drawing.drawn) - confirmed, drawing.confidence)
    return statement.text, f"{confirmed} of {len(drawing.drawn)} servers drawn from {population:,} confirmed"


def _other_line(line: ClaimLine) -> FleetLine:
    return FleetLine(
        id=line.id,
        text=line.text,
        verdict=Verdict.OUT_OF_SCOPE,
        reason="nothing in the line is about hardware",
        by_basis=_OUT_OF_SCOPE,
        good_servers=0,
        open_servers=0,
        bad_servers=0,
        good_devices=0,
        statement="",
        sampled="",
    )


def _origin(heard: Testimonies) -> Origin:
    """Return the least of the origins: one simulated machine makes the whole a simulation."""
    origins = {one.origin for one in heard}
    return next((origin for origin in (Origin.SIMULATED, Origin.CAPTURE) if origin in origins), Origin.HARDWARE)


def _duplicate(one: Sighting) -> FleetDuplicate:
    return FleetDuplicate(
        first=one.first.file,
        second=one.second.file,
        cards=max(sum(key.startswith("uuid ") for key in one.keys), 1),
        example=one.keys[0],
        at_once=one.at_once,
        copied=one.copied,
    )


def _distribution(one: Distribution) -> FleetDistribution:
    return FleetDistribution(
        product=one.product,
        quantity=one.quantity,
        count=one.count,
        smallest=one.smallest,
        median=one.median,
        mad=one.mad,
        largest=one.largest,
    )


def _outlier(one: Outlier) -> FleetOutlier:
    score = one.score if one.score != float("inf") else -1.0
    return FleetOutlier(
        product=one.product,
        quantity=one.quantity,
        subject=one.subject,
        value=one.value,
        median=one.median,
        score=score,
    )
