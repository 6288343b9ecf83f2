from __future__ import annotations

import ctypes

import pynvml  # noqa: TID251 - the real one runs above the simulation
import pytest
from nvitop import Device, libnvml

from gpuaudit.attester.nvml.session import collect_nvml
from gpuaudit.evidence.reading import Known
from gpuaudit.simulated.nvml import simulated_nvml
from gpuaudit.simulated.spec import parse_spec


@pytest.fixture
def loaded(monkeypatch: pytest.MonkeyPatch) -> tuple[object, ...]:
    """A process that has loaded a library and used it once."""
    library = ctypes.CDLL(None)
    monkeypatch.setattr(pynvml, "nvmlLib", library)
    monkeypatch.setattr(pynvml, "_nvmlLib_refcount", 1)
    monkeypatch.setattr(pynvml, "_nvmlGetFunctionPointer_cache", {"nvmlDeviceGetName": library.printf})
    return snapshot()


def snapshot() -> tuple[object, ...]:
    return (
        pynvml.nvmlLib,
        pynvml._nvmlLib_refcount,
        dict(pynvml._nvmlGetFunctionPointer_cache),
        dict(pynvml.NVMLError._errcode_to_string),
    )


def test_afterwards_pynvml_is_as_it_was(loaded: tuple[object, ...]) -> None:
    with simulated_nvml(parse_spec("t4")):
        collect_nvml()
        pynvml.nvmlInit()
        assert str(pynvml.NVMLError(77)) == "simulated return code 77"
        assert snapshot() != loaded
    assert snapshot() == loaded


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, SystemExit])
def test_afterwards_pynvml_is_as_it_was_whatever_happened(loaded: tuple[object, ...], error: type[BaseException]) -> None:
    def fail() -> None:
        with simulated_nvml(parse_spec("t4")):
            pynvml.nvmlInit()
            raise error

    with pytest.raises(error):
        fail()
    assert snapshot() == loaded


def test_a_simulation_within_a_simulation_is_refused_and_the_outer_one_stays() -> None:
    with simulated_nvml(parse_spec("t4")):
        with pytest.raises(RuntimeError, match="already beneath pynvml"), simulated_nvml(parse_spec("l40s")):
            pass
        assert len(collect_nvml().devices) == 1
        pynvml.nvmlInit()
        assert pynvml.nvmlDeviceGetName(pynvml.nvmlDeviceGetHandleByIndex(0)) == "Tesla T4"


def test_nothing_of_one_machine_answers_for_the_next() -> None:
    seen = []
    for spec in ("t4:1", "h100-sxm5-80gb:3", "l40s:2"):
        with simulated_nvml(parse_spec(spec)):
            seen.append([name.value for device in collect_nvml().devices if isinstance(name := device.identity.name, Known)])
    assert seen == [["Tesla T4"], ["NVIDIA H100 80GB HBM3"] * 3, ["NVIDIA L40S"] * 2]


def test_the_driver_can_be_another() -> None:
    with simulated_nvml(parse_spec("a100-sxm4-80gb"), driver_version="535.54.03", cuda_driver_version=12_020):
        evidence = collect_nvml()
    assert evidence.driver_version == Known(value="535.54.03", source=evidence.device_count.source)
    assert evidence.nvml_version == Known(value="12.535.54.03", source=evidence.device_count.source)
    assert evidence.cuda_driver_version == Known(value=12_020, source=evidence.device_count.source)
    assert evidence.devices[0].firmware.gsp_firmware_version == evidence.driver_version


def test_nvitop_stands_on_the_simulation() -> None:
    devices = parse_spec("a100-sxm4-80gb:1,rtx-4090:1")
    devices[0].state.used_bytes = 10 * 2**30
    devices[0].state.gpu_utilization_percent = 93
    with simulated_nvml(devices):
        try:
            found = Device.all()
            a100, consumer = (device.as_snapshot() for device in found)
            assert Device.driver_version() == "580.105.08"
        finally:
            libnvml.nvmlShutdown()
    assert [a100.name, consumer.name] == ["NVIDIA A100-SXM4-80GB", "NVIDIA GeForce RTX 4090"]
    assert [a100.uuid, consumer.uuid] == [device.uuid for device in devices]
    assert a100.memory_total == 81920 * 2**20
    assert a100.memory_used == 10 * 2**30
    assert a100.gpu_utilization == 93
    assert a100.max_clock_infos.sm == 1410
    assert a100.power_limit == 500_000
    assert a100.cuda_compute_capability == (8, 0)
    assert consumer.mig_mode == "N/A"
