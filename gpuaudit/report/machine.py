"""The sections that the evidence gives: the cards, the machine around them, and what was not read."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator, Mapping, Sequence

from gpuaudit.appraisal.amount import Unit, show
from gpuaudit.evidence.bundle import EvidenceBundle
from gpuaudit.evidence.device import DeviceEvidence
from gpuaudit.evidence.measurement import Measurement, quantity
from gpuaudit.evidence.reading import Known, Unknown
from gpuaudit.evidence.record import camel_case
from gpuaudit.report.quoting import listed, quoted, sentence, shown, spoken
from gpuaudit.report.view import Block, Fact, Facts, Section, Table


def device_section(bundle: EvidenceBundle) -> Section:
    """Show what each card says of itself, cards that say the same in one row."""
    devices = bundle.nvml.devices
    what = (
        "device",
        "name",
        "PCI device",
        "subsystem",
        "memory",
        "bus",
        "cores",
        "SM clock",
        "power limit",
        "NVLinks",
        "VBIOS",
    )
    which = ("device", "UUID", "serial", "PCI bus id", "others' processes")
    blocks: tuple[Block, ...] = (
        Table(caption="What they are", header=what, rows=_alike({one.index: _what(one) for one in devices})),
        Table(caption="Which they are", header=which, rows=tuple((f"device {one.index}", *_which(one)) for one in devices)),
    )
    title = f"The cards in their own words: {shown(bundle.nvml.device_count)} counted by NVML"
    return Section(id="devices", title=title, brief=False, blocks=blocks if devices else ())


def environment_section(bundle: EvidenceBundle) -> Section:
    """Show the machine around the cards, and what stood between them and the reader."""
    host, environment = bundle.host, bundle.environment
    facts = {
        "origin of the evidence": f"{bundle.origin.value}: {sentence(bundle.origin_detail)}",
        "driver, as NVML and the kernel say": f"{shown(bundle.nvml.driver_version)}; {shown(bundle.kernel.driver_version)}",
        "torch": shown(bundle.torch.version),
        "host name": shown(host.host_name),
        "system": f"{shown(host.operating_system)}; kernel {shown(host.kernel_release)}",
        "processor": f"{shown(host.cpu_model)}; {shown(host.cpu_logical_count)} logical",
        "memory": shown(host.memory_total_bytes, lambda size: show(size, Unit.BYTES)),
        "container": shown(host.container),
        "hypervisor": shown(host.hypervisor),
        "maker and model": f"{shown(host.dmi_vendor)}; {shown(host.dmi_product)}",
        "Python": shown(environment.python_version),
        "/etc/ld.so.preload": shown(environment.ld_so_preload),
        "libraries mapped": shown(environment.libraries, lambda many: _many(one.path for one in many)),
        "variables that matter": shown(environment.variables, lambda many: _many(f"{one.name}={one.value}" for one in many)),
        "mounts over what was read": shown(environment.mounts, lambda many: _many(one.mount_point for one in many)),
        "start-up hooks of Python": shown(environment.python_hooks, _many),
    }
    items = tuple(Fact(label=label, value=value) for label, value in facts.items())
    return Section(id="environment", title="The machine around the cards", brief=False, blocks=(Facts(items=items),))


def unread_section(bundle: EvidenceBundle) -> Section:
    """List everything that has no value, with the reason; what is alike stands in one row."""
    indexes = {one.identity.uuid.value: one.index for one in bundle.nvml.devices if isinstance(one.identity.uuid, Known)}
    groups: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for path, subject, unknown in _unknown(bundle, "", "", indexes):
        groups.setdefault((path, unknown.reason.value), []).append((subject, unknown.detail))
    rows = tuple(
        (
            quoted(path),
            _whose([who for who, _ in found]),
            reason,
            _many(sentence(why) for why in dict.fromkeys(why for _, why in found)),
        )
        for (path, reason), found in groups.items()
    )
    table = Table(caption="Readings without a value", header=("reading", "of", "reason", "detail"), rows=rows)
    return Section(id="unread", title="What was not read, and why", brief=False, blocks=(table,) if rows else ())


def _alike(cells: Mapping[int, tuple[str, ...]]) -> tuple[tuple[str, ...], ...]:
    groups: dict[tuple[str, ...], list[str]] = {}
    for index, row in cells.items():
        groups.setdefault(row, []).append(f"device {index}")
    return tuple((spoken(who), *row) for row, who in groups.items())


def _what(one: DeviceEvidence) -> tuple[str, ...]:
    return (
        shown(one.identity.name),
        shown(one.pci.device_id),
        shown(one.pci.subsystem_id),
        shown(one.memory.total_bytes, lambda size: show(size, Unit.BYTES)),
        shown(one.memory.bus_width_bits, lambda width: show(width, Unit.BITS)),
        shown(one.identity.gpu_core_count),
        shown(one.clocks.sm_max_megahertz, lambda clock: show(clock, Unit.MEGAHERTZ)),
        shown(one.power.limit_enforced_milliwatts, lambda limit: show(limit, Unit.MILLIWATTS)),
        shown(one.nvlinks, lambda links: str(len(links))),
        shown(one.firmware.vbios_version),
    )


def _which(one: DeviceEvidence) -> tuple[str, ...]:
    return (
        shown(one.identity.uuid),
        shown(one.identity.serial),
        shown(one.pci.bus_id),
        shown(one.processes.compute_count),
    )


def _many(items: Iterable[str]) -> str:
    return listed(items) or "none"


def _unknown(value: object, path: str, subject: str, indexes: Mapping[str, int]) -> Iterator[tuple[str, str, Unknown]]:
    """Yield every Unknown below `value` with its path in the JSON and whose it is."""
    match value:
        case Unknown():
            yield path, subject, value
        case Known(value=known):
            yield from _unknown(known, path, subject, indexes)
        case tuple():
            for position, item in enumerate(value):
                yield from _unknown(item, f"{path}[]", subject or f"entry {position}", indexes)
        case _ if dataclasses.is_dataclass(value):
            whose, place = _place(value, path, subject, indexes)
            for field in dataclasses.fields(value):
                inner = f"{place}.{camel_case(field.name)}".removeprefix(".")
                yield from _unknown(getattr(value, field.name), inner, whose, indexes)
        case _:
            return


def _place(value: object, path: str, subject: str, indexes: Mapping[str, int]) -> tuple[str, str]:
    """Name the device, or what was measured, on the way down."""
    match value:
        case DeviceEvidence():
            return f"device {value.index}", "device"
        case Measurement(subjects=(uuid,)) if uuid in indexes:
            return f"device {indexes[uuid]}", quantity(value)
        case Measurement():
            return f"{len(value.subjects)} devices", quantity(value)
        case _:
            return subject, path


def _whose(subjects: Sequence[str]) -> str:
    distinct = tuple(dict.fromkeys(subjects))
    if all(one.startswith("device ") for one in distinct):
        return spoken(distinct)
    return "this machine" if distinct == ("",) else f"{len(subjects)} of them"
