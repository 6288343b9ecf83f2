"""The CUDA path over the stand-in: the code of `CudaRuntime` and of every kernel, as far as a machine without a GPU runs it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import torch

from gpuaudit.evidence.measurement import Dtype, GemmTask, HostLinkTask, MemoryTask, PeerTask, Samples, Task
from gpuaudit.evidence.reading import Known, Reason
from gpuaudit.units import Bytes
from gpuaudit.workload.accelerator import NotMeasurableError
from gpuaudit.workload.runtime import CudaRuntime, HostRuntime
from gpuaudit.workload.sampling import measure
from gpuaudit.workload.torch_accelerator import TorchAccelerator
from tests.workload.accelerators import capacity, terms
from tests.workload.standin_cuda import MisuseError, StandInCuda

SIZE = Bytes(2**16)
CPU = torch.device("cpu")

TASKS: list[Task] = [
    GemmTask(dtype=Dtype.FP32, m=128, n=64, k=32, layout="tn"),
    GemmTask(dtype=Dtype.INT8, m=64, n=64, k=64, layout="tn"),
    MemoryTask(kind="copy", working_set_bytes=SIZE),
    MemoryTask(kind="read", working_set_bytes=SIZE),
    MemoryTask(kind="triad", working_set_bytes=SIZE),
    MemoryTask(kind="cached-copy", working_set_bytes=SIZE),
    capacity(3),
    HostLinkTask(kind="host-to-device", buffer_bytes=SIZE),
    HostLinkTask(kind="device-to-host", buffer_bytes=SIZE),
    HostLinkTask(kind="host-duplex", buffer_bytes=SIZE),
    PeerTask(kind="peer-one-way", buffer_bytes=SIZE),
    PeerTask(kind="peer-both-ways", buffer_bytes=SIZE),
]


@pytest.fixture
def cuda() -> Iterator[StandInCuda]:
    stand_in = StandInCuda(devices=2)
    with stand_in.watching():
        yield stand_in


def accelerator_on(cuda: StandInCuda, task: Task) -> TorchAccelerator:
    count = 2 if isinstance(task, PeerTask) else 1
    return TorchAccelerator((CPU,) * count, CudaRuntime(cuda, range(count)), capability=(9, 0))


@pytest.mark.parametrize("task", TASKS, ids=lambda task: f"{task.kind}")
def test_every_task_keeps_the_rules_of_streams_events_and_memory(cuda: StandInCuda, task: Task) -> None:
    measured, reading = measure(accelerator_on(cuda, task), task, terms(0.05), ready=lambda: None)
    assert measured == task
    assert isinstance(reading, Known)
    assert isinstance(reading.value, Samples)
    assert min(reading.value.seconds) > 0
    assert cuda.emptied > 0


@pytest.mark.parametrize("kind", ["host-duplex", "peer-both-ways"])
def test_both_directions_run_on_streams_of_their_own_and_both_arrive(cuda: StandInCuda, kind: Any) -> None:
    task = HostLinkTask(kind=kind, buffer_bytes=SIZE) if kind == "host-duplex" else PeerTask(kind=kind, buffer_bytes=SIZE)
    kernel = accelerator_on(cuda, task).prepare(task, rotation_bytes=Bytes(0))
    for first, second in kernel._buffers:
        assert not torch.equal(first, second)
    kernel.time(1, passes=1)
    for first, second in kernel._buffers:
        assert torch.equal(first, second)


def test_what_follows_waits_for_both_lanes(cuda: StandInCuda) -> None:
    runtime = CudaRuntime(cuda, (0,))
    one, two = torch.zeros(4), torch.zeros(4)
    runtime.at_once(lambda: one.add_(1), lambda: two.add_(2))
    assert (one + two).tolist() == [3.0] * 4


def test_lanes_do_not_wait_for_each_other() -> None:
    """Else two directions would take turns, and a link would seem half as fast both ways."""
    cuda = StandInCuda()
    runtime = CudaRuntime(cuda, (0,))
    shared = torch.zeros(4)
    with cuda.watching(), pytest.raises(MisuseError, match="did not wait"):
        runtime.at_once(lambda: shared.add_(1), lambda: shared.add_(1))


def test_each_run_has_its_own_pair_of_events(cuda: StandInCuda) -> None:
    runtime = CudaRuntime(cuda, (0,))
    buffer = torch.zeros(2**16)
    seconds = runtime.time(lambda: buffer.add_(1), 5, 3)
    assert len(seconds) == 5
    assert cuda.events == 10
    assert buffer[0].item() == 15.0


def test_the_free_memory_is_that_of_the_device(cuda: StandInCuda) -> None:
    cuda.free_bytes = 12345
    assert CudaRuntime(cuda, (0,)).free_bytes() == 12345


def test_memory_is_given_back_after_every_device_has_finished(cuda: StandInCuda) -> None:
    runtime = CudaRuntime(cuda, (0, 1))
    buffers: list[Any] = [torch.zeros(4), torch.zeros(4)]
    runtime.at_once(lambda: buffers[0].add_(1), lambda: buffers[1].add_(1))
    assert not cuda.idle()
    runtime.finish(buffers)
    assert cuda.idle()
    assert (buffers, cuda.emptied) == ([], 1)


def test_a_processor_has_no_link_to_a_device() -> None:
    accelerator = TorchAccelerator((CPU,), HostRuntime())
    for task in (HostLinkTask(kind="host-to-device", buffer_bytes=SIZE), HostLinkTask(kind="host-duplex", buffer_bytes=SIZE)):
        with pytest.raises(NotMeasurableError) as raised:
            accelerator.prepare(task, rotation_bytes=Bytes(0))
        assert raised.value.reason is Reason.NOT_SUPPORTED
    with pytest.raises(NotMeasurableError):
        HostRuntime().at_once(lambda: None, lambda: None)
