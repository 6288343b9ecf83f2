"""What runs on a device: how many processes and how much memory, never who."""

from __future__ import annotations

from typing import Any, Final, TypeAlias

from gpuaudit.attester.nvml.direct import Process, running_processes
from gpuaudit.attester.nvml.read import Reader, unless_missing
from gpuaudit.evidence.device import ProcessReadings
from gpuaudit.evidence.reading import Known, Reading, Reason, Source, Unknown
from gpuaudit.units import Bytes

# NVML_VALUE_NOT_AVAILABLE of nvml.h.
_NOT_AVAILABLE: Final = 2**64 - 1

_Running: TypeAlias = Reading[tuple[Process, ...]]


def read_processes(reader: Reader, device: Any) -> ProcessReadings:
    """Ask what runs on the device, this process included if it has work there; inside a container only its own are seen."""
    compute = _running(reader, device, "nvmlDeviceGetComputeRunningProcesses")
    graphics = _running(reader, device, "nvmlDeviceGetGraphicsRunningProcesses")
    return ProcessReadings(
        compute_count=_count(compute),
        graphics_count=_count(graphics),
        used_bytes=_used_bytes(compute, graphics),
    )


def _running(reader: Reader, device: Any, function: str) -> _Running:
    # Version 2 first: some drivers of 2023 gave version 3 longer entries without a new name.
    # https://github.com/XuehaiPan/nvitop/pull/89 (2026-11-23)
    settled, newest = f"{function}_v2", f"{function}_v3"
    return unless_missing(
        reader.ask(settled, lambda: running_processes(settled, device)),
        lambda: reader.ask(newest, lambda: running_processes(newest, device)),
    )


def _count(running: _Running) -> Reading[int]:
    if isinstance(running, Unknown):
        return running
    return Known(value=len(running.value), source=Source.NVML)


def _used_bytes(compute: _Running, graphics: _Running) -> Reading[Bytes]:
    if isinstance(compute, Unknown):
        return compute
    if isinstance(graphics, Unknown):
        return graphics
    # A process that computes and draws is in both lists, with the same memory.
    computing = {process.pid for process in compute.value}
    processes = (*compute.value, *(process for process in graphics.value if process.pid not in computing))
    if any(process.used_bytes == _NOT_AVAILABLE for process in processes):
        detail = "NVML lists processes but not the memory that they use"
        return Unknown(reason=Reason.NOT_SUPPORTED, source=Source.NVML, detail=detail)
    return Known(value=Bytes(sum(process.used_bytes for process in processes)), source=Source.NVML)
