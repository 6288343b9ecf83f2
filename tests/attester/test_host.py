"""The machine around the cards: honest ones of several kinds, one change each."""

from __future__ import annotations

import hashlib
import os
import platform
from pathlib import Path

import psutil
import pytest

from gpuaudit.attester.host import collect_host
from gpuaudit.evidence.host import HostEvidence
from gpuaudit.evidence.reading import Known, Reason
from tests.attester.readings import reason_of, value_of
from tests.attester.trees import put

MACHINE_ID = "0123456789abcdef0123456789abcdef"
BOOT_ID = "11111111-2222-4333-8444-555555555555"


def cpuinfo(packages: int = 2, cores: int = 2, threads: int = 2, flags: str = "fpu hypervisor avx2") -> str:
    return "\n".join(
        f"processor\t: {(package * cores + core) * threads + thread}\n"
        "model name\t: AMD EPYC 7742 64-Core Processor\n"
        f"physical id\t: {package}\ncore id\t\t: {core}\nflags\t\t: {flags}\n"
        for package in range(packages)
        for core in range(cores)
        for thread in range(threads)
    )


ARM = "processor\t: 0\nBogoMIPS\t: 2000.00\nFeatures\t: fp asimd\nCPU implementer\t: 0x41\nCPU part\t: 0xd4f\n\n"

