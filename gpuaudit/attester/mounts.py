"""Mounts over the places from which readings come: a file bound over `/proc/driver/nvidia` answers in the driver's stead.

Seen in the wild: a kit that binds its own folder over `/proc/driver/nvidia/gpus`. Container runtimes bind files there too, for
good reasons, so a mount is reported, not judged.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from gpuaudit.attester.files import Tree, legible, parsed
from gpuaudit.evidence.host import MountFacts
from gpuaudit.evidence.reading import Reading, Source

_MOUNTINFO: Final = "/proc/self/mountinfo"
_MAX_BYTES: Final = 2 * 1024 * 1024
_MAX_MOUNTS: Final = 512

# Where readings, the libraries that give them, and the linker's own files lie.
_PLACES: Final = (
    "/proc",
    "/sys",
    "/dev",
    "/lib",
    "/lib32",
    "/lib64",
    "/usr/lib",
    "/usr/lib32",
    "/usr/lib64",
    "/usr/local",
    "/opt/nvidia",
    "/etc/ld.so.preload",
    "/etc/ld.so.cache",
    "/etc/ld.so.conf",
    "/etc/ld.so.conf.d",
)

# Mounts of every Linux or every container, which are left out: mount point, file systems, root within the file system. All
# three must fit: a tmpfs at /proc, or a folder bound there, is listed. The masked and read-only parts of /proc and /sys are
# moby's defaults (https://github.com/moby/moby/blob/master/daemon/pkg/oci/defaults.go, 2026-11-23).
_ORDINARY: Final = tuple(
    (re.compile(point), frozenset(filesystems.split()), re.compile(root))
    for point, filesystems, root in (
        (r"/proc", "proc", r"/"),
        (r"/sys", "sysfs", r"/"),
        (r"/dev", "devtmpfs tmpfs", r"/"),
        (r"/dev/pts", "devpts", r"/"),
        (r"/dev/shm", "tmpfs", r"/"),  # noqa: S108 - a place to compare with, not to write to
        (r"/dev/mqueue", "mqueue", r"/"),
        (r"/dev/hugepages(-\w+)?", "hugetlbfs", r"/"),
        (r"/dev/console", "devpts", r"/\d+"),
        (r"/sys/fs/cgroup", "cgroup2 tmpfs", r"/.*"),
        (r"/sys/fs/cgroup/[\w,.-]+", "cgroup cgroup2", r"/.*"),
        (r"/sys/fs/(bpf|pstore|selinux|fuse/connections)", "bpf pstore selinuxfs fusectl", r"/"),
        (r"/sys/kernel/(security|debug|tracing|debug/tracing|config)", "securityfs debugfs tracefs configfs", r"/"),
        (r"/sys/firmware/efi/efivars", "efivarfs", r"/"),
        (r"/sys/firmware", "tmpfs", r"/"),
        (r"/sys/devices/virtual/powercap", "tmpfs", r"/"),
        (r"/proc/sys/fs/binfmt_misc", "autofs binfmt_misc", r"/"),
        (r"/proc/(?P<part>bus|fs|irq|sys|sysrq-trigger)", "proc", r"/(bus|fs|irq|sys|sysrq-trigger)"),
        (r"/proc/(acpi|asound|scsi)", "tmpfs", r"/"),
        (r"/proc/(kcore|keys|timer_list|timer_stats|sched_debug|interrupts|latency_stats)", "devtmpfs tmpfs", r"/(null)?"),
    )
)


def collect_mounts(root: Path, library_folders: Sequence[str]) -> Reading[tuple[MountFacts, ...]]:
    """List the mounts at or below the places from which readings and libraries come, without the ordinary ones.

    A whole disk mounted above such a place, as `/usr`, is not listed: that is how machines are partitioned.

    Args:
        root: Where the machine's file system begins.
        library_folders: Further folders from which this process takes libraries and modules.
    """
    places = (*_PLACES, *(folder.rstrip("/") for folder in library_folders if folder.startswith("/") and folder.strip("/")))

    def of_interest(text: str) -> tuple[MountFacts, ...]:
        mounts = tuple(
            mount for line in text.splitlines() if _lies_in(mount := _mount(line), places) and not _is_ordinary(mount)
        )
        if len(mounts) > _MAX_MOUNTS:
            raise ValueError(f"{_MOUNTINFO}: more than {_MAX_MOUNTS} mounts over places that are read")
        return mounts

    return parsed(Tree(root=root, source=Source.HOST).text(_MOUNTINFO, limit=_MAX_BYTES), of_interest)


def _mount(line: str) -> MountFacts:
    """Parse one line of mountinfo (proc_pid_mountinfo(5)): fixed fields, optional ones, a dash, and three more."""
    before, dash, after = line.partition(" - ")
    fixed, last = before.split(" "), after.split(" ")
    if not dash or len(fixed) < 6 or len(last) < 2:
        raise ValueError(f"{_MOUNTINFO}: expected a line of mountinfo, got {line[:80]!a}")
    return MountFacts(
        mount_point=_unescaped(fixed[4]),
        filesystem=_unescaped(last[0]),
        root=_unescaped(fixed[3]),
        source=_unescaped(last[1]),
    )


def _unescaped(field: str) -> str:
    """Turn the kernel's octal escapes of blank, tab, line end and backslash back, then make the text safe to print."""
    return legible(re.sub(r"\\(0[0-7]{2}|1[0-7]{2})", lambda match: chr(int(match[1], 8)), field), limit=512)


def _lies_in(mount: MountFacts, places: Sequence[str]) -> bool:
    return any(mount.mount_point == place or mount.mount_point.startswith(f"{place}/") for place in places)


def _is_ordinary(mount: MountFacts) -> bool:
    return any(
        point.fullmatch(mount.mount_point) and mount.filesystem in filesystems and root.fullmatch(mount.root)
        for point, filesystems, root in _ORDINARY
    )
