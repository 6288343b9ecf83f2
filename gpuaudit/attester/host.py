"""The machine around the accelerators: CPU, memory, kernel, container, hypervisor, DMI.

All of it from files of `/proc`, `/sys` and `/etc`, so that a tree of files stands for a machine. Whoever owns the host can
forge every value here; it tells machines apart, it proves nothing.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from gpuaudit.attester.files import Tree, legible, parsed
from gpuaudit.evidence.host import HostEvidence
from gpuaudit.evidence.reading import Known, Reading, Reason, Source, Unknown
from gpuaudit.units import Bytes

# 512 logical CPUs take about 1 MB of /proc/cpuinfo.
_MAX_CPUINFO_BYTES: Final = 8 * 1024 * 1024
_SMALL: Final = 64 * 1024
_KUBERNETES: Final = "/var/run/secrets/kubernetes.io"


def collect_host(root: Path, variables: Mapping[str, str]) -> HostEvidence:
    """Describe the machine around the accelerators.

    `machine_id_digest` and `boot_id_digest` are SHA-256 over a label and the id, so that two audits of one machine can be
    joined without telling the ids, which systemd asks to keep confidential (machine-id(5)).

    Args:
        root: Where the machine's file system begins.
        variables: Those of this process; some container runtimes name themselves there.
    """
    tree = Tree(root=root, source=Source.HOST)
    processors = parsed(tree.text("/proc/cpuinfo", limit=_MAX_CPUINFO_BYTES), _processors)
    return HostEvidence(
        host_name=_short(tree.text("/proc/sys/kernel/hostname")),
        machine_id_digest=_machine_id_digest(tree),
        boot_id_digest=parsed(tree.text("/proc/sys/kernel/random/boot_id"), lambda text: _digest("boot-id", text)),
        operating_system=_operating_system(tree),
        kernel_release=_short(tree.text("/proc/sys/kernel/osrelease")),
        cpu_model=parsed(processors, _cpu_model),
        cpu_logical_count=parsed(processors, len),
        cpu_physical_count=parsed(processors, _cores),
        memory_total_bytes=parsed(tree.text("/proc/meminfo", limit=_SMALL), _memory_total),
        container=_container(tree, variables),
        hypervisor=_hypervisor(tree, processors),
        dmi_vendor=_short(tree.text("/sys/class/dmi/id/sys_vendor")),
        dmi_product=_short(tree.text("/sys/class/dmi/id/product_name")),
    )


def _short(reading: Reading[str]) -> Reading[str]:
    return parsed(reading, lambda text: legible(text, limit=256))


def _digest(label: str, identifier: str) -> str:
    if not re.fullmatch(r"[0-9a-f-]{32,36}", identifier):
        raise ValueError(f"{label}: expected 32 hexadecimal digits")
    return hashlib.sha256(f"gpuaudit/{label}/v1\0{identifier}".encode()).hexdigest()


def _machine_id_digest(tree: Tree) -> Reading[str]:
    reading = tree.text("/etc/machine-id", follow=True)
    if isinstance(reading, Unknown):
        reading = tree.text("/var/lib/dbus/machine-id", follow=True)
    return parsed(reading, lambda text: _digest("machine-id", text))


def _operating_system(tree: Tree) -> Reading[str]:
    reading = tree.text("/etc/os-release", limit=_SMALL, follow=True)
    if isinstance(reading, Unknown):
        reading = tree.text("/usr/lib/os-release", limit=_SMALL, follow=True)
    return parsed(reading, _pretty_name)


def _pretty_name(text: str) -> str:
    for line in text.splitlines():
        name, _, value = line.partition("=")
        if name == "PRETTY_NAME":
            return legible(value.strip("\"'"), limit=256)
    raise ValueError("os-release: no PRETTY_NAME")


def _processors(text: str) -> tuple[Mapping[str, str], ...]:
    """Split cpuinfo into one mapping per logical CPU; what follows the last one (some ARM kernels) is left out."""
    blocks = [dict(_pairs(block)) for block in re.split(r"\n\s*\n", text)]
    processors = tuple(block for block in blocks if "processor" in block)
    if not processors:
        raise ValueError("/proc/cpuinfo: no processor")
    return processors


def _pairs(block: str) -> Iterator[tuple[str, str]]:
    for line in block.splitlines():
        name, _, value = line.partition(":")
        yield name.strip(), value.strip()


def _cpu_model(processors: tuple[Mapping[str, str], ...]) -> str:
    first = processors[0]
    if "model name" in first:
        return legible(first["model name"], limit=256)
    if "CPU implementer" in first and "CPU part" in first:
        # ARM kernels give numbers only; Arm's list of parts turns them into names.
        return legible(f"implementer {first['CPU implementer']} part {first['CPU part']}", limit=256)
    raise ValueError("/proc/cpuinfo: no model name")


def _cores(processors: tuple[Mapping[str, str], ...]) -> int:
    """Count distinct pairs of package and core."""
    if any("physical id" not in block or "core id" not in block for block in processors):
        raise ValueError("/proc/cpuinfo: no physical id and core id")
    return len({(block["physical id"], block["core id"]) for block in processors})


def _memory_total(text: str) -> Bytes:
    matched = re.search(r"^MemTotal:\s+([0-9]{1,15}) kB$", text, re.MULTILINE)
    if matched is None:
        raise ValueError("/proc/meminfo: no MemTotal")
    # The kernel's "kB" has 1,024 bytes (proc_meminfo(5)).
    return Bytes(int(matched[1]) * 1024)


def _container(tree: Tree, variables: Mapping[str, str]) -> Reading[str]:
    """Name the container runtime by the marks that it leaves, several joined by a plus; no mark proves nothing."""
    found = [
        *(["docker"] if _present(tree, "/.dockerenv") else []),
        *(["podman"] if _present(tree, "/run/.containerenv") else []),
        *(["kubernetes"] if "KUBERNETES_SERVICE_HOST" in variables or _present(tree, _KUBERNETES) else []),
        *_of_cgroup(tree.text("/proc/1/cgroup", limit=_SMALL)),
        *_of_systemd(tree.text("/run/systemd/container")),
    ]
    if not found:
        return tree.unknown(Reason.NOT_FOUND, "no mark of a container runtime")
    return Known(value="+".join(dict.fromkeys(found)), source=Source.HOST)


def _present(tree: Tree, path: str) -> bool:
    present = tree.exists(path)
    return isinstance(present, Known) and present.value


def _of_cgroup(reading: Reading[str]) -> list[str]:
    """Find the runtime in the path of the first process: with a cgroup namespace of its own there is nothing to find."""
    if isinstance(reading, Unknown):
        return []
    marks = {"kubepods": "kubernetes", "docker": "docker", "libpod": "podman", "lxc": "lxc", "containerd": "containerd"}
    return [name for mark, name in marks.items() if mark in reading.value]


def _of_systemd(reading: Reading[str]) -> list[str]:
    return [] if isinstance(reading, Unknown) else [legible(reading.value, limit=32)]


def _hypervisor(tree: Tree, processors: Reading[tuple[Mapping[str, str], ...]]) -> Reading[str]:
    """Name the hypervisor, say `present` where only the CPU's flag tells, or `none` where an x86 CPU lacks the flag.

    The vendor that DMI gives (`dmi_vendor`) often names it too.
    """
    kind = tree.text("/sys/hypervisor/type")
    if isinstance(kind, Known):
        return _short(kind)
    if isinstance(processors, Unknown):
        return processors
    if "flags" not in processors.value[0]:
        return tree.unknown(Reason.NOT_FOUND, "/proc/cpuinfo: no flags that would tell")
    return Known(value="present" if "hypervisor" in processors.value[0]["flags"].split() else "none", source=Source.HOST)
