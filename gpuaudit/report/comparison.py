"""Two audits of one machine: what is no longer what it was, and by how much. Against bait and switch.

Cards are paired by UUID: one that vanished and one that appeared are two changes, at whatever place in the order. Nothing here is
a verdict; a card that is gone may have been returned for repair.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from importlib import resources
from operator import attrgetter
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import Field

from gpuaudit.appraisal.amount import Unit, show
from gpuaudit.catalogue.model import Citation
from gpuaudit.evidence.bundle import EvidenceBundle
from gpuaudit.evidence.device import DeviceEvidence
from gpuaudit.evidence.measurement import CapacityTask, Company, GemmTask, Measurement, PeerTask, Task
from gpuaudit.evidence.reading import Known, Reading, Reason, Unknown
from gpuaudit.evidence.record import camel_case, entry, record
from gpuaudit.evidence.toml_file import load_toml
from gpuaudit.report.measured import task_title
from gpuaudit.report.quoting import quoted, shown

_FILE: Final = "comparison.toml"
# What a card keeps as long as it is that card and nobody sets it otherwise; clocks, draw and counters change by themselves.
_OF_DEVICE: Final = (
    "identity.name",
    "identity.serial",
    "identity.compute_capability",
    "identity.gpu_core_count",
    "identity.board_part_number",
    "pci.bus_id",
    "pci.device_id",
    "pci.subsystem_id",
    "pci.link_generation_max",
    "pci.link_width_max",
    "firmware.vbios_version",
    "firmware.inforom_image_version",
    "memory.total_bytes",
    "memory.bus_width_bits",
    "memory.bar1_total_bytes",
    "clocks.sm_max_megahertz",
    "clocks.memory_max_megahertz",
    "power.limit_enforced_milliwatts",
    "partition.mig_mode",
    "partition.virtualization_mode",
    "reliability.ecc_enabled",
)
_OF_MACHINE: Final = (
    "nvml.driver_version",
    "nvml.device_count",
    "host.host_name",
    "host.machine_id_digest",
    "host.boot_id_digest",
    "host.kernel_release",
    "host.cpu_model",
    "host.cpu_logical_count",
    "host.memory_total_bytes",
    "host.container",
    "host.hypervisor",
    "environment.ld_so_preload",
    "environment.libraries",
    "environment.variables",
)
_MACHINE: Final = "this machine"


@entry
class Drift:
    """How far a rate may move between two audits without anything having changed."""

    fraction: Annotated[float, Field(gt=0, lt=1)]
    cited: tuple[Citation, ...]


@entry
class ComparisonTerms:
    """On which terms two audits are compared."""

    schema: Literal[1]
    drift: Drift


class ChangeKind(StrEnum):
    """What happened to something between two audits."""

    APPEARED = "appeared"
    VANISHED = "vanished"
    DIFFERENT = "different"
    FASTER = "faster"
    SLOWER = "slower"
    NO_LONGER_READ = "no-longer-read"
    NEWLY_READ = "newly-read"


@record
class Change:
    """One thing that is not what it was."""

    subject: str
    what: str
    kind: ChangeKind
    before: str
    after: str


@record
class Comparison:
    """Everything that differs between two audits. `compared` counts readings and rates that both have."""

    compared: int
    same_cards: int
    changes: tuple[Change, ...]


_Rates: TypeAlias = Mapping[tuple[tuple[str, ...], Task, Company], Reading["_Rate"]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rate:
    """A median rate and how far, relative to it, its 95 % interval reaches."""

    rate: float
    half_width: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pair:
    """One thing in both audits."""

    subject: str
    what: str
    before: Reading[Any]
    after: Reading[Any]


def comparison_terms() -> ComparisonTerms:
    """Read the terms that come with gpuaudit.

    Raises:
        MalformedFileError: The file is at fault; a test reads it.
    """
    return load_toml(ComparisonTerms, resources.files("gpuaudit.report").joinpath(_FILE).read_bytes(), place=_FILE)


def compare(before: EvidenceBundle, after: EvidenceBundle, terms: ComparisonTerms) -> Comparison:
    """Compare two audits; equal evidence gives no change."""
    first, second = _cards(before), _cards(after)
    both = [uuid for uuid in first if uuid in second]
    pairs = [*_machine_pairs(before, after), *(pair for uuid in both for pair in _device_pairs(first[uuid], second[uuid]))]
    changes = [*_moves(first, second), *(change for pair in pairs for change in _changed(pair))]
    named = {uuid: f"device {card.index}" for uuid, card in (first | second).items()}
    old, new = _rates(before), _rates(after)
    changes += _rate_changes(old, new, named, terms)
    return Comparison(compared=len(pairs) + len(old.keys() & new.keys()), same_cards=len(both), changes=tuple(changes))


def _cards(bundle: EvidenceBundle) -> dict[str, DeviceEvidence]:
    """Return cards by UUID; one without is known by its place, so that it is not taken for gone."""
    cards: dict[str, DeviceEvidence] = {}
    for device in bundle.nvml.devices:
        uuid = device.identity.uuid
        cards[uuid.value if isinstance(uuid, Known) else f"without UUID, device {device.index}"] = device
    return cards


def _moves(first: Mapping[str, DeviceEvidence], second: Mapping[str, DeviceEvidence]) -> Iterator[Change]:
    for uuid, card in first.items():
        if uuid not in second:
            yield _moved(uuid, card, ChangeKind.VANISHED)
    for uuid, card in second.items():
        if uuid not in first:
            yield _moved(uuid, card, ChangeKind.APPEARED)


def _moved(uuid: str, card: DeviceEvidence, kind: ChangeKind) -> Change:
    told = f"{shown(card.identity.name)} at {shown(card.pci.bus_id)}"
    gone = kind is ChangeKind.VANISHED
    return Change(
        subject=f"device {card.index}",
        what=quoted(uuid),
        kind=kind,
        before=told if gone else "not there",
        after="not there" if gone else told,
    )


def _machine_pairs(before: EvidenceBundle, after: EvidenceBundle) -> Iterator[_Pair]:
    for path in _OF_MACHINE:
        yield _Pair(subject=_MACHINE, what=_name(path), before=attrgetter(path)(before), after=attrgetter(path)(after))


def _device_pairs(before: DeviceEvidence, after: DeviceEvidence) -> Iterator[_Pair]:
    for path in _OF_DEVICE:
        yield _Pair(
            subject=f"device {before.index}", what=_name(path), before=attrgetter(path)(before), after=attrgetter(path)(after)
        )


def _name(path: str) -> str:
    return ".".join(map(camel_case, path.split(".")))


def _changed(pair: _Pair) -> Iterator[Change]:
    match pair.before, pair.after:
        case Known(value=old), Known(value=new):
            if old != new:
                yield _change(pair, ChangeKind.DIFFERENT)
        case Known(), _:
            yield _change(pair, ChangeKind.NO_LONGER_READ)
        case _, Known():
            yield _change(pair, ChangeKind.NEWLY_READ)
        case _:
            # Unknown both times: there is nothing to compare.
            return


def _change(pair: _Pair, kind: ChangeKind) -> Change:
    return Change(subject=pair.subject, what=pair.what, kind=kind, before=shown(pair.before), after=shown(pair.after))


def _rates(bundle: EvidenceBundle) -> _Rates:
    return {
        (_order(one), one.task, one.company): _rate(one)
        for one in bundle.measurements
        # How much memory was found free says nothing of the machine.
        if not isinstance(one.task, CapacityTask)
    }


def _order(measurement: Measurement) -> tuple[str, ...]:
    """Return the subjects so that one pair of cards is the same pair whoever comes first, unless that is the direction."""
    one_way = isinstance(measurement.task, PeerTask) and measurement.task.kind == "peer-one-way"
    return measurement.subjects if one_way else tuple(sorted(measurement.subjects))


def _rate(measurement: Measurement) -> Reading[_Rate]:
    samples = measurement.samples
    if isinstance(samples, Unknown):
        return samples
    try:
        rate = samples.value.median_rate()
    except ValueError as error:
        return Unknown(reason=Reason.FAULT, source=samples.source, detail=str(error))
    if not (math.isfinite(rate) and rate > 0):
        return Unknown(reason=Reason.FAULT, source=samples.source, detail=f"a rate of {rate}")
    return Known(value=_Rate(rate=rate, half_width=samples.value.half_width_relative), source=samples.source)


def _rate_changes(old: _Rates, new: _Rates, named: Mapping[str, str], terms: ComparisonTerms) -> Iterator[Change]:
    for key in old:
        if key in new:
            subjects, task, company = key
            who = " to ".join(named.get(one, "a card that is not listed") for one in subjects) or _MACHINE
            pair = _Pair(subject=who, what=f"{task_title(task)}, {company.value}", before=old[key], after=new[key])
            yield from _rate_change(pair, _unit(task), terms)


def _rate_change(pair: _Pair, unit: Unit, terms: ComparisonTerms) -> Iterator[Change]:
    before, after = (shown(reading, lambda one: show(one.rate, unit)) for reading in (pair.before, pair.after))
    change = Change(subject=pair.subject, what=pair.what, kind=ChangeKind.DIFFERENT, before=before, after=after)
    match pair.before, pair.after:
        case Known(value=_Rate() as old), Known(value=_Rate() as new):
            moved = math.log(new.rate / old.rate)
            # Added, not squared: the intervals of two runs on one warm card need not be independent.
            if abs(moved) > math.log1p(max(old.half_width + new.half_width, terms.drift.fraction)):
                kind = ChangeKind.FASTER if moved > 0 else ChangeKind.SLOWER
                yield replace(change, kind=kind, after=f"{after} ({math.expm1(moved):+.0%})")
        case Known(), Unknown():
            yield replace(change, kind=ChangeKind.NO_LONGER_READ)
        case Unknown(), Known():
            yield replace(change, kind=ChangeKind.NEWLY_READ)
        case _:
            return


def _unit(task: Task) -> Unit:
    return Unit.FLOP_PER_SECOND if isinstance(task, GemmTask) else Unit.BYTES_PER_SECOND
