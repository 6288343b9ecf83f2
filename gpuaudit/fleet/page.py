"""A fleet's result laid out for every form: the verdict first, then what is odd, then the table of nodes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from gpuaudit.appraisal.amount import Unit, show
from gpuaudit.appraisal.result import Verdict
from gpuaudit.fleet.result import FleetDistribution, FleetLine, FleetOutlier, FleetResult, FleetRow, FleetTogether
from gpuaudit.fleet.witness import SLOWEST_PEER
from gpuaudit.report.quoting import quoted, sentence
from gpuaudit.report.view import Block, Fact, Facts, Listing, Section, Table, View
from gpuaudit.report.words import DOES_NOT_PROVE, NOT_ACCEPTED, STAMPS

_FIRST: Final = (Verdict.REFUTED, Verdict.INCONCLUSIVE, Verdict.OUT_OF_SCOPE, Verdict.CONFIRMED)
_BYTES: Final = frozenset({"capacity"})
_RATES: Final = frozenset({"copy", "host-to-device", SLOWEST_PEER})


def page_of(result: FleetResult) -> View:
    """Lay out everything that a report on a fleet says."""
    remarks = []
    if result.verdict is Verdict.CONFIRMED and not result.accepted:
        remarks.append(NOT_ACCEPTED.format(origin=result.origin.value))
    return View(
        stamp=STAMPS[result.origin],
        verdict=result.verdict.value,
        tender=quoted(result.tender.name),
        title=quoted(result.tender_title),
        headline=sentence(result.headline),
        remarks=tuple(remarks),
        sections=tuple(_sections(result)),
    )


def _sections(result: FleetResult) -> Iterator[Section]:
    for line in result.lines:
        yield Section(id=f"line-{quoted(line.id)}", title=_title(line), brief=True, blocks=tuple(_line(line)))
    for number, one in enumerate(result.together):
        name = "together" if not number else f"together-{number + 1}"
        yield Section(id=name, title="What was shown at the same time", brief=True, blocks=tuple(_together(one)))
    if result.notices:
        yield _section("odd", "Odd, and worth reading", Listing(items=tuple(sentence(one) for one in result.notices)))
    standing_out = [row for row in result.rows if row.verdict is not Verdict.CONFIRMED]
    if standing_out and result.verdict is not Verdict.OUT_OF_SCOPE:
        yield _section("not-confirmed", "Nodes that are not confirmed", _nodes(standing_out))
    yield _section("nodes", "All nodes, the worst first", _nodes(result.rows), brief=False)
    if result.outliers:
        yield _section("outliers", "Who stands out from the fleet", _outliers(result.outliers), brief=False)
    if result.distributions:
        yield _section("distributions", "What the fleet reached", _distributions(result.distributions), brief=False)
    yield _section("limits", "What the verdict does not cover", Listing(items=tuple(sentence(one) for one in result.coverage)))
    yield _section("foundations", "What this rests on", _foundations(result))
    yield _section("no-proof", "What this does not prove", Listing(items=DOES_NOT_PROVE), brief=False)


def _section(name: str, title: str, block: Block, *, brief: bool = True) -> Section:
    return Section(id=name, title=title, brief=brief, blocks=(block,))


def _title(line: FleetLine) -> str:
    return f"Line {quoted(line.id)}: {line.verdict.value}: {sentence(line.reason)}"


def _line(line: FleetLine) -> Iterator[Block]:
    facts = [Fact(label="the document says", value=f'"{sentence(line.text)}"')]
    if line.verdict is not Verdict.OUT_OF_SCOPE:
        bases = line.by_basis
        facts += [
            Fact(label="servers", value=f"{line.good_servers} good, {line.open_servers} open, {line.bad_servers} bad"),
            Fact(label="devices confirmed", value=f"{line.good_devices:,}"),
            Fact(label="by basis", value=f"reported: {bases.reported.value}; measured: {bases.measured.value}"),
        ]
    if line.statement:
        facts.append(Fact(label="statement", value=f"{line.statement} ({line.sampled})"))
    yield Facts(items=tuple(facts))


def _together(one: FleetTogether) -> Iterator[Block]:
    yield Facts(
        items=(
            Fact(label="statement", value=sentence(one.statement or one.reason)),
            Fact(label="basis", value=one.basis or "none"),
            Fact(label="nodes", value=quoted(", ".join(one.nodes)) or "none"),
        )
    )
    if one.left_out:
        yield Table(
            caption="Asked, and not counted",
            header=("node", "because"),
            rows=tuple((quoted(left.node), sentence(left.reason)) for left in one.left_out),
        )


def _nodes(rows: Sequence[FleetRow]) -> Table:
    ordered = sorted(rows, key=lambda row: (_FIRST.index(row.verdict), row.node, row.file.name))
    return Table(
        caption=f"{len(rows):,} files and nodes",
        header=("node", "verdict", "state", "devices", "because"),
        rows=tuple(
            (quoted(row.node), row.verdict.value, row.state, quoted(row.devices), sentence(row.reason)) for row in ordered
        ),
    )


def _outliers(outliers: Sequence[FleetOutlier]) -> Table:
    return Table(
        caption="By median and MAD of the same product and quantity; moves no verdict",
        header=("device", "product", "quantity", "value", "fleet's median", "score"),
        rows=tuple(
            (
                quoted(one.subject),
                quoted(one.product),
                one.quantity,
                _amount(one.quantity, one.value),
                _amount(one.quantity, one.median),
                f"{one.score:.1f}" if one.score >= 0 else "the fleet does not differ",
            )
            for one in outliers
        ),
    )


def _distributions(distributions: Sequence[FleetDistribution]) -> Table:
    return Table(
        caption="Over all devices that report one product",
        header=("product", "quantity", "devices", "least", "median", "most"),
        rows=tuple(
            (
                quoted(one.product),
                one.quantity,
                f"{one.count:,}",
                *(_amount(one.quantity, value) for value in (one.smallest, one.median, one.largest)),
            )
            for one in distributions
        ),
    )


def _foundations(result: FleetResult) -> Facts:
    appraised = sum(row.state == "appraised" for row in result.rows)
    return Facts(
        items=(
            Fact(label="evidence", value=f"{appraised:,} of {len(result.rows):,} files and nodes appraised"),
            Fact(label="keys", value=f"{result.trust.kind}: {quoted(result.trust.detail)}"),
            Fact(label="policy", value=quoted(result.policy)),
            Fact(label="catalogue", value=quoted(result.catalogue_version)),
            Fact(label="tender", value=f"sha256:{result.tender.sha256}"),
            Fact(label="appraised", value=f"{result.appraised_at} by {result.tool.name} {result.tool.version}"),
        )
    )


def _amount(quantity: str, value: float) -> str:
    if quantity in _BYTES:
        return show(value, Unit.BYTES)
    return show(value, Unit.BYTES_PER_SECOND if quantity in _RATES else Unit.FLOP_PER_SECOND)
