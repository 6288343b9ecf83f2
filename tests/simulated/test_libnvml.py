from __future__ import annotations

import ctypes
from collections.abc import Iterator

import pynvml  # noqa: TID251 - the real one runs above the simulation
import pytest

from gpuaudit.simulated.device import DeviceState
from gpuaudit.simulated.libnvml import SimulatedLibrary
from gpuaudit.simulated.nvml import simulated_nvml
from gpuaudit.simulated.nvml_structs import MemoryV2
from gpuaudit.simulated.profile import load_profile
from gpuaudit.simulated.spec import honest_device, parse_spec

STATE = DeviceState(
    sm_clock_megahertz=1380,
    memory_clock_megahertz=2600,
    power_milliwatts=612_345,
    energy_millijoules=2**40,
    temperature_celsius=66,
    throttle_reasons_mask=2**33,
    gpu_utilization_percent=97,
    pcie_transmit_kilobytes_per_second=1_234_567,
    pcie_receive_kilobytes_per_second=7_654_321,
    used_bytes=3 * 2**30,
)


@pytest.fixture
def library() -> Iterator[SimulatedLibrary]:
    first, second = parse_spec("h100-sxm5-80gb:1,t4:1")
    first = honest_device(0, first.reported)
    for name in STATE.__slots__:
        setattr(first.state, name, getattr(STATE, name))
    with simulated_nvml([first, second]) as library:
        pynvml.nvmlInit()
        yield library


@pytest.fixture
def h100(library: SimulatedLibrary) -> object:
    return pynvml.nvmlDeviceGetHandleByIndex(0)


@pytest.fixture
def t4(library: SimulatedLibrary) -> object:
    return pynvml.nvmlDeviceGetHandleByIndex(1)


def test_pynvmls_own_marshalling_reads_the_counters_of_the_state(h100: object) -> None:
    assert pynvml.nvmlDeviceGetClockInfo(h100, pynvml.NVML_CLOCK_SM) == 1380
    assert pynvml.nvmlDeviceGetClockInfo(h100, pynvml.NVML_CLOCK_MEM) == 2600
    assert pynvml.nvmlDeviceGetPowerUsage(h100) == 612_345
    assert pynvml.nvmlDeviceGetTotalEnergyConsumption(h100) == 2**40
    assert pynvml.nvmlDeviceGetTemperature(h100, pynvml.NVML_TEMPERATURE_GPU) == 66
    assert pynvml.nvmlDeviceGetTemperatureV(h100, pynvml.NVML_TEMPERATURE_GPU) == 66
    assert pynvml.nvmlDeviceGetCurrentClocksThrottleReasons(h100) == 2**33
    assert pynvml.nvmlDeviceGetCurrentClocksEventReasons(h100) == 2**33
    assert pynvml.nvmlDeviceGetUtilizationRates(h100).gpu == 97
    assert pynvml.nvmlDeviceGetPcieThroughput(h100, pynvml.NVML_PCIE_UTIL_TX_BYTES) == 1_234_567
    assert pynvml.nvmlDeviceGetPcieThroughput(h100, pynvml.NVML_PCIE_UTIL_RX_BYTES) == 7_654_321
    assert pynvml.nvmlDeviceGetMemoryInfo(h100, pynvml.nvmlMemory_v2).used == 3 * 2**30


def test_pynvmls_own_marshalling_reads_processes(h100: object, t4: object) -> None:
    for newest in (pynvml.nvmlDeviceGetComputeRunningProcesses, pynvml.nvmlDeviceGetComputeRunningProcesses_v2):
        (process,) = newest(h100)
        assert process.usedGpuMemory == 3 * 2**30
        assert newest(t4) == []


def test_a_device_is_found_by_any_of_its_names(h100: object) -> None:
    uuid = pynvml.nvmlDeviceGetUUID(h100)
    bus_id = pynvml.nvmlDeviceGetPciInfo(h100).busId
    for handle in (pynvml.nvmlDeviceGetHandleByUUID(uuid), pynvml.nvmlDeviceGetHandleByPciBusId(bus_id)):
        assert pynvml.nvmlDeviceGetIndex(handle) == 0
    with pytest.raises(pynvml.NVMLError_NotFound):
        pynvml.nvmlDeviceGetHandleByUUID("GPU-of-another-machine")


