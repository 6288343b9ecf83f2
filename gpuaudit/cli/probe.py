"""`gpuaudit probe`."""

from __future__ import annotations

import json
from typing import Final

from gpuaudit.cli import console
from gpuaudit.cli.collect import SIMULATED_HEAD, collect_identity
from gpuaudit.cli.commands import command_app
from gpuaudit.cli.format import Format, as_json, as_table, shown
from gpuaudit.cli.options import AdversaryOption, FormatOption, QuietOption, SimulateOption
from gpuaudit.evidence.bundle import EvidenceBundle, Origin
from gpuaudit.evidence.codec import encode
from gpuaudit.evidence.device import DeviceEvidence
from gpuaudit.units import Bytes

app = command_app()

# Two tables, as in a report: one with all of it would be wider than most terminals.
_WHAT: Final = ("device", "name", "memory", "PCI id")
_WHICH: Final = ("device", "bus id", "UUID")


@app.command()
def probe(
    simulate: SimulateOption = "",
    adversary: AdversaryOption = "",
    format_: FormatOption = Format.TEXT,
    quiet: QuietOption = False,
) -> None:
    """Show what the machine says about its GPUs; measures nothing.

    What it says is not what it is: see `attest` and `appraise`. JSON holds every
    reading, also those that the table leaves out.

    Example: gpuaudit probe --simulate a100-sxm4-80gb:8

    Exit status: 0 done, also where there is no GPU, 2 wrong usage.
    """
    console.hush(quiet=quiet)
    bundle = collect_identity(simulate, adversary)
    console.result(as_json(json.loads(encode(bundle))) if format_ is Format.JSON else _as_text(bundle))


def _as_text(bundle: EvidenceBundle) -> str:
    head = [SIMULATED_HEAD] if bundle.origin is Origin.SIMULATED else []
    sources = [
        f"driver        {shown(bundle.nvml.driver_version)}",
        f"NVML counts   {shown(bundle.nvml.device_count)}",
        f"PCI bus       {shown(bundle.kernel.pci_functions, lambda functions: f'{len(functions)} functions of NVIDIA')}",
        f"device files  {shown(bundle.kernel.device_files, lambda names: ', '.join(names) or 'none')}",
        f"torch         {shown(bundle.torch.devices, lambda devices: f'{len(devices)} devices')}",
    ]
    devices = bundle.nvml.devices
    tables = ["", as_table(_WHAT, list(map(_what, devices))), "", as_table(_WHICH, list(map(_which, devices)))]
    return "\n".join([*head, *sources, *(tables if devices else ())])


def _what(device: DeviceEvidence) -> tuple[str, ...]:
    return (
        str(device.index),
        shown(device.identity.name),
        shown(device.memory.total_bytes, _in_mebibytes),
        shown(device.pci.device_id),
    )


def _which(device: DeviceEvidence) -> tuple[str, ...]:
    return (str(device.index), shown(device.pci.bus_id), shown(device.identity.uuid))


def _in_mebibytes(size: Bytes) -> str:
    return f"{size / 2**20:.0f} MiB"
