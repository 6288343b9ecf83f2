from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from gpuaudit.evidence.reading import Known, Reason, Source, Unknown
from gpuaudit.workload.accelerator import NotMeasurableError
from gpuaudit.workload.torch_devices import describe, index_of, nothing_described

UUID = "1b2c3d4e-0000-1111-2222-333344445555"


def properties(**changes: Any) -> SimpleNamespace:
    """What torch 2.13 tells of an A100."""
    honest = {
        "name": "NVIDIA A100-SXM4-80GB",
        "uuid": UUID,
        "pci_domain_id": 0,
        "pci_bus_id": 0xB7,
        "pci_device_id": 0,
        "major": 8,
        "minor": 0,
        "multi_processor_count": 108,
        "total_memory": 85_100_068_864,
        "L2_cache_size": 41_943_040,
    }
    kept = {name: value for name, value in (honest | changes).items() if value is not None}
    return SimpleNamespace(**kept)


def torch_with(*devices: SimpleNamespace, available: bool = True, cuda_version: str | None = "13.0") -> SimpleNamespace:
    cuda = SimpleNamespace(
        is_available=lambda: available,
        device_count=lambda: len(devices),
        get_device_properties=lambda index: devices[index],
    )
    return SimpleNamespace(__version__="2.13.0", version=SimpleNamespace(cuda=cuda_version), cuda=cuda)


def test_everything_torch_says_is_kept_and_ids_are_written_as_nvml_writes_them() -> None:
    evidence = describe(torch_with(properties()))
    assert evidence.version == Known(value="2.13.0", source=Source.TORCH)
    assert evidence.cuda_version == Known(value="13.0", source=Source.TORCH)
    assert isinstance(evidence.devices, Known)
    (device,) = evidence.devices.value
    assert device.uuid == Known(value=f"GPU-{UUID}", source=Source.TORCH)
    assert device.bus_id == Known(value="00000000:b7:00.0", source=Source.TORCH)
    assert device.compute_capability == Known(value="8.0", source=Source.TORCH)
    assert device.multiprocessor_count == Known(value=108, source=Source.TORCH)
    assert device.l2_cache_bytes == Known(value=41_943_040, source=Source.TORCH)


def test_an_older_torch_does_not_tell_everything() -> None:
    evidence = describe(torch_with(properties(pci_bus_id=None, L2_cache_size=None)))
    assert isinstance(evidence.devices, Known)
    (device,) = evidence.devices.value
    assert isinstance(device.bus_id, Unknown)
    assert device.bus_id.reason is Reason.NOT_SUPPORTED
    assert isinstance(device.l2_cache_bytes, Unknown)
    assert isinstance(device.name, Known)


def test_a_torch_without_cuda_says_so_and_shows_no_device() -> None:
    evidence = describe(torch_with(available=False, cuda_version=None))
    assert isinstance(evidence.cuda_version, Unknown)
    assert evidence.devices == Known(value=(), source=Source.TORCH)


def test_a_driver_that_fails_is_a_reason_and_no_empty_list() -> None:
    broken = torch_with(properties())

    def fail() -> bool:
        raise RuntimeError("CUDA driver initialization failed")

    broken.cuda.is_available = fail
    evidence = describe(broken)
    assert isinstance(evidence.devices, Unknown)
    assert evidence.devices.reason is Reason.FAULT


def test_devices_are_joined_by_uuid_and_never_by_index() -> None:
    """CUDA orders devices by speed, NVML by bus id."""
    cuda = torch_with(properties(uuid="bbbb"), properties(uuid="aaaa")).cuda
    assert index_of(cuda, "GPU-aaaa") == 1
    assert index_of(cuda, "GPU-bbbb") == 0


@pytest.mark.parametrize("uuid", ["GPU-cccc", "aaaa", "GPU-AAAA", ""])
def test_a_device_that_torch_does_not_show_is_not_found(uuid: str) -> None:
    with pytest.raises(NotMeasurableError, match="it shows GPU-aaaa") as raised:
        index_of(torch_with(properties(uuid="aaaa")).cuda, uuid)
    assert raised.value.reason is Reason.NOT_FOUND


def test_a_slice_is_not_the_card() -> None:
    """With MIG on, torch shows the slice under its own UUID."""
    with pytest.raises(NotMeasurableError, match="MIG-1234"):
        index_of(torch_with(properties(uuid="MIG-1234")).cuda, "GPU-1234")


def test_without_torch_every_reading_says_why() -> None:
    evidence = nothing_described(Reason.NOT_FOUND, "no torch")
    for reading in (evidence.version, evidence.cuda_version, evidence.devices):
        assert isinstance(reading, Unknown)
        assert reading.reason is Reason.NOT_FOUND