def test_nothing_answers_before_it_is_started_and_as_often_as_started_it_must_be_shut_down() -> None:
    with simulated_nvml(parse_spec("t4")):
        for _ in range(2):
            pynvml.nvmlInit()
        handle = pynvml.nvmlDeviceGetHandleByIndex(0)
        pynvml.nvmlShutdown()
        assert pynvml.nvmlDeviceGetName(handle) == "Tesla T4"
        pynvml.nvmlShutdown()
        for ask in (pynvml.nvmlDeviceGetCount, lambda: pynvml.nvmlDeviceGetName(handle), pynvml.nvmlShutdown):
            with pytest.raises(pynvml.NVMLError_Uninitialized):
                ask()


@pytest.mark.parametrize("index", [2, 64, 2**31])
def test_there_is_no_device_beyond_the_last(library: SimulatedLibrary, index: int) -> None:
    with pytest.raises(pynvml.NVMLError_InvalidArgument):
        pynvml.nvmlDeviceGetHandleByIndex(index)


def test_a_handle_that_was_never_given_out_is_refused(library: SimulatedLibrary) -> None:
    with pytest.raises(pynvml.NVMLError_InvalidArgument):
        pynvml.nvmlDeviceGetName(pynvml.c_nvmlDevice_t())


def test_a_struct_of_another_version_is_refused_unwritten(library: SimulatedLibrary, h100: object) -> None:
    asked = MemoryV2(version=0x03000028)
    assert library.nvmlDeviceGetMemoryInfo_v2(h100, ctypes.byref(asked)) == 25
    assert asked.total == 0


def test_a_buffer_that_is_too_small_is_left_alone(library: SimulatedLibrary, h100: object) -> None:
    buffer = ctypes.create_string_buffer(b"untouched", 12)
    assert library.nvmlDeviceGetName(h100, buffer, ctypes.c_uint(12)) == 7
    assert buffer.value == b"untouched"


def test_a_list_of_processes_that_does_not_fit_says_how_many_there_are() -> None:
    busy = honest_device(0, load_profile("t4"))
    busy.state.used_bytes = 1
    with simulated_nvml([busy]) as library:
        pynvml.nvmlInit()
        count = ctypes.c_uint(0)
        handle = pynvml.nvmlDeviceGetHandleByIndex(0)
        assert library.nvmlDeviceGetComputeRunningProcesses_v3(handle, ctypes.byref(count), None) == 7
        assert count.value == 1


def test_a_function_that_is_not_there_is_not_found(library: SimulatedLibrary, h100: object) -> None:
    assert not hasattr(library, "nvmlDeviceSetPowerManagementLimit")
    with pytest.raises(pynvml.NVMLError_FunctionNotFound):
        pynvml.nvmlDeviceSetPowerManagementLimit(h100, 100_000)


def test_a_device_refuses_with_the_code_that_it_is_given() -> None:
    refusing = parse_spec("t4:2")
    refusing[1].refuses["nvmlDeviceGetName"] = 15
    with simulated_nvml(refusing):
        pynvml.nvmlInit()
        assert pynvml.nvmlDeviceGetName(pynvml.nvmlDeviceGetHandleByIndex(0)) == "Tesla T4"
        with pytest.raises(pynvml.NVMLError_GpuIsLost):
            pynvml.nvmlDeviceGetName(pynvml.nvmlDeviceGetHandleByIndex(1))


def test_functions_are_plain_so_that_pynvml_can_set_their_result_type(library: SimulatedLibrary) -> None:
    assert pynvml.nvmlErrorString(3) == "simulated return code 3"


def test_a_function_can_be_replaced_after_pynvml_has_looked_it_up(library: SimulatedLibrary, t4: object) -> None:
    assert pynvml.nvmlDeviceGetName(t4) == "Tesla T4"
    before = library.replace("nvmlDeviceGetName", lambda *_arguments: 4)
    with pytest.raises(pynvml.NVMLError_NoPermission):
        pynvml.nvmlDeviceGetName(t4)
    library.replace("nvmlDeviceGetName", before)
    assert pynvml.nvmlDeviceGetName(t4) == "Tesla T4"


@pytest.mark.parametrize("change", ["replace", "remove"])
def test_a_misspelt_function_is_not_changed_in_silence(library: SimulatedLibrary, change: str) -> None:
    with pytest.raises(KeyError):
        getattr(library, change)(*(["nvmlDeviceGetNmae", int] if change == "replace" else ["nvmlDeviceGetNmae"]))


def test_calls_are_written_down_in_order(library: SimulatedLibrary, t4: object) -> None:
    library.calls.clear()
    pynvml.nvmlDeviceGetName(t4)
    pynvml.nvmlDeviceGetUUID(t4)
    assert library.calls == ["nvmlDeviceGetName", "nvmlDeviceGetUUID"]
