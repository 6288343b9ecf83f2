"""PCI functions of NVIDIA, as the kernel lists them in `/sys/bus/pci/devices`: a way to the cards that does not pass NVML."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

from gpuaudit.attester.files import Tree, parsed
from gpuaudit.evidence.kernel import PciFunction
from gpuaudit.evidence.reading import Known, Reading, Reason, Source, Unknown
from gpuaudit.units import Bytes

_DEVICES: Final = "/sys/bus/pci/devices"
_NVIDIA: Final = 0x10DE
_BUS_ID: Final = re.compile(r"[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]")
_BARS: Final = 6
# A server with eight cards, each cut into 20 virtual functions, and its switches stays well below.
_MAX_FUNCTIONS: Final = 1024


def collect_pci(root: Path) -> Reading[tuple[PciFunction, ...]]:
    """List every PCI function of vendor 10de, of whatever class, in the order of bus ids.

    The list is Known only if it is whole: a function whose vendor or class cannot be read could be one of NVIDIA's, so that one
    such function makes the list Unknown. The kernel lets everyone read both, on every genuine machine.

    Args:
        root: Where the machine's file system begins.
    """
    tree = Tree(root=root, source=Source.PCI)
    names = tree.names(_DEVICES)
    if isinstance(names, Unknown):
        return names
    functions: list[PciFunction] = []
    for name in names.value:
        function = _function_if_nvidia(tree, name)
        if isinstance(function, Unknown):
            return function
        if function.value is not None:
            functions.append(function.value)
        if len(functions) > _MAX_FUNCTIONS:
            return tree.unknown(Reason.FAULT, f"{_DEVICES}: more than {_MAX_FUNCTIONS} functions of vendor 10de")
    return Known(value=tuple(functions), source=Source.PCI)


def _function_if_nvidia(tree: Tree, name: str) -> Reading[PciFunction | None]:
    """Return the function, or a known None if it is another vendor's."""
    folder = f"{_DEVICES}/{name}"
    if not _BUS_ID.fullmatch(name):
        return tree.unknown(Reason.FAULT, f"{_DEVICES}: {name[:40]!a} is not a bus id")
    vendor = parsed(tree.text(f"{folder}/vendor"), _hexadecimal)
    if isinstance(vendor, Unknown):
        return _of_listed(vendor)
    if vendor.value != _NVIDIA:
        return Known(value=None, source=Source.PCI)
    class_code = parsed(tree.text(f"{folder}/class"), _class_code)
    if isinstance(class_code, Unknown):
        return _of_listed(class_code)
    return Known(value=_function(tree, folder, name, class_code.value), source=Source.PCI)


def _function(tree: Tree, folder: str, bus_id: str, class_code: str) -> PciFunction:
    return PciFunction(
        bus_id=bus_id,
        class_code=class_code,
        device_id=_id_pair(tree, f"{folder}/vendor", f"{folder}/device"),
        subsystem_id=_id_pair(tree, f"{folder}/subsystem_vendor", f"{folder}/subsystem_device"),
        bar_sizes_bytes=parsed(tree.text(f"{folder}/resource"), _bar_sizes),
        link_speed_max=tree.text(f"{folder}/max_link_speed"),
        link_speed_current=tree.text(f"{folder}/current_link_speed"),
        link_width_max=parsed(tree.text(f"{folder}/max_link_width"), _decimal),
        link_width_current=parsed(tree.text(f"{folder}/current_link_width"), _decimal),
        driver=tree.link_name(f"{folder}/driver"),
        numa_node=parsed(tree.text(f"{folder}/numa_node"), _decimal),
        is_virtual_function=tree.exists(f"{folder}/physfn"),
    )


def _of_listed(unknown: Unknown) -> Unknown:
    """Keep "not found" for a bus that is not there: a listed function without its files is a fault."""
    reason = Reason.FAULT if unknown.reason is Reason.NOT_FOUND else unknown.reason
    return Unknown(reason=reason, source=unknown.source, detail=unknown.detail)


def _id_pair(tree: Tree, vendor_path: str, device_path: str) -> Reading[str]:
    vendor = parsed(tree.text(vendor_path), _hexadecimal)
    if isinstance(vendor, Unknown):
        return vendor
    return parsed(tree.text(device_path), lambda text: f"{vendor.value:04x}:{_hexadecimal(text):04x}")


def _hexadecimal(text: str) -> int:
    if not re.fullmatch(r"0x[0-9a-fA-F]{1,4}", text):
        raise ValueError(f"expected a hexadecimal number such as 0x10de, got {text[:40]!a}")
    return int(text, 16)


def _class_code(text: str) -> str:
    if not re.fullmatch(r"0x[0-9a-fA-F]{6}", text):
        raise ValueError(f"expected a class such as 0x030200, got {text[:40]!a}")
    return text[2:].lower()


def _decimal(text: str) -> int:
    # The kernel writes -1 for a function that belongs to no NUMA node.
    if not re.fullmatch(r"-?[0-9]{1,9}", text):
        raise ValueError(f"expected a whole number, got {text[:40]!a}")
    return int(text)


def _bar_sizes(text: str) -> tuple[Bytes, ...]:
    """Read the sizes of BAR 0 to 5; 0 where there is none.

    One line per resource with first address, last address and flags, the six BARs first (Documentation/PCI/sysfs-pci.rst of the
    kernel). A 64-bit BAR takes two lines, the second of which is zero.
    """
    lines = text.splitlines()
    if len(lines) < _BARS:
        raise ValueError(f"expected at least {_BARS} resources, got {len(lines)}")
    return tuple(_bar_size(line) for line in lines[:_BARS])


def _bar_size(line: str) -> Bytes:
    matched = re.fullmatch(r"0x([0-9a-f]{1,16}) 0x([0-9a-f]{1,16}) 0x([0-9a-f]{1,16})", line.strip())
    if matched is None:
        raise ValueError(f"expected three addresses, got {line[:80]!a}")
    first, last, flags = (int(part, 16) for part in matched.groups())
    if flags == 0:
        return Bytes(0)
    if last < first:
        raise ValueError(f"expected a last address that is not below the first, got {line[:80]!a}")
    return Bytes(last - first + 1)
