"""Mounts: the ordinary ones of machines and containers are left out, what covers a source is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from gpuaudit.attester.mounts import collect_mounts
from gpuaudit.evidence.host import MountFacts
from gpuaudit.evidence.reading import Known, Reason, Unknown
from tests.attester.trees import put

ORDINARY = """\
22 27 0:21 / /proc rw,nosuid,nodev,noexec,relatime shared:12 - proc proc rw
23 27 0:22 / /sys rw,relatime shared:7 - sysfs sysfs rw
24 27 0:6 / /dev rw,nosuid shared:2 - devtmpfs udev rw,size=12334460k,mode=755
25 24 0:23 / /dev/shm rw,relatime - tmpfs tmpfs rw,size=24684084k
26 24 0:24 / /dev/pts rw,relatime - devpts devpts rw,mode=600,ptmxmode=000
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard
28 27 254:1 / /usr rw,relatime - ext4 /dev/vdb rw
30 23 0:26 / /sys/fs/cgroup rw,relatime - cgroup2 cgroup2 rw
31 23 0:27 / /sys/kernel/debug rw - debugfs debugfs rw
32 22 0:28 / /proc/sys/fs/binfmt_misc rw - autofs systemd-1 rw,fd=30
33 27 0:29 / /run/user/1000 rw - tmpfs tmpfs rw
"""

DOCKER = """\
700 600 0:50 / / rw,relatime - overlay overlay rw,lowerdir=/var/lib/docker
701 700 0:53 / /proc rw,nosuid,nodev,noexec,relatime - proc proc rw
702 700 0:54 / /dev rw,nosuid - tmpfs tmpfs rw,size=65536k,mode=755
703 702 0:55 / /dev/pts rw,nosuid,noexec,relatime - devpts devpts rw
704 700 0:56 / /sys ro,nosuid,nodev,noexec,relatime - sysfs sysfs ro
705 704 0:30 / /sys/fs/cgroup ro,nosuid,nodev,noexec,relatime - cgroup2 cgroup rw
706 702 0:52 / /dev/mqueue rw,nosuid,nodev,noexec,relatime - mqueue mqueue rw
707 702 0:57 / /dev/shm rw,nosuid,nodev,noexec,relatime - tmpfs shm rw,size=65536k
708 701 0:53 /bus /proc/bus ro,relatime - proc proc rw
709 701 0:53 /sys /proc/sys ro,relatime - proc proc rw
710 701 0:58 / /proc/acpi ro,relatime - tmpfs tmpfs ro
711 701 0:54 /null /proc/kcore rw,nosuid - tmpfs tmpfs rw,size=65536k,mode=755
712 704 0:59 / /sys/firmware ro,relatime - tmpfs tmpfs ro
713 702 0:55 /0 /dev/console rw,nosuid,noexec,relatime - devpts devpts rw
"""

KIT = "40 22 254:0 /opt/kit/gpus /proc/driver/nvidia/gpus rw,relatime - ext4 /dev/vda rw\n"


def the_mounts(root: Path, text: str, folders: tuple[str, ...] = ()) -> tuple[MountFacts, ...]:
    put(root, {"/proc/self/mountinfo": text})
    mounts = collect_mounts(root, folders)
    assert isinstance(mounts, Known)
    return mounts.value


@pytest.mark.parametrize("text", [pytest.param(ORDINARY, id="machine"), pytest.param(DOCKER, id="docker")])
def test_an_ordinary_machine_has_nothing_to_list(tmp_path: Path, text: str) -> None:
    assert the_mounts(tmp_path, text) == ()


def test_a_folder_bound_over_the_drivers_list_of_cards_is_listed(tmp_path: Path) -> None:
    assert the_mounts(tmp_path, ORDINARY + KIT) == (
        MountFacts(mount_point="/proc/driver/nvidia/gpus", filesystem="ext4", root="/opt/kit/gpus", source="/dev/vda"),
    )


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("40 22 0:40 / /proc rw - tmpfs tmpfs rw", id="tmpfs-over-proc"),
        pytest.param("40 22 254:0 /fake /proc rw - ext4 /dev/vda rw", id="folder-over-proc"),
        pytest.param("40 22 254:0 /fake/sys /sys rw - ext4 /dev/vda rw", id="folder-over-sys"),
        pytest.param("40 22 254:0 /fake /sys/bus/pci rw - fuse.lie lie rw", id="fuse-over-pci"),
        pytest.param("40 22 0:53 /1/root /proc/sys rw - proc proc rw", id="other-part-of-proc"),
        pytest.param("40 22 254:0 /ml.so /usr/lib/x86_64-linux-gnu/libnvidia-ml.so.1 ro - ext4 /dev/vda ro", id="one-library"),
        pytest.param("40 22 254:0 /preload /etc/ld.so.preload ro - ext4 /dev/vda ro", id="preload"),
        pytest.param("40 22 0:6 /nvidia0 /dev/nvidia0 rw - devtmpfs udev rw", id="device-file"),
        pytest.param("40 22 254:0 /x /proc/kcore rw - ext4 /dev/vda rw", id="mask-of-another-kind"),
    ],
)
def test_what_covers_a_source_is_listed(tmp_path: Path, line: str) -> None:
    (mount,) = the_mounts(tmp_path, f"{ORDINARY}{line}\n")
    assert mount.mount_point == line.split()[4]


def test_a_folder_of_ones_own_libraries_counts(tmp_path: Path) -> None:
    line = "40 22 254:0 /fake /srv/venv/lib/python3.11/site-packages/pynvml.py ro - ext4 /dev/vda ro\n"
    assert the_mounts(tmp_path, ORDINARY + line) == ()
    (mount,) = the_mounts(tmp_path, ORDINARY + line, ("", "/", "relative", "/srv/venv/lib/python3.11/site-packages/"))
    assert mount.mount_point.endswith("pynvml.py")


def test_escaped_names_are_read_back_and_made_harmless(tmp_path: Path) -> None:
    line = "40 22 254:0 /a\\040b\\033[2J /proc/driver/nvidia rw - ext4 /dev/vda rw\n"
    (mount,) = the_mounts(tmp_path, line)
    assert mount.root == "/a b\\x1b[2J"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("22 27 0:21 / /proc rw\n", id="no-dash"),
        pytest.param("22 27 - proc proc rw\n", id="too-short"),
        pytest.param(ORDINARY + "\n\n" + KIT, id="empty-line"),
        pytest.param(KIT * 600, id="too-many"),
    ],
)
def test_a_table_that_is_none_is_a_fault(tmp_path: Path, text: str) -> None:
    put(tmp_path, {"/proc/self/mountinfo": text})
    mounts = collect_mounts(tmp_path, ())
    assert isinstance(mounts, Unknown)
    assert mounts.reason is Reason.FAULT
    assert len(mounts.detail) < 300


def test_no_table_is_not_found(tmp_path: Path) -> None:
    mounts = collect_mounts(tmp_path, ())
    assert isinstance(mounts, Unknown)
    assert mounts.reason is Reason.NOT_FOUND


def test_this_machines_own_table_is_read() -> None:
    assert isinstance(collect_mounts(Path("/"), ()), Known)
