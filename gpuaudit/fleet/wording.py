"""The words beside a fleet's verdict: headline, notices, coverage."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from gpuaudit.appraisal.appraise import Question
from gpuaudit.appraisal.result import Verdict
from gpuaudit.evidence.bundle import Origin
from gpuaudit.fleet.archive import repeated
from gpuaudit.fleet.duplicates import Sighting
from gpuaudit.fleet.outliers import Outlier
from gpuaudit.fleet.result import FleetLine, FleetRow
from gpuaudit.fleet.rows import APPRAISED
from gpuaudit.fleet.testimony import Testimonies, Testimony
from gpuaudit.tender.model import HardwareLine

_SHOWN: Final = 4
_KEY: Final = "key "
_HOST: Final = "host "
_MARK: Final = {
    Origin.SIMULATED: "SIMULATED: no hardware was audited. ",
    Origin.CAPTURE: "CAPTURE: what somebody says that machines said. ",
    Origin.HARDWARE: "",
}
_OPENING: Final = {
    Verdict.CONFIRMED: "These machines bear out the claim",
    Verdict.REFUTED: "These machines do not bear out the claim",
    Verdict.INCONCLUSIVE: "These machines neither bear out nor refute the claim",
    Verdict.OUT_OF_SCOPE: "Nothing in the tender is about hardware",
}


def fleet_headline(verdict: Verdict, lines: Sequence[FleetLine], heard: Testimonies, origin: Origin) -> str:
    """Say the verdict in a few sentences that can be quoted."""
    deciding = [line for line in lines if line.verdict is verdict and verdict is not Verdict.OUT_OF_SCOPE]
    reasons = "; ".join(dict.fromkeys(line.reason for line in deciding))
    told = f"{_OPENING[verdict]}: {reasons}." if reasons else f"{_OPENING[verdict]}."
    parts = [told]
    statements = [line for line in lines if line.statement]
    parts += [f"{line.sampled}: as claimed are {line.statement}." for line in statements]
    if verdict is Verdict.REFUTED:
        parts += _because(lines, heard)
    if verdict is Verdict.CONFIRMED:
        parts += _identity_only(heard)
    return _MARK[origin] + " ".join(parts)


def fleet_notices(
    rows: Sequence[FleetRow], heard: Testimonies, sightings: Sequence[Sighting], outliers: Sequence[Outlier]
) -> tuple[str, ...]:
    """Collect what looks odd, to be read above the verdict; a fleet's own summary, not every node's every word."""
    return (
        *_rows(rows),
        *_duplicates(sightings),
        *_shared(heard),
        *_products(heard),
        *_outliers(outliers),
        *_of_nodes(heard),
    )


def fleet_coverage(question: Question, heard: Testimonies, *, says_of_rest: bool) -> tuple[str, ...]:
    """List what the verdict does not cover; `says_of_rest` is whether servers were drawn by a plan, or none is left to speak of."""
    tender = question.tender
    hardware = [line for line in tender.lines if isinstance(line, HardwareLine)]
    told = []
    if any(line.period.months or line.period.start or line.period.end for line in hardware):
        first = min((min(one.started_at, one.finished_at) for one in heard), default="")
        last = max((max(one.started_at, one.finished_at) for one in heard), default="")
        seen = f"audits from {first} to {last}" if first else "no audit"
        told.append(f"period: {seen}; nothing is said of the rest")
    if hardware:
        told.append(f"cloud: {f'{tender.cloud}, not checked' if tender.cloud else 'not named in the document'}")
        told.append("place: a relay to machines elsewhere is not excluded")
        told.append("simultaneity: machines shown one after another may be one; their times are those of their own clocks")
    if hardware and not says_of_rest:
        told.append("sample: the servers shown were not drawn by a plan; nothing is said of the others")
    if tender.suppliers:
        told.append(f"supplier: {', '.join(supplier.name for supplier in tender.suppliers)}, not checked")
    if tender.money:
        told.append("money: not judged")
    if hardware and not question.nonce_expected:
        told.append("freshness: no nonce was asked for beforehand")
    return tuple(told)


def _because(lines: Sequence[FleetLine], heard: Testimonies) -> Iterator[str]:
    """Quote the first device that is something else, of the first machine that has one."""
    refuted = [line.id for line in lines if line.verdict is Verdict.REFUTED]
    for one in heard:
        for line in refuted:
            if any(card.overall is Verdict.REFUTED for card in one.lines[line].cards):
                yield f"{one.node}, {one.lines[line].reason}."
                return


def _identity_only(heard: Testimonies) -> Iterator[str]:
    titles = dict.fromkeys(title for one in heard for line in one.lines.values() for title in line.reported_only)
    if titles:
        yield f"{_listed(list(titles))} excluded only by what the machines report."


def _rows(rows: Sequence[FleetRow]) -> Iterator[str]:
    silent: defaultdict[str, list[FleetRow]] = defaultdict(list)
    for row in rows:
        if row.state != APPRAISED:
            silent[row.state].append(row)
    for state, found in silent.items():
        yield f"{state}: {_nodes(row.node for row in found)}: {found[0].reason}"
    refuted = [row for row in rows if row.verdict is Verdict.REFUTED]
    if refuted:
        yield f"would be refuted alone: {_nodes(row.node for row in refuted)}: {refuted[0].reason}"


def _duplicates(sightings: Sequence[Sighting]) -> Iterator[str]:
    for copied, at_once, told in (
        (True, None, "the same evidence under another name, counted once"),
        (False, True, "cards in two places at the same time"),
        (False, False, "cards shown before on another machine, counted once"),
    ):
        found = [one for one in sightings if one.copied is copied and at_once in (None, one.at_once)]
        if found:
            yield f"{told}: {_nodes(one.second.node for one in found)}, first {found[0].first.node} ({found[0].keys[0]})"


def _shared(heard: Testimonies) -> Iterator[str]:
    """Name what should be one's own and is not: a key that signed for several nodes, a host name that several have."""
    shared = repeated(text for one in heard for text in _own(one))
    if not shared:
        return
    nodes: defaultdict[str, set[str]] = defaultdict(set)
    for one in heard:
        for text in _own(one):
            if text in shared:
                nodes[text].add(one.node)
    for kind, told in (
        (_KEY, "one key signed for several nodes: {:.16}… for {}"),
        (_HOST, "one host name under several nodes: {} under {}"),
    ):
        for text, found in nodes.items():
            if text.startswith(kind) and len(found) > 1:
                yield told.format(text.removeprefix(kind), _nodes(sorted(found)))


