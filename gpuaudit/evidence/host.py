"""The machine around the accelerators, and the environment in which they were read."""

from __future__ import annotations

from gpuaudit.evidence.reading import Reading
from gpuaudit.evidence.record import record
from gpuaudit.units import Bytes


@record
class HostEvidence:
    """CPU, memory, kernel and what the machine runs in. Whatever is here, the owner of the host can forge."""

    host_name: Reading[str]
    machine_id_digest: Reading[str]
    boot_id_digest: Reading[str]
    operating_system: Reading[str]
    kernel_release: Reading[str]
    cpu_model: Reading[str]
    cpu_logical_count: Reading[int]
    cpu_physical_count: Reading[int]
    memory_total_bytes: Reading[Bytes]
    container: Reading[str]
    hypervisor: Reading[str]
    dmi_vendor: Reading[str]
    dmi_product: Reading[str]


@record
class LibraryFacts:
    """A shared library mapped into this process: where it lies, its digest, and what its ELF headers say.

    `sections` lists section names that tell how it was built, such as `.go.buildinfo`, which NVIDIA's libraries do not have
    (seen in a public mock of NVML).
    """

    path: str
    sha256: Reading[str]
    size_bytes: Reading[Bytes]
    soname: Reading[str]
    sections: Reading[tuple[str, ...]]


@record
class MountFacts:
    """A mount over a place from which we read (`/proc`, `/sys`, `/dev`, a library)."""

    mount_point: str
    filesystem: str
    root: str
    source: str


@record
class EnvironmentVariable:
    """A variable that can change what a reader sees or how work runs (`LD_*`, `CUDA_*`, `NVIDIA_*`…)."""

    name: str
    value: str


@record
class EnvironmentEvidence:
    """What stands between the hardware and this program: libraries, preloads, mounts, hooks."""

    libraries: Reading[tuple[LibraryFacts, ...]]
    variables: Reading[tuple[EnvironmentVariable, ...]]
    ld_so_preload: Reading[str]
    mounts: Reading[tuple[MountFacts, ...]]
    python_hooks: Reading[tuple[str, ...]]
    python_version: Reading[str]
    python_flags: Reading[tuple[str, ...]]
    pynvml_path: Reading[str]
    pynvml_sha256: Reading[str]


@record
class TorchDevice:
    """One device in torch's own words (`torch.cuda.get_device_properties`)."""

    index: int
    name: Reading[str]
    uuid: Reading[str]
    bus_id: Reading[str]
    compute_capability: Reading[str]
    multiprocessor_count: Reading[int]
    total_memory_bytes: Reading[Bytes]
    l2_cache_bytes: Reading[Bytes]


@record
class TorchEvidence:
    """What torch sees. It goes through libcuda, a way apart from NVML."""

    version: Reading[str]
    cuda_version: Reading[str]
    devices: Reading[tuple[TorchDevice, ...]]
