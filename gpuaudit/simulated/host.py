"""The files of a simulated machine: what its kernel, its driver and its system show of themselves.

The honest machine lists in every source the devices that NVML shows. An adversary's may hide a source or list other devices there.
Nothing in the tree comes from the machine that simulates, and every name in it says that it is simulated.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from gpuaudit.attester.interpreter import Interpreter
from gpuaudit.evidence.reading import Known, Source
from gpuaudit.simulated.device import SimulatedDevice
from gpuaudit.simulated.profile import Answer, NotSupported

_PACKAGES: Final = 2
_CORES: Final = 32
_SITE: Final = "/usr/lib/python3/dist-packages"
# Transfer rates of PCI Express by generation, as the kernel writes them (pcie_link_speed in drivers/pci/probe.c).
_SPEEDS: Final = {
    1: "2.5 GT/s PCIe",
    2: "5.0 GT/s PCIe",
    3: "8.0 GT/s PCIe",
    4: "16.0 GT/s PCIe",
    5: "32.0 GT/s PCIe",
    6: "64.0 GT/s PCIe",
}
_MIB: Final = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Hidden:
    """A source of the kernel that is not there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AsReported:
    """A source of the kernel that lists what NVML shows."""


HIDDEN: Final = Hidden()
AS_REPORTED: Final = AsReported()

View: TypeAlias = AsReported | Hidden | Sequence[SimulatedDevice]

