"""Counting devices and servers. Counts are monotone: what is shown beyond the claim never hurts, or hiding it would help."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final, TypeAlias

from gpuaudit.appraisal.case import is_placeholder
from gpuaudit.appraisal.result import Verdict
from gpuaudit.evidence.bundle import EvidenceBundle
from gpuaudit.evidence.device import DeviceEvidence
from gpuaudit.evidence.kernel import PciFunction
from gpuaudit.evidence.reading import Known, Reason, Unknown
from gpuaudit.tender.model import AtLeast, Count, Exactly, HardwareLine, MoreThan, Unsaid

# PCI base class 03: display controllers, which data-centre GPUs are too (0302xx, 3D controller).
_DISPLAY: Final = "03"

_NOTHING: Final = "nothing"

Judged: TypeAlias = tuple[DeviceEvidence, Verdict]


class Key(Enum):
    """What tells one card from another."""

    BOTH = auto()
    UUID = auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Distinct devices of one machine by verdict.

    `all_seen` holds only if NVML and the PCI bus were both read and agree on the number: then, and only then, is what was not
    shown not there.
    """

    name: str
    good: int
    open: int
    bad: int
    all_seen: bool

    @property
    def seen(self) -> int:
        """How many distinct devices were seen."""
        return self.good + self.open + self.bad


@dataclass(frozen=True, slots=True, kw_only=True)
class Fold:
    """A verdict on a line with the words that belong beside it."""

    verdict: Verdict
    reason: str


def tally(name: str, judged: Iterable[Judged], bundle: EvidenceBundle, *, key: Key = Key.BOTH) -> Tally:
    """Count the cards of one machine by verdict.

    Args:
        name: Of the machine.
        judged: Each device with its verdict.
        bundle: The machine's evidence.
        key: What tells one card from another: for readings that are joined by UUID alone, that alone.
    """
    devices = tuple(judged)
    every = [device for device, _ in devices]
    good = [device for device, verdict in devices if verdict is Verdict.CONFIRMED]
    possible = [device for device, verdict in devices if verdict is not Verdict.REFUTED]
    seen = count_cards(every, key)
    confirmed, left = count_cards(good, key), count_cards(possible, key)
    return Tally(
        name=name,
        good=confirmed,
        open=left - confirmed,
        bad=max(0, seen - left),
        all_seen=all_devices_seen(bundle, seen if key is Key.BOTH else count_cards(every)),
    )


def count_cards(devices: Sequence[DeviceEvidence], key: Key = Key.BOTH) -> int:
    """Return the largest number of these devices of which no two share a UUID or a bus id.

    Counting the largest such set, rather than merging whatever shares something, keeps the law: a device that is left out can only
    make it smaller. Devices are edges between UUIDs and bus ids, and the number is that of a maximum matching. What could not be
    read, and an all-zero UUID, which is a scrubbed one, is like no other.
    """
    ways: dict[str, list[str]] = {}
    for place, device in enumerate(devices):
        uuid, bus = _uuid_of(device, place), _bus_of(device, place)
        ways.setdefault(uuid, []).append(bus if key is Key.BOTH else uuid)
    taken: dict[str, str] = {}
    return sum(_finds_a_bus(uuid, ways, taken, set()) for uuid in ways)


def _finds_a_bus(uuid: str, ways: Mapping[str, Sequence[str]], taken: dict[str, str], tried: set[str]) -> bool:
    """Give `uuid` a bus id of its own, moving others to another one of theirs where need be (Kuhn's algorithm)."""
    for bus in ways[uuid]:
        if bus in tried:
            continue
        tried.add(bus)
        if bus not in taken or _finds_a_bus(taken[bus], ways, taken, tried):
            taken[bus] = uuid
            return True
    return False


def all_devices_seen(bundle: EvidenceBundle, count: int) -> bool:
    """Whether NVML and the PCI bus were both read and agree that there are `count` devices, and no other trace speaks against it.

    Without NVML this holds only for a machine with no trace of an NVIDIA device at all. A GPU under WSL2 has no PCI device and
    shows as `/dev/dxg`. `/dev/nvidiactl` alone is no trace: the library itself makes it when root asks, driver or not.
    """
    functions = bundle.kernel.pci_functions
    if isinstance(functions, Unknown):
        return False
    on_bus = sum(_is_gpu(function) for function in functions.value)
    told = bundle.nvml.device_count
    if isinstance(told, Known):
        return told.value == len(bundle.nvml.devices) and count == on_bus and (count > 0 or not _traces(bundle))
    return told.reason is Reason.NOT_FOUND and count == on_bus == 0 and not _traces(bundle)


def fold(line: HardwareLine, tallies: Sequence[Tally], *, complete: bool) -> Fold:
    """Fold the machines that were shown into one verdict on the line.

    Args:
        line: The line.
        tallies: One per machine, devices that appear on several already removed.
        complete: Whether somebody vouches that these are all the machines there are.
    """
    if not isinstance(line.total, Unsaid):
        return _fold_total(line, tallies, complete=complete)
    needed = least(line.per_server)
    good = [one for one in tallies if one.good >= needed]
    bad = [one for one in tallies if one.all_seen and one.good + one.open < needed]
    if isinstance(line.servers, Unsaid):
        return _fold_any_server(line, tallies, len(good), len(bad), complete=complete)
    return _fold_servers(line, tallies, good, bad, complete=complete)


def least(count: Count) -> int:
    """Return the smallest number that satisfies the count; what is unsaid is at least one."""
    match count:
        case Exactly(n=n) | AtLeast(n=n):
            return n
        case MoreThan(n=n):
            return n + 1
        case Unsaid():
            return 1


