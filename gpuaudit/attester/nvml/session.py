"""Collects everything that NVML tells, once, in bounded time, whatever it answers."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import closing
from typing import Any, Final

from gpuaudit.attester.nvml.answers import malformed, number
from gpuaudit.attester.nvml.condition import read_partition, read_reliability
from gpuaudit.attester.nvml.identity import read_firmware, read_identity, read_pci
from gpuaudit.attester.nvml.nvlink import read_nvlinks
from gpuaudit.attester.nvml.processes import read_processes
from gpuaudit.attester.nvml.read import Reader
from gpuaudit.attester.nvml.resources import read_clocks, read_memory, read_power
from gpuaudit.attester.nvml.system import SystemReadings, read_system
from gpuaudit.attester.nvml.watchdog import NvmlLimits, Watchdog
from gpuaudit.attester.unread import unread
from gpuaudit.evidence.device import (
    ClockReadings,
    DeviceEvidence,
    FirmwareReadings,
    IdentityReadings,
    MemoryReadings,
    NvmlEvidence,
    PartitionReadings,
    PciReadings,
    PowerReadings,
    ProcessReadings,
    ReliabilityReadings,
)
from gpuaudit.evidence.reading import Known, Reading, Unknown

# No server has more GPUs; a library that counts thousands of millions must not fill the evidence.
_DEVICES_MAX: Final = 256

_DEFAULT_LIMITS: Final = NvmlLimits()


def collect_nvml(limits: NvmlLimits = _DEFAULT_LIMITS) -> NvmlEvidence:
    """Ask NVML about the system and about every device that it counts, in its order.

    A device that cannot be opened is listed with every reading Unknown for that reason: seven cards and a gap are not seven
    cards. Where NVML does not start, every reading carries that one reason and there are no devices. Where the number of
    devices is Unknown, those up to the first that cannot be opened are listed.

    NVML counts how often it was started, and is shut down as often as started: other users of it in this process are not
    disturbed. Call it before any work runs on the devices, since it reads what else runs there.

    Args:
        limits: How long NVML may take, in all and for one call.
    """
    with closing(Watchdog(limits)) as watchdog:
        reader = Reader(watchdog, limits)
        started = reader.start()
        if isinstance(started, Unknown):
            return _not_started(started)
        evidence = _collect(reader, watchdog, limits)
        reader.read("nvmlShutdown", of=lambda answer: answer)
        return evidence


def _collect(reader: Reader, watchdog: Watchdog, limits: NvmlLimits) -> NvmlEvidence:
    system = read_system(reader)
    count = reader.read("nvmlDeviceGetCount", of=_device_count)
    opened = _open_all(reader, count)
    devices = tuple(_device(Reader(watchdog, limits), index, handle) for index, handle in enumerate(opened))
    return _evidence(system, count, devices)


def _open_all(reader: Reader, count: Reading[int]) -> tuple[Reading[Any], ...]:
    if isinstance(count, Known):
        return tuple(_open(reader, index) for index in range(count.value))
    return tuple(_until_refused(reader))


def _until_refused(reader: Reader) -> Iterator[Reading[Any]]:
    for index in range(_DEVICES_MAX):
        handle = _open(reader, index)
        if isinstance(handle, Unknown):
            return
        yield handle


def _open(reader: Reader, index: int) -> Reading[Any]:
    return reader.read("nvmlDeviceGetHandleByIndex", index, of=lambda handle: handle)


def _device(reader: Reader, index: int, opened: Reading[Any]) -> DeviceEvidence:
    if isinstance(opened, Unknown):
        return _unopened(index, opened)
    handle = opened.value
    return DeviceEvidence(
        index=index,
        identity=read_identity(reader, handle),
        pci=read_pci(reader, handle),
        firmware=read_firmware(reader, handle),
        memory=read_memory(reader, handle),
        clocks=read_clocks(reader, handle),
        power=read_power(reader, handle),
        reliability=read_reliability(reader, handle),
        partition=read_partition(reader, handle),
        nvlinks=read_nvlinks(reader, handle),
        processes=read_processes(reader, handle),
    )


def _unopened(index: int, why: Unknown) -> DeviceEvidence:
    return DeviceEvidence(
        index=index,
        identity=unread(IdentityReadings, why),
        pci=unread(PciReadings, why),
        firmware=unread(FirmwareReadings, why),
        memory=unread(MemoryReadings, why),
        clocks=unread(ClockReadings, why),
        power=unread(PowerReadings, why),
        reliability=unread(ReliabilityReadings, why),
        partition=unread(PartitionReadings, why),
        nvlinks=why,
        processes=unread(ProcessReadings, why),
    )


def _not_started(cause: Unknown) -> NvmlEvidence:
    why = dataclasses.replace(cause, detail=f"NVML did not start: {cause.detail}")
    return _evidence(unread(SystemReadings, why), why, ())


def _evidence(system: SystemReadings, count: Reading[int], devices: tuple[DeviceEvidence, ...]) -> NvmlEvidence:
    return NvmlEvidence(
        driver_version=system.driver_version,
        nvml_version=system.nvml_version,
        cuda_driver_version=system.cuda_driver_version,
        confidential_compute_feature=system.confidential_compute_feature,
        device_count=count,
        devices=devices,
    )


def _device_count(answer: Any) -> int:
    count = number(answer)
    if not 0 <= count <= _DEVICES_MAX:
        raise malformed(f"at most {_DEVICES_MAX} devices", count)
    return count