def _own(one: Testimony) -> Iterator[str]:
    yield from (f"{_KEY}{keyid}" for keyid in one.signed_by)
    if not one.host_name.startswith("unknown ("):
        yield f"{_HOST}{one.host_name}"


def _products(heard: Testimonies) -> Iterator[str]:
    products = sum((Counter(one.products) for one in heard), Counter[str]())
    if len(products) > 1:
        yield f"mixed products: {', '.join(f'{count} x {name}' for name, count in products.most_common(_SHOWN))}"


def _outliers(outliers: Sequence[Outlier]) -> Iterator[str]:
    by_quantity: defaultdict[str, list[Outlier]] = defaultdict(list)
    for one in outliers:
        by_quantity[f"{one.product} {one.quantity}"].append(one)
    for what, found in by_quantity.items():
        share = found[0].value / found[0].median if found[0].median else 0.0
        yield f"outliers in {what}: {_nodes(one.subject for one in found)}; {found[0].subject} at {share:.2f} of the fleet's median"


def _of_nodes(heard: Testimonies) -> Iterator[str]:
    """Group the machines' own notices by their words, the most frequent first."""
    counts: Counter[str] = Counter()
    nodes: defaultdict[str, list[str]] = defaultdict(list)
    for one in heard:
        for notice in one.notices:
            counts[notice] += 1
            if len(nodes[notice]) < _SHOWN:
                nodes[notice].append(one.node)
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    for notice, count in ordered[:_SHOWN]:
        yield f"{_listed(nodes[notice], hidden=count - len(nodes[notice]))}: {notice}"
    if len(ordered) > _SHOWN:
        yield f"and {len(ordered) - _SHOWN} more notices of single machines"


def _nodes(names: Iterable[str]) -> str:
    return _listed(list(names))


def _listed(names: Sequence[str], *, hidden: int = 0) -> str:
    """Write the first few names, and how many more there are; `hidden` of them are not in `names`."""
    shown = ", ".join(names[:_SHOWN])
    more = len(names[_SHOWN:]) + hidden
    return f"{shown} and {more} more" if more else shown
