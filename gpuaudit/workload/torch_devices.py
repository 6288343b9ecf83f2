"""What torch says of its devices, and which of them has a given UUID. Imports no torch: `torch.cuda` is handed in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from gpuaudit.evidence.host import TorchDevice, TorchEvidence
from gpuaudit.evidence.reading import Known, Reading, Reason, Source, Unknown
from gpuaudit.units import Bytes
from gpuaudit.workload.accelerator import NotMeasurableError

T = TypeVar("T")


def describe(torch: Any) -> TorchEvidence:
    """Read the version of `torch` and the properties of every device it shows."""
    cuda_version = torch.version.cuda
    return TorchEvidence(
        version=Known(value=str(torch.__version__), source=Source.TORCH),
        cuda_version=Known(value=str(cuda_version), source=Source.TORCH)
        if cuda_version
        else Unknown(reason=Reason.NOT_SUPPORTED, source=Source.TORCH, detail="this torch was built without CUDA"),
        devices=_devices(torch.cuda),
    )


def nothing_described(reason: Reason, detail: str) -> TorchEvidence:
    """Say why torch could not be asked at all."""
    unknown = Unknown(reason=reason, source=Source.TORCH, detail=detail)
    return TorchEvidence(version=unknown, cuda_version=unknown, devices=unknown)


def index_of(cuda: Any, uuid: str) -> int:
    """Return torch's index of the device called `uuid`, as NVML writes it.

    torch orders devices by speed unless told otherwise, NVML by bus id: only the UUID joins them.

    Raises:
        NotMeasurableError: torch shows no such device.
    """
    shown = []
    for index in range(cuda.device_count()):
        shown.append(_uuid(cuda.get_device_properties(index)))
        if shown[-1] == uuid:
            return index
    raise NotMeasurableError(Reason.NOT_FOUND, f"torch shows no device {uuid}; it shows {', '.join(shown) or 'none'}")


def _devices(cuda: Any) -> Reading[tuple[TorchDevice, ...]]:
    try:
        if not cuda.is_available():
            return Known(value=(), source=Source.TORCH)
        return Known(value=tuple(_device(cuda, index) for index in range(cuda.device_count())), source=Source.TORCH)
    except RuntimeError as error:
        return Unknown(reason=Reason.FAULT, source=Source.TORCH, detail=str(error))


def _device(cuda: Any, index: int) -> TorchDevice:
    properties = cuda.get_device_properties(index)
    return TorchDevice(
        index=index,
        name=_read(lambda: str(properties.name)),
        uuid=_read(lambda: _uuid(properties)),
        bus_id=_read(lambda: _bus_id(properties)),
        compute_capability=_read(lambda: f"{properties.major}.{properties.minor}"),
        multiprocessor_count=_read(lambda: int(properties.multi_processor_count)),
        total_memory_bytes=_read(lambda: Bytes(int(properties.total_memory))),
        l2_cache_bytes=_read(lambda: Bytes(int(properties.L2_cache_size))),
    )


def _bus_id(properties: Any) -> str:
    """Return the bus id as NVML writes it."""
    return f"{properties.pci_domain_id:08x}:{properties.pci_bus_id:02x}:{properties.pci_device_id:02x}.0"


def _uuid(properties: Any) -> str:
    """Return the UUID as NVML writes it; torch leaves the prefix out."""
    uuid = str(properties.uuid)
    return uuid if uuid.startswith(("GPU-", "MIG-")) else f"GPU-{uuid}"


def _read(get: Callable[[], T]) -> Reading[T]:
    try:
        return Known(value=get(), source=Source.TORCH)
    except AttributeError as error:
        return Unknown(reason=Reason.NOT_SUPPORTED, source=Source.TORCH, detail=f"this torch does not tell: {error}")