def said(count: Count) -> str:
    """Write the count as the document says it."""
    match count:
        case Exactly(n=n):
            return f"{n:,}"
        case AtLeast(n=n):
            return f"at least {n:,}"
        case MoreThan(n=n):
            return f"more than {n:,}"
        case Unsaid():
            return "an unsaid number of"


def _fold_total(line: HardwareLine, tallies: Sequence[Tally], *, complete: bool) -> Fold:
    good = sum(one.good for one in tallies)
    possible = good + sum(one.open for one in tallies)
    wanted = least(line.total)
    named = line.product.named
    if good >= wanted:
        return Fold(verdict=Verdict.CONFIRMED, reason=f"{good:,} {named} seen, {said(line.total)} claimed")
    reason = (
        f"no {named} seen" if wanted == 1 and possible == 0 else f"{good:,} of {said(line.total)} {named} seen and confirmed"
    )
    if complete and all(one.all_seen for one in tallies) and possible < wanted:
        return Fold(verdict=Verdict.REFUTED, reason=f"{reason}, and the machines shown are said to be all")
    if not any(one.seen for one in tallies):
        reason = "no accelerator found"
    return Fold(verdict=Verdict.INCONCLUSIVE, reason=reason)


def _fold_servers(
    line: HardwareLine, tallies: Sequence[Tally], good: Sequence[Tally], bad: Sequence[Tally], *, complete: bool
) -> Fold:
    """Fold a line that says how many servers there are: each of them must be good, and enough good ones outweigh a bad one."""
    wanted = least(line.servers)
    if len(good) >= wanted:
        return Fold(verdict=Verdict.CONFIRMED, reason=_reached(line, tallies, len(good)))
    if bad:
        return Fold(verdict=Verdict.REFUTED, reason=_falls_short(line, bad[0], alone=len(tallies) == 1))
    counted = f"{len(good)} of {said(line.servers)} servers"
    if complete and len(tallies) < wanted:
        return Fold(verdict=Verdict.REFUTED, reason=f"{counted} seen and confirmed, and those shown are said to be all")
    if wanted == 1:
        return Fold(verdict=Verdict.INCONCLUSIVE, reason=_open(line, tallies))
    return Fold(verdict=Verdict.INCONCLUSIVE, reason=f"{counted} seen and confirmed")


def _fold_any_server(line: HardwareLine, tallies: Sequence[Tally], good: int, bad: int, *, complete: bool) -> Fold:
    if good:
        return Fold(verdict=Verdict.CONFIRMED, reason=_reached(line, tallies, good))
    if complete and tallies and bad == len(tallies):
        return Fold(verdict=Verdict.REFUTED, reason=f"{_open(line, tallies)}, and the machines shown are said to be all")
    return Fold(verdict=Verdict.INCONCLUSIVE, reason=_open(line, tallies))


def _reached(line: HardwareLine, tallies: Sequence[Tally], good: int) -> str:
    named = line.product.named
    if len(tallies) == 1:
        surplus = tallies[0].seen - least(line.per_server)
        more = f", {surplus} more devices noted" if surplus > 0 and not isinstance(line.per_server, Unsaid) else ""
        return f"{tallies[0].good} of {tallies[0].seen} devices are {named}{more}"
    return f"{good:,} servers with {said(line.per_server)} {named} each, {said(line.servers)} claimed"


def _falls_short(line: HardwareLine, machine: Tally, *, alone: bool) -> str:
    """Say what a server lacks; where several were shown, say which."""
    named = line.product.named
    if machine.seen == 0:
        return f"no accelerator found, {said(line.per_server)} {named} claimed"
    most = machine.good + machine.open
    short = f"{most if machine.good == most else f'at most {most}'} of {said(line.per_server)} {named}"
    place = "" if alone else f"{machine.name}: "
    if not machine.bad:
        return f"{place}{short}, and there are no other devices"
    return f"{place}{short}; {machine.bad} of {machine.seen} devices do not fit, and there are no others"


def _open(line: HardwareLine, tallies: Sequence[Tally]) -> str:
    named = line.product.named
    seen = sum(one.seen for one in tallies)
    if not seen:
        return "no accelerator found"
    good = sum(one.good for one in tallies)
    unsure = sum(one.open for one in tallies)
    return f"{good} of {said(line.per_server)} {named} confirmed, {unsure} of {seen} devices undetermined"


def _uuid_of(device: DeviceEvidence, place: int) -> str:
    uuid = device.identity.uuid
    return f"uuid {uuid.value}" if isinstance(uuid, Known) and not is_placeholder(uuid.value) else f"{_NOTHING} uuid {place}"


def _bus_of(device: DeviceEvidence, place: int) -> str:
    bus = device.pci.bus_id
    return f"bus {bus.value}" if isinstance(bus, Known) else f"{_NOTHING} bus {place}"


def _is_gpu(function: PciFunction) -> bool:
    virtual = function.is_virtual_function
    return function.class_code.startswith(_DISPLAY) and not (isinstance(virtual, Known) and virtual.value)


def _traces(bundle: EvidenceBundle) -> bool:
    """Whether device files speak of an accelerator; files that could not be read might."""
    files, dxg = bundle.kernel.device_files, bundle.kernel.dxg_present
    if isinstance(files, Unknown) or isinstance(dxg, Unknown):
        return not (
            isinstance(files, Unknown) and files.reason is Reason.NOT_FOUND and isinstance(dxg, Known) and not dxg.value
        )
    numbered = (name for name in files.value if name.rsplit("/", 1)[-1].removeprefix("nvidia").isdigit())
    return dxg.value or any(True for _ in numbered)