SIMULATED_INTERPRETER: Final = Interpreter(
    version="simulated",
    flags=(),
    variables={},
    site_folders=(_SITE,),
    search_path=(_SITE,),
    pynvml_path=Known(value=f"{_SITE}/pynvml.py", source=Source.HOST),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class HostFiles:
    """What a simulated machine's files say.

    Attributes:
        devices: What NVML shows.
        pci: What `/sys/bus/pci` lists.
        proc: What `/proc/driver/nvidia` lists; the version of the kernel module is hidden with it.
        driver_version: The version of the kernel module.
        seed: The machine; decides its ids and its name.
        files: Further files by absolute path, or others in the place of those written here.
    """

    devices: Sequence[SimulatedDevice]
    pci: View
    proc: View
    driver_version: str
    seed: int
    files: Mapping[str, str]


def write_host(root: Path, host: HostFiles) -> None:
    """Write the tree of `host` under the empty folder `root`."""
    for path, text in {**dict(_tree(host)), **host.files}.items():
        target = root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    for device in _listed(host.pci, host.devices):
        link = root / _function_folder(device).lstrip("/") / "driver"
        link.symlink_to("../../drivers/nvidia")


def _tree(host: HostFiles) -> Iterator[tuple[str, str]]:
    yield from _system(host.seed)
    yield from _processors()
    yield from _device_files(host)
    if not isinstance(host.pci, Hidden):
        # A bridge of another vendor: a machine without cards still has a bus.
        yield "/sys/bus/pci/devices/0000:00:00.0/vendor", "0x1af4\n"
        for device in _listed(host.pci, host.devices):
            yield from _pci_function(device)
    if not isinstance(host.proc, Hidden):
        yield from _proc(host)


def _listed(view: View, devices: Sequence[SimulatedDevice]) -> Sequence[SimulatedDevice]:
    match view:
        case AsReported():
            return devices
        case Hidden():
            return ()
        case _:
            return view


def _system(seed: int) -> Iterator[tuple[str, str]]:
    digest = hashlib.sha256(f"gpuaudit simulated machine {seed}".encode()).hexdigest()
    yield "/etc/machine-id", f"{digest[:32]}\n"
    yield "/etc/os-release", 'ID=simulated\nPRETTY_NAME="Simulated Linux"\n'
    yield "/proc/sys/kernel/random/boot_id", f"{uuid.UUID(digest[32:])}\n"
    yield "/proc/sys/kernel/hostname", f"simulated-{seed}\n"
    yield "/proc/sys/kernel/osrelease", "0.0.0-simulated\n"
    yield "/proc/meminfo", f"MemTotal:       {2 * 1024**3} kB\n"
    yield "/proc/1/cgroup", "0::/init.scope\n"
    yield "/proc/self/maps", ""
    yield "/proc/self/mountinfo", "22 1 0:21 / /proc rw - proc proc rw\n23 1 0:22 / /sys rw - sysfs sysfs rw\n"
    yield "/sys/class/dmi/id/sys_vendor", "gpuaudit\n"
    yield "/sys/class/dmi/id/product_name", "simulated machine\n"
    yield f"{_SITE}/pynvml.py", "# simulated\n"


def _processors() -> Iterator[tuple[str, str]]:
    blocks = (
        f"processor\t: {package * _CORES + core}\nmodel name\t: Simulated CPU\n"
        f"physical id\t: {package}\ncore id\t\t: {core}\nflags\t\t: fpu\n"
        for package in range(_PACKAGES)
        for core in range(_CORES)
    )
    yield "/proc/cpuinfo", "\n".join(blocks)


def _device_files(host: HostFiles) -> Iterator[tuple[str, str]]:
    yield "/dev/null", ""
    if host.devices:
        for name in ("nvidiactl", "nvidia-uvm", *(f"nvidia{device.index}" for device in host.devices)):
            yield f"/dev/{name}", ""


def _function_folder(device: SimulatedDevice) -> str:
    return f"/sys/bus/pci/devices/{_kernel_bus_id(device)}"


def _kernel_bus_id(device: SimulatedDevice) -> str:
    """Write NVML's `00000000:04:00.0` as the kernel does: `0000:04:00.0`."""
    domain, rest = device.bus_id.split(":", 1)
    return f"{int(domain, 16):04x}:{rest.lower()}"


def _pci_function(device: SimulatedDevice) -> Iterator[tuple[str, str]]:
    folder, traits = _function_folder(device), device.reported.reported
    vendor, device_id = traits.device_id.split(":")
    subsystem_vendor, subsystem_id = traits.subsystem_id.split(":")
    yield f"{folder}/vendor", f"0x{vendor}\n"
    yield f"{folder}/device", f"0x{device_id}\n"
    yield f"{folder}/subsystem_vendor", f"0x{subsystem_vendor}\n"
    yield f"{folder}/subsystem_device", f"0x{subsystem_id}\n"
    # Cards that can drive a screen are VGA controllers, the others 3D controllers, as in captures of an RTX 3080 and an A100.
    yield f"{folder}/class", "0x030000\n" if "GeForce" in traits.name else "0x030200\n"
    yield f"{folder}/numa_node", "0\n"
    yield f"{folder}/resource", _resource(traits.bar1_total_bytes)
    if not isinstance(traits.link_generation_max, NotSupported):
        for which in ("max", "current"):
            yield f"{folder}/{which}_link_speed", f"{_SPEEDS.get(traits.link_generation_max, 'Unknown speed')}\n"
    if not isinstance(traits.link_width_max, NotSupported):
        for which in ("max", "current"):
            yield f"{folder}/{which}_link_width", f"{traits.link_width_max}\n"


def _resource(bar1_bytes: Answer[int]) -> str:
    """Lay out registers (16 MiB), the window to memory, and a small third region, the last two with 64-bit addresses."""
    window = 256 * _MIB if isinstance(bar1_bytes, NotSupported) else bar1_bytes
    sizes = (16 * _MIB, window, 0, 32 * _MIB, 0, 0)
    lines = []
    address = 1 << 40
    for size in sizes:
        lines.append(f"{address:#018x} {address + size - 1:#018x} {0x14220C:#018x}" if size else " ".join([f"{0:#018x}"] * 3))
        address += size
    return "\n".join(lines) + "\n"


def _proc(host: HostFiles) -> Iterator[tuple[str, str]]:
    devices = _listed(host.proc, host.devices)
    if not devices:
        return
    yield (
        "/proc/driver/nvidia/version",
        f"NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  {host.driver_version}  Release Build  (simulated)\n",
    )
    for device in devices:
        traits = device.reported.reported
        vbios = "??.??.??.??.??" if isinstance(traits.vbios_version, NotSupported) else traits.vbios_version
        yield (
            f"/proc/driver/nvidia/gpus/{_kernel_bus_id(device)}/information",
            f"Model: \t\t {traits.name}\nGPU UUID: \t {device.uuid}\nVideo BIOS: \t {vbios}\nBus Type: \t PCIe\n"
            f"Bus Location: \t {_kernel_bus_id(device)}\nDevice Minor: \t {device.index}\n",
        )
