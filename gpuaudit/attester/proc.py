"""What the NVIDIA kernel module tells in `/proc/driver/nvidia`. Some clouds hide it; whoever owns the kernel can write it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from gpuaudit.attester.files import Tree, parsed
from gpuaudit.evidence.kernel import ProcGpu
from gpuaudit.evidence.reading import Known, Reading, Reason, Source, Unknown

_VERSION: Final = "/proc/driver/nvidia/version"
_GPUS: Final = "/proc/driver/nvidia/gpus"
_MAX_GPUS: Final = 128
# The closed module writes "Kernel Module  535.54.03", the open one "Open Kernel Module for x86_64  570.148.08".
_NVRM: Final = re.compile(r"^NVRM version:.*?Kernel Module(?: for \S+)?\s+(\d+(?:\.\d+){1,3})(?=\s|$)", re.MULTILINE)


def collect_driver_version(root: Path) -> Reading[str]:
    """Read the version of the loaded kernel module, as `535.54.03`.

    Args:
        root: Where the machine's file system begins.
    """
    tree = Tree(root=root, source=Source.PROC)
    return parsed(tree.text(_VERSION), _driver_version)


def collect_proc_gpus(root: Path) -> Reading[tuple[ProcGpu, ...]]:
    """List the cards that the kernel module drives, in the order of bus ids.

    Args:
        root: Where the machine's file system begins.
    """
    tree = Tree(root=root, source=Source.PROC)
    names = tree.names(_GPUS)
    if isinstance(names, Unknown):
        return names
    if len(names.value) > _MAX_GPUS:
        return tree.unknown(Reason.FAULT, f"{_GPUS}: more than {_MAX_GPUS} entries")
    strange = next((name for name in names.value if not re.fullmatch(r"[0-9a-fA-F:.]{7,20}", name)), None)
    if strange is not None:
        return tree.unknown(Reason.FAULT, f"{_GPUS}: {strange[:40]!a} is not a bus id")
    return Known(value=tuple(_gpu(tree, name) for name in names.value), source=Source.PROC)


def _gpu(tree: Tree, name: str) -> ProcGpu:
    path = f"{_GPUS}/{name}/information"
    fields = parsed(tree.text(path), _fields)
    return ProcGpu(
        bus_id=name,
        model=_field(fields, path, "Model"),
        uuid=_field(fields, path, "GPU UUID"),
        video_bios=_field(fields, path, "Video BIOS"),
        device_minor=parsed(_field(fields, path, "Device Minor"), _minor),
    )


def _driver_version(text: str) -> str:
    matched = _NVRM.search(text)
    if matched is None:
        raise ValueError(f"{_VERSION}: expected a line with NVRM version, got {text[:60]!a}")
    return matched.group(1)


def _fields(text: str) -> Mapping[str, str]:
    fields: dict[str, str] = {}
    for line in text.splitlines():
        name, colon, value = line.partition(":")
        if not colon:
            raise ValueError(f"expected lines of name and value, got {line[:60]!a}")
        if fields.setdefault(name.strip(), value.strip()) != value.strip():
            raise ValueError(f"{name.strip()[:40]!a} is given twice, differently")
    return fields


def _field(fields: Reading[Mapping[str, str]], path: str, name: str) -> Reading[str]:
    if isinstance(fields, Unknown):
        return fields
    value = fields.value.get(name, "")
    if not value:
        return Unknown(reason=Reason.NOT_FOUND, source=Source.PROC, detail=f"{path}: no {name}")
    if "??" in value or value == "Unknown":
        # The module writes question marks until the card has been opened once.
        return Unknown(reason=Reason.NOT_FOUND, source=Source.PROC, detail=f"{path}: {name} is {value!a}: not initialised yet")
    return Known(value=value, source=Source.PROC)


def _minor(text: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise ValueError(f"Device Minor: expected a whole number, got {text[:40]!a}")
    return int(text)
