from __future__ import annotations

from typing import get_args, get_type_hints

import pytest

from gpuaudit.evidence.measurement import (
    CapacityTask,
    CollectiveTask,
    Dtype,
    GemmTask,
    HostLinkTask,
    MemoryTask,
    PeerTask,
    Task,
)
from gpuaudit.units import Bytes
from gpuaudit.workload.amounts import amount_of, method_of, operand_bytes

SIZE = Bytes(1_000_000)


@pytest.mark.parametrize(
    ("task", "devices", "amount"),
    [
        pytest.param(GemmTask(dtype=Dtype.BF16, m=2, n=3, k=5, layout="tn"), 1, 60, id="two-flop-per-multiply-add"),
        pytest.param(MemoryTask(kind="copy", working_set_bytes=SIZE), 1, 1e6, id="read-and-write-are-both-counted"),
        pytest.param(CapacityTask(requested_bytes=SIZE, block_bytes=Bytes(1000)), 1, 1e6, id="capacity"),
        pytest.param(HostLinkTask(kind="host-to-device", buffer_bytes=SIZE), 1, 1e6, id="one-way"),
        pytest.param(HostLinkTask(kind="host-duplex", buffer_bytes=SIZE), 1, 2e6, id="duplex"),
        pytest.param(PeerTask(kind="peer-one-way", buffer_bytes=SIZE), 2, 1e6, id="peer"),
        pytest.param(PeerTask(kind="peer-both-ways", buffer_bytes=SIZE), 2, 2e6, id="peer-both-ways"),
        # From the table of nccl-tests' PERFORMANCE.md.
        pytest.param(CollectiveTask(kind="all-reduce", buffer_bytes=SIZE, backend="x"), 8, 1.75e6, id="all-reduce-of-8"),
        pytest.param(CollectiveTask(kind="all-reduce", buffer_bytes=SIZE, backend="x"), 2, 1e6, id="all-reduce-of-2"),
        pytest.param(CollectiveTask(kind="all-to-all", buffer_bytes=SIZE, backend="x"), 8, 0.875e6, id="all-to-all-of-8"),
        pytest.param(CollectiveTask(kind="all-to-all", buffer_bytes=SIZE, backend="x"), 2, 0.5e6, id="all-to-all-of-2"),
    ],
)
def test_the_amount_of_work(task: Task, devices: int, amount: float) -> None:
    assert amount_of(task, devices=devices) == amount


@pytest.mark.parametrize(
    ("dtype", "size"),
    [(Dtype.FP64, 8 * 31), (Dtype.TF32, 4 * 31), (Dtype.BF16, 2 * 31), (Dtype.FP8, 25 + 2 * 6), (Dtype.INT8, 25 + 4 * 6)],
)
def test_the_memory_of_one_set_of_operands(dtype: Dtype, size: int) -> None:
    assert operand_bytes(GemmTask(dtype=dtype, m=2, n=3, k=5, layout="tn")) == size


KINDS = [kind for member in get_args(get_args(Task)[0]) for kind in get_args(get_type_hints(member)["kind"])]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_task_has_a_method_with_a_version(kind: str) -> None:
    assert method_of(_with_kind(kind)).endswith("/1")


def _with_kind(kind: str) -> Task:
    match kind:
        case "copy" | "read" | "triad" | "cached-copy":
            return MemoryTask(kind=kind, working_set_bytes=SIZE)
        case "host-to-device" | "device-to-host" | "host-duplex":
            return HostLinkTask(kind=kind, buffer_bytes=SIZE)
        case "peer-one-way" | "peer-both-ways":
            return PeerTask(kind=kind, buffer_bytes=SIZE)
        case "all-reduce" | "all-to-all":
            return CollectiveTask(kind=kind, buffer_bytes=SIZE, backend="x")
        case "gemm":
            return GemmTask(dtype=Dtype.BF16, m=1, n=1, k=1, layout="tn")
        case _:
            return CapacityTask(requested_bytes=SIZE, block_bytes=SIZE)
