"""Turns pynvml's answers into values of the evidence, or says that they make no sense.

The library beneath may be anyone's. An answer without the form that nvml.h promises is a `MalformedAnswerError`, never a guess;
one that has the form is kept as it is, however unlikely.
"""

from __future__ import annotations

import re
from typing import Any, Final

from gpuaudit.evidence.device import MigMode, VirtualizationMode

_BUS_ID: Final = re.compile(r"[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]")
_SHOWN: Final = 60

# In the order of nvmlGpuVirtualizationMode_t in nvml.h.
_VIRTUALIZATION_MODES: Final = (
    VirtualizationMode.NONE,
    VirtualizationMode.PASSTHROUGH,
    VirtualizationMode.VGPU,
    VirtualizationMode.HOST_VGPU,
    VirtualizationMode.HOST_VSGA,
)


class MalformedAnswerError(ValueError):
    """NVML answered with success, and with something that its header does not allow."""


def malformed(expected: str, answer: object) -> MalformedAnswerError:
    """Say what was expected and what came, shortened: the answer may be of any length."""
    return MalformedAnswerError(f"got {ascii(answer)[:_SHOWN]}, expected {expected}")


def text(answer: Any) -> str:
    """Take text as it is. pynvml gives the GSP firmware version as bytes, all else as str."""
    decoded = answer.decode("utf-8") if isinstance(answer, bytes) else answer
    if not isinstance(decoded, str):
        raise malformed("text", answer)
    return decoded


def number(answer: Any) -> int:
    """Take a whole number as it is."""
    if not isinstance(answer, int) or isinstance(answer, bool):
        raise malformed("a whole number", answer)
    return answer


def flag(answer: Any) -> bool:
    """Take nvmlEnableState_t: 0 or 1."""
    if answer not in (0, 1):
        raise malformed("0 or 1", answer)
    return bool(answer)


def bus_id(pci_info: Any) -> str:
    """Take the bus id in lower case, `dddddddd:bb:dd.f`: NVML writes the domain with eight digits, the kernel with four."""
    found: str = text(pci_info.busId).lower()
    if not _BUS_ID.fullmatch(found):
        raise malformed("a PCI bus id", found)
    return found


def device_id(pci_info: Any) -> str:
    """Take the PCI device id as `vvvv:dddd`; NVML packs the device above the vendor."""
    return _pci_id(number(pci_info.pciDeviceId))


def subsystem_id(pci_info: Any) -> str:
    """Take the PCI subsystem id as `vvvv:dddd`."""
    return _pci_id(number(pci_info.pciSubSystemId))


def compute_capability(answer: Any) -> str:
    """Take (major, minor) as `major.minor`."""
    major, minor = answer
    if number(major) < 0 or number(minor) < 0:
        raise malformed("a compute capability", answer)
    return f"{major}.{minor}"


def mig_mode(answer: Any) -> MigMode:
    """Take the current mode; the second one is what will hold after a reset."""
    current, _pending = answer
    return MigMode.ENABLED if flag(current) else MigMode.DISABLED


def virtualization_mode(answer: Any) -> VirtualizationMode:
    """Take nvmlGpuVirtualizationMode_t."""
    if not 0 <= number(answer) < len(_VIRTUALIZATION_MODES):
        raise malformed("a virtualisation mode", answer)
    return _VIRTUALIZATION_MODES[answer]


def _pci_id(packed: int) -> str:
    return f"{packed & 0xFFFF:04x}:{packed >> 16:04x}"
