from __future__ import annotations

import ctypes
import os
from typing import Any

import pytest

from gpuaudit.attester.nvml.session import collect_nvml
from gpuaudit.evidence.device import ProcessReadings
from gpuaudit.evidence.reading import Reason
from gpuaudit.simulated.device import DeviceState, SimulatedDevice
from gpuaudit.simulated.nvml import simulated_nvml
from gpuaudit.simulated.nvml_dynamic import FOREIGN_PROCESS_BYTES
from gpuaudit.simulated.nvml_structs import ProcessInfo, address, put
from tests.attester.nvml.cards import card, reason_of, value_of

COMPUTE = "nvmlDeviceGetComputeRunningProcesses_v2"
GRAPHICS = "nvmlDeviceGetGraphicsRunningProcesses_v2"


def processes_of(device: SimulatedDevice, **replaced: Any) -> ProcessReadings:
    with simulated_nvml([device]) as library:
        for name, function in replaced.items():
            library.replace(name, function)
        return collect_nvml().devices[0].processes


def listing(*infos: ProcessInfo) -> Any:
    def function(_handle: Any, count: Any, target: Any) -> int:
        put(count, ctypes.c_uint(len(infos)))
        put(target, (ProcessInfo * len(infos))(*infos))
        return 0

    return function


def test_an_idle_card_runs_nothing() -> None:
    found = processes_of(card())
    assert (value_of(found.compute_count), value_of(found.graphics_count), value_of(found.used_bytes)) == (0, 0, 0)


def test_foreign_processes_are_counted_with_their_memory() -> None:
    found = processes_of(card(foreign_processes=3))
    assert value_of(found.compute_count) == 3
    assert value_of(found.used_bytes) == 3 * FOREIGN_PROCESS_BYTES


def test_own_work_is_counted_too() -> None:
    found = processes_of(card(foreign_processes=1, state=DeviceState(used_bytes=4096)))
    assert value_of(found.compute_count) == 2
    assert value_of(found.used_bytes) == FOREIGN_PROCESS_BYTES + 4096


def test_who_runs_there_is_not_kept() -> None:
    found = repr(processes_of(card(state=DeviceState(used_bytes=1))))
    assert str(os.getpid()) not in found


def test_a_process_that_computes_and_draws_is_counted_in_both_lists_and_its_memory_once() -> None:
    same, other = ProcessInfo(pid=7, used_bytes=100), ProcessInfo(pid=8, used_bytes=20)
    found = processes_of(card(), **{COMPUTE: listing(same), GRAPHICS: listing(same, other)})
    assert (value_of(found.compute_count), value_of(found.graphics_count)) == (1, 2)
    assert value_of(found.used_bytes) == 120


def test_memory_that_nvml_does_not_tell_is_unknown_and_the_count_stays() -> None:
    found = processes_of(card(), **{COMPUTE: listing(ProcessInfo(pid=7, used_bytes=2**64 - 1))})
    assert value_of(found.compute_count) == 1
    assert reason_of(found.used_bytes) is Reason.NOT_SUPPORTED


def test_without_one_of_the_lists_the_memory_is_not_a_sum() -> None:
    found = processes_of(card(foreign_processes=1, refuses={GRAPHICS: 4}))
    assert value_of(found.compute_count) == 1
    assert reason_of(found.graphics_count) is Reason.NO_PERMISSION
    assert reason_of(found.used_bytes) is Reason.NO_PERMISSION


@pytest.mark.parametrize("count", [4097, 2**31, 2**32 - 1])
def test_a_count_beyond_belief_costs_no_memory_and_is_a_fault(count: int) -> None:
    def boast(_handle: Any, target: Any, _infos: Any) -> int:
        put(target, ctypes.c_uint(count))
        return 0

    assert reason_of(processes_of(card(), **{COMPUTE: boast}).compute_count) is Reason.FAULT


def test_more_processes_than_fit_are_a_fault_not_a_smaller_number() -> None:
    assert reason_of(processes_of(card(foreign_processes=5000)).compute_count) is Reason.FAULT


def test_longer_entries_of_a_driver_of_2023_do_not_write_past_the_end() -> None:
    def longer(_handle: Any, count: Any, infos: Any) -> int:
        ctypes.memset(address(infos), 0, 4096 * 32)
        put(count, ctypes.c_uint(4096))
        return 0

    assert value_of(processes_of(card(), **{COMPUTE: longer}).compute_count) == 4096


def test_where_version_2_is_gone_version_3_is_asked() -> None:
    with simulated_nvml([card(foreign_processes=2)]) as library:
        library.remove(COMPUTE)
        found = collect_nvml().devices[0].processes
        assert "nvmlDeviceGetComputeRunningProcesses_v3" in library.calls
    assert value_of(found.compute_count) == 2
