"""The result as text: short, quotable, the same in a pipe as on a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby

from gpuaudit.appraisal.result import AttestationResult, ByBasis, DeviceStanding, LineResult, Rival, Verdict

_MARKS = {"simulated": "SIMULATED", "capture": "CAPTURE"}
_RIVALS_SHOWN = 6
_NOTICES_SHOWN = 8


def as_text(result: AttestationResult) -> str:
    """Write the verdict, why, each line and basis, what remains, and what would settle it.

    Strings from evidence and tender are written as they are: whoever prints them escapes control characters.
    """
    return "\n".join(_lines(result))


def _lines(result: AttestationResult) -> Iterator[str]:
    mark = _MARKS.get(result.origin.value)
    stamp = f"  *** {mark} ***" if mark else ""
    yield f"{result.verdict.value.upper()}{stamp}  {result.tender.name}: {result.tender_title}"
    yield result.headline
    if result.verdict is Verdict.CONFIRMED and not result.accepted:
        yield f"Not accepted: the evidence is {result.origin.value}, and no claim about hardware can rest on it."
    yield ""
    for line in result.lines:
        yield from _line(line)
    yield from _section("odd, without moving the verdict", _shorten(result.notices, _NOTICES_SHOWN))
    yield from _section("not covered", result.coverage)
    yield from _section("rests on", _foundations(result))


def _line(line: LineResult) -> Iterator[str]:
    yield f"line {line.id}: {line.verdict.value}: {line.reason}"
    yield f'  "{line.text}"'
    if line.verdict is not Verdict.OUT_OF_SCOPE:
        yield f"  {_bases(line.by_basis)}"
    for (verdict, reason, name), group in groupby(line.devices, key=lambda one: (one.verdict, one.reason, one.name)):
        yield f"  {_devices(tuple(group))}  {name}  {verdict.value}: {reason}"
    yield from _rivals(line.rivals)
    yield ""


def _bases(by_basis: ByBasis) -> str:
    return (
        f"reported: {by_basis.reported.value}; measured: {by_basis.measured.value}; "
        f"challenged: {by_basis.challenged.value}; endorsed: {by_basis.endorsed.value}"
    )


def _devices(devices: tuple[DeviceStanding, ...]) -> str:
    if len(devices) == 1:
        return devices[0].subject
    return f"{devices[0].subject} to {devices[-1].subject.rsplit(' ', 1)[-1]}"


def _rivals(rivals: tuple[Rival, ...]) -> Iterator[str]:
    for rival in rivals[:_RIVALS_SHOWN]:
        basis = " and ".join(one.value for one in rival.excluded_by)
        state = f"excluded by {basis} only" if basis else "not excluded"
        settle = f"{rival.observation} would tell" if rival.observation else "no measurement of one card tells"
        yield f"  rival {rival.product}: {state}; {settle}"
    if len(rivals) > _RIVALS_SHOWN:
        yield f"  and {len(rivals) - _RIVALS_SHOWN} more rivals, listed in the JSON"


def _section(title: str, items: Iterable[str]) -> Iterator[str]:
    listed = tuple(items)
    if listed:
        yield f"{title}:"
        yield from (f"  {item}" for item in listed)


def _shorten(items: tuple[str, ...], most: int) -> tuple[str, ...]:
    hidden = len(items) - most
    return items if hidden <= 0 else (*items[:most], f"and {hidden} more, listed in the JSON")


def _foundations(result: AttestationResult) -> Iterator[str]:
    for evidence in result.evidence:
        signers = ", ".join(evidence.signed_by) or "nobody: unsigned"
        yield f"evidence sha256:{evidence.file.sha256}, {evidence.started_at} to {evidence.finished_at}, signed by {signers}"
    yield f"tender sha256:{result.tender.sha256}; policy {result.policy}; catalogue {result.catalogue_version}"