FILES = {
    "/proc/cpuinfo": cpuinfo(),
    "/proc/meminfo": "MemTotal:       2113405196 kB\nMemFree:        100 kB\n",
    "/proc/sys/kernel/hostname": "gpu-node-7\n",
    "/proc/sys/kernel/osrelease": "5.15.0-107-generic\n",
    "/proc/sys/kernel/random/boot_id": f"{BOOT_ID}\n",
    "/proc/1/cgroup": "0::/init.scope\n",
    "/etc/machine-id": f"{MACHINE_ID}\n",
    "/usr/lib/os-release": 'ID=ubuntu\nPRETTY_NAME="Ubuntu 22.04.4 LTS"\n',
    "/sys/class/dmi/id/sys_vendor": "Supermicro\n",
    "/sys/class/dmi/id/product_name": "AS -4124GO-NART+\n",
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    put(tmp_path, FILES)
    (tmp_path / "etc/os-release").symlink_to("../usr/lib/os-release")
    return tmp_path


def host(root: Path) -> HostEvidence:
    return collect_host(root, {})


def test_an_honest_machine_is_read(root: Path) -> None:
    evidence = host(root)
    assert value_of(evidence.host_name) == "gpu-node-7"
    assert value_of(evidence.operating_system) == "Ubuntu 22.04.4 LTS"
    assert value_of(evidence.kernel_release) == "5.15.0-107-generic"
    assert value_of(evidence.cpu_model) == "AMD EPYC 7742 64-Core Processor"
    assert value_of(evidence.cpu_logical_count) == 8
    assert value_of(evidence.cpu_physical_count) == 4
    assert value_of(evidence.memory_total_bytes) == 2113405196 * 1024
    assert value_of(evidence.hypervisor) == "present"
    assert value_of(evidence.dmi_vendor) == "Supermicro"
    assert value_of(evidence.dmi_product) == "AS -4124GO-NART+"
    assert reason_of(evidence.container) is Reason.NOT_FOUND


def test_ids_leave_the_machine_only_as_digests_apart_from_each_other(root: Path) -> None:
    evidence = host(root)
    assert value_of(evidence.machine_id_digest) == hashlib.sha256(b"gpuaudit/machine-id/v1\0" + MACHINE_ID.encode()).hexdigest()
    assert value_of(evidence.boot_id_digest) == hashlib.sha256(b"gpuaudit/boot-id/v1\0" + BOOT_ID.encode()).hexdigest()
    assert MACHINE_ID not in str(evidence)
    assert BOOT_ID not in str(evidence)


def test_the_machine_id_of_an_older_system_is_found(root: Path) -> None:
    before = host(root).machine_id_digest
    put(root, {"/var/lib/dbus/machine-id": MACHINE_ID})
    (root / "etc/machine-id").unlink()
    assert host(root).machine_id_digest == before


@pytest.mark.parametrize("text", ["", "uninitialized", MACHINE_ID.upper() + "!", "x" * 4000])
def test_an_id_that_is_none_is_unknown(root: Path, text: str) -> None:
    put(root, {"/etc/machine-id": text, "/proc/sys/kernel/random/boot_id": text})
    assert reason_of(host(root).machine_id_digest) is Reason.FAULT
    assert reason_of(host(root).boot_id_digest) is Reason.FAULT


def test_a_tree_without_anything_is_all_unknown(tmp_path: Path) -> None:
    evidence = host(tmp_path)
    for name in HostEvidence.__dataclass_fields__:
        assert reason_of(getattr(evidence, name)) is Reason.NOT_FOUND


def test_an_arm_machine_tells_numbers_and_no_cores(root: Path) -> None:
    put(root, {"/proc/cpuinfo": ARM + ARM.replace(": 0\n", ": 1\n", 1)})
    evidence = host(root)
    assert value_of(evidence.cpu_model) == "implementer 0x41 part 0xd4f"
    assert value_of(evidence.cpu_logical_count) == 2
    assert reason_of(evidence.cpu_physical_count) is Reason.FAULT
    assert reason_of(evidence.hypervisor) is Reason.NOT_FOUND


@pytest.mark.parametrize(
    ("path", "content", "field"),
    [
        pytest.param("/proc/cpuinfo", "no processors here\n", "cpu_logical_count", id="no-processor"),
        pytest.param("/proc/cpuinfo", "processor: 0\n", "cpu_model", id="no-model"),
        pytest.param("/proc/meminfo", "MemTotal: lots\n", "memory_total_bytes", id="memory-in-words"),
        pytest.param("/proc/meminfo", "MemTotal: " + "9" * 4000 + " kB\n", "memory_total_bytes", id="memory-of-4000-digits"),
        pytest.param("/usr/lib/os-release", "ID=ubuntu\n", "operating_system", id="no-pretty-name"),
        pytest.param("/proc/sys/kernel/hostname", b"\xff\xfe", "host_name", id="name-not-utf-8"),
    ],
)
def test_garbage_is_a_fault(root: Path, path: str, content: str | bytes, field: str) -> None:
    put(root, {path: content})
    assert reason_of(getattr(host(root), field)) is Reason.FAULT


def test_a_large_machine_is_read_and_an_endless_list_is_not(root: Path) -> None:
    put(root, {"/proc/cpuinfo": cpuinfo(packages=8, cores=64, threads=2, flags="fpu " * 250)})
    assert value_of(host(root).cpu_logical_count) == 1024
    with (root / "proc/cpuinfo").open("wb") as file:
        file.truncate(2**40)
    assert reason_of(host(root).cpu_logical_count) is Reason.FAULT


@pytest.mark.parametrize(
    ("files", "variables", "kind"),
    [
        pytest.param({"/.dockerenv": ""}, {}, "docker", id="docker"),
        pytest.param({"/run/.containerenv": ""}, {}, "podman", id="podman"),
        pytest.param({}, {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}, "kubernetes", id="kubernetes-variable"),
        pytest.param({"/var/run/secrets/kubernetes.io/token": ""}, {}, "kubernetes", id="kubernetes-secret"),
        pytest.param({"/proc/1/cgroup": "0::/lxc.payload.c1\n"}, {}, "lxc", id="lxc"),
        pytest.param({"/run/systemd/container": "lxc\n"}, {}, "lxc", id="systemd"),
        pytest.param({"/proc/1/cgroup": "4:cpu:/kubepods/burstable/pod1/docker-2\n"}, {}, "kubernetes+docker", id="cgroup-v1"),
        pytest.param({"/.dockerenv": "", "/proc/1/cgroup": "0::/docker/1\n"}, {}, "docker", id="docker-twice"),
    ],
)
def test_a_container_is_told_by_its_marks(root: Path, files: dict[str, str], variables: dict[str, str], kind: str) -> None:
    put(root, files)
    assert value_of(collect_host(root, variables).container) == kind


@pytest.mark.parametrize(
    ("files", "kind"),
    [
        pytest.param({"/proc/cpuinfo": cpuinfo(flags="fpu avx2")}, "none", id="bare-metal"),
        pytest.param({"/sys/hypervisor/type": "xen\n"}, "xen", id="xen"),
    ],
)
def test_a_hypervisor_is_told_by_cpu_or_kernel(root: Path, files: dict[str, str], kind: str) -> None:
    put(root, files)
    assert value_of(host(root).hypervisor) == kind


def test_this_machine_is_read_as_psutil_and_platform_read_it() -> None:
    evidence = collect_host(Path("/"), os.environ)
    assert value_of(evidence.host_name) == platform.node()
    assert value_of(evidence.kernel_release) == platform.release()
    assert value_of(evidence.cpu_logical_count) == psutil.cpu_count(logical=True)
    assert value_of(evidence.memory_total_bytes) == psutil.virtual_memory().total
    if isinstance(evidence.cpu_physical_count, Known):
        assert evidence.cpu_physical_count.value == psutil.cpu_count(logical=False)
