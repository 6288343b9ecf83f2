"""How much work a task is: flop of a product, bytes of a copy, bus bytes of a collective."""

from __future__ import annotations

from typing import Final

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

# Bump when the same device would give a different number.
_METHODS: Final = {
    "gemm": "gemm/1",
    "copy": "memory/1",
    "read": "memory/1",
    "triad": "memory/1",
    "cached-copy": "memory/1",
    "capacity": "capacity/1",
    "host-to-device": "host-link/1",
    "device-to-host": "host-link/1",
    "host-duplex": "host-link/1",
    "peer-one-way": "peer/1",
    "peer-both-ways": "peer/1",
    "all-reduce": "collective/1",
    "all-to-all": "collective/1",
}
_OPERAND_BYTES: Final = {
    Dtype.FP64: 8,
    Dtype.FP32: 4,
    Dtype.TF32: 4,
    Dtype.BF16: 2,
    Dtype.FP16: 2,
    Dtype.FP8: 1,
    Dtype.INT8: 1,
}
# int8 products add up in int32; fp8 products are written as bf16.
_RESULT_BYTES: Final = _OPERAND_BYTES | {Dtype.FP8: 2, Dtype.INT8: 4}


def method_of(task: Task) -> str:
    """Name the method by which `task` is measured, with its version."""
    return _METHODS[task.kind]


def operand_bytes(task: GemmTask) -> Bytes:
    """Return what one set of A, B and C takes."""
    operands = (task.m * task.k + task.k * task.n) * _OPERAND_BYTES[task.dtype]
    return Bytes(operands + task.m * task.n * _RESULT_BYTES[task.dtype])


def amount_of(task: Task, *, devices: int = 1) -> float:
    """Return what one pass of `task` over `devices` devices works off.

    A multiply-add is two flop. A collective counts bus bytes as nccl-tests defines them [1]: what each link of an ideal ring
    carries, which for n devices is 2(n-1)/n of the buffer for an all-reduce and (n-1)/n for an all-to-all.

    Source:
        [1] https://github.com/NVIDIA/nccl-tests/blob/master/doc/PERFORMANCE.md, read 2026-11-23
    """
    match task:
        case GemmTask():
            return 2.0 * task.m * task.n * task.k
        case MemoryTask():
            return float(task.working_set_bytes)
        case CapacityTask():
            return float(task.requested_bytes)
        case HostLinkTask():
            return float(task.buffer_bytes * (2 if task.kind == "host-duplex" else 1))
        case PeerTask():
            return float(task.buffer_bytes * (2 if task.kind == "peer-both-ways" else 1))
        case CollectiveTask():
            around = 2 if task.kind == "all-reduce" else 1
            return task.buffer_bytes * around * (devices - 1) / devices
