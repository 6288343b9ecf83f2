"""What the kernel's own views tell about accelerators, each view apart from NVML and from the others."""

from __future__ import annotations

from gpuaudit.evidence.reading import Reading
from gpuaudit.evidence.record import record
from gpuaudit.units import Bytes


@record
class PciFunction:
    """One PCI function of vendor 10de from `/sys/bus/pci/devices`.

    `class_code` is the 24-bit class as lower-case hexadecimal: 0302xx is a 3D controller, 0300xx a VGA controller; audio and
    USB functions and NVSwitches (0680xx) are listed too.
    """

    bus_id: str
    class_code: str
    device_id: Reading[str]
    subsystem_id: Reading[str]
    bar_sizes_bytes: Reading[tuple[Bytes, ...]]
    link_speed_max: Reading[str]
    link_speed_current: Reading[str]
    link_width_max: Reading[int]
    link_width_current: Reading[int]
    driver: Reading[str]
    numa_node: Reading[int]
    is_virtual_function: Reading[bool]


@record
class ProcGpu:
    """One folder of `/proc/driver/nvidia/gpus`."""

    bus_id: str
    model: Reading[str]
    uuid: Reading[str]
    video_bios: Reading[str]
    device_minor: Reading[int]


@record
class KernelEvidence:
    """PCI bus, `/proc/driver/nvidia` and device files."""

    pci_functions: Reading[tuple[PciFunction, ...]]
    driver_version: Reading[str]
    proc_gpus: Reading[tuple[ProcGpu, ...]]
    device_files: Reading[tuple[str, ...]]
    dxg_present: Reading[bool]
