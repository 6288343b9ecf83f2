"""The sections that a result alone gives: each line with its devices and rivals, what looked odd, findings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from gpuaudit.appraisal.result import AttestationResult, Basis, DeviceStanding, Finding, LineResult, Rival, Verdict
from gpuaudit.report.quoting import listed, quoted, sentence, spoken
from gpuaudit.report.view import Block, Fact, Facts, Listing, Section, Table
from gpuaudit.report.words import DOES_NOT_PROVE, RESTS_ON

_MATTERS = {True: "required", False: "shown only"}


def line_sections(result: AttestationResult) -> Iterator[Section]:
    """Yield a section for each line of the tender: verdict, what each basis supports, devices, rivals."""
    for number, line in enumerate(result.lines):
        yield Section(
            id=f"line-{number}",
            title=f"Line {quoted(line.id)}: {line.verdict.value}: {sentence(line.reason)}",
            brief=True,
            blocks=tuple(_line(line)),
        )


def odd_section(result: AttestationResult) -> Iterator[Section]:
    """Yield what looks odd and moves no verdict, if anything does."""
    if result.notices:
        notices = Listing(items=tuple(sentence(notice) for notice in result.notices))
        yield Section(id="odd", title="Odd, without moving the verdict", brief=True, blocks=(notices,))


def findings_section(result: AttestationResult) -> Section:
    """List what every rule found: one row for all subjects of which the same was expected and found."""
    tables = [_findings(f"Line {quoted(line.id)}", line.findings) for line in result.lines if line.findings]
    machine = _findings("The machine as a whole", result.machine_findings)
    return Section(id="findings", title="Every rule, and what it found", brief=False, blocks=(*tables, machine))


def limits_section(result: AttestationResult) -> Section:
    """Say what the verdict leaves out, and what no verdict proves."""
    return Section(
        id="limits",
        title="What this does not cover",
        brief=True,
        blocks=(Listing(items=tuple(sentence(item) for item in result.coverage)),) if result.coverage else (),
    )


def no_proof_section() -> Section:
    """Say what no result proves."""
    return Section(id="no-proof", title="What this does not prove", brief=False, blocks=(Listing(items=DOES_NOT_PROVE),))


def _line(line: LineResult) -> Iterator[Block]:
    facts = [Fact(label="the document says", value=f'"{sentence(line.text)}"')]
    if line.claimed:
        facts.append(Fact(label="products that would satisfy it", value=", ".join(map(quoted, line.claimed))))
    yield Facts(items=tuple(facts))
    if line.verdict is Verdict.OUT_OF_SCOPE:
        return
    yield Table(caption="What each basis alone supports", header=("basis", "verdict", "it rests on"), rows=_bases(line))
    if line.devices:
        yield Table(
            caption="Where each device stands",
            header=("device", "says it is", "verdict", "because"),
            rows=_devices(line.devices),
        )
    if line.rivals:
        yield Table(
            caption="Lesser products to tell it apart from",
            header=("product", "excluded by", "what would tell"),
            rows=tuple(_rival(rival) for rival in line.rivals),
        )
    if line.no_data:
        missing = listed((quoted(item) for item in line.no_data), most=len(line.no_data))
        yield Facts(items=(Fact(label="the catalogue has no value for", value=missing),))


def _bases(line: LineResult) -> tuple[tuple[str, ...], ...]:
    verdicts = ((basis, getattr(line.by_basis, basis.value)) for basis in Basis)
    return tuple((basis.value, verdict.value, RESTS_ON[basis]) for basis, verdict in verdicts)


def _devices(devices: Sequence[DeviceStanding]) -> tuple[tuple[str, ...], ...]:
    alike = groupby(devices, key=lambda one: (one.name, one.verdict, one.reason))
    return tuple(
        (spoken(one.subject for one in group), quoted(name), verdict.value, sentence(reason))
        for (name, verdict, reason), group in alike
    )


def _rival(rival: Rival) -> tuple[str, ...]:
    bases = " and ".join(basis.value for basis in rival.excluded_by)
    settles = (
        f"{quoted(rival.observation)} ({quoted(rival.would_exclude)})" if rival.observation else "no measurement of one card"
    )
    return (
        quoted(rival.title or rival.product),
        f"{bases} only" if len(rival.excluded_by) == 1 else bases or "nothing",
        settles,
    )


def _findings(caption: str, findings: Iterable[Finding]) -> Table:
    groups: dict[tuple[str, ...], list[Finding]] = {}
    for one in findings:
        key = (one.rule, one.outcome.value, one.effect.value, one.basis.value, _MATTERS[one.required], one.expected)
        groups.setdefault(key, []).append(one)
    return Table(
        caption=caption,
        header=("rule", "found", "may", "basis", "weight", "of", "observed", "expected", "excludes"),
        rows=tuple(_finding_row(key, group) for key, group in groups.items()),
    )


def _finding_row(key: tuple[str, ...], group: Sequence[Finding]) -> tuple[str, ...]:
    rule, outcome, effect, basis, weight, wanted = key
    observed = listed(sentence(text) for text in dict.fromkeys(one.observed for one in group))
    counts = sorted({len(one.excluded) for one in group})
    excluded = " to ".join(str(count) for count in dict.fromkeys((counts[0], counts[-1])))
    who = spoken(one.subject for one in group)
    return (
        rule,
        outcome,
        effect,
        basis,
        weight,
        who,
        observed,
        sentence(wanted),
        f"{excluded} products" if counts[-1] else "none",
    )
