from __future__ import annotations

import pytest
import torch

from gpuaudit.evidence.reading import Reason
from gpuaudit.workload.accelerator import NotMeasurableError
from gpuaudit.workload.torch_errors import as_measurable, reason_of


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."), Reason.OUT_OF_MEMORY),
        (RuntimeError("CUDA error: out of memory\nCUDA kernel errors might be"), Reason.OUT_OF_MEMORY),
        (RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory"), Reason.OUT_OF_MEMORY),
        (MemoryError(), Reason.OUT_OF_MEMORY),
        (RuntimeError("CUDA error: device lost"), Reason.LOST),
        (RuntimeError("CUDA error: all CUDA-capable devices are busy or unavailable"), Reason.BUSY),
        (NotImplementedError("\"normal_kernel_cpu\" not implemented for 'Float8_e4m3fn'"), Reason.NOT_SUPPORTED),
        (RuntimeError("torch._scaled_mm is only supported on CUDA devices with compute capability"), Reason.NOT_SUPPORTED),
        (RuntimeError("Distributed package doesn't have NCCL built in"), Reason.NOT_SUPPORTED),
        (AssertionError("Torch not compiled with CUDA enabled"), Reason.NOT_SUPPORTED),
        (RuntimeError("CUDA error: an illegal memory access was encountered"), Reason.FAULT),
        (RuntimeError(""), Reason.FAULT),
    ],
    ids=lambda value: value.name if isinstance(value, Reason) else str(value)[:30],
)
def test_what_torch_raises_has_a_reason(error: Exception, reason: Reason) -> None:
    assert reason_of(error) is reason
    with pytest.raises(NotMeasurableError) as raised, as_measurable():
        raise error
    assert raised.value.reason is reason
    assert "\n" not in raised.value.detail
    assert raised.value.detail


def test_what_already_has_a_reason_keeps_it() -> None:
    with pytest.raises(NotMeasurableError, match="gone") as raised, as_measurable():
        raise NotMeasurableError(Reason.LOST, "gone")
    assert raised.value.reason is Reason.LOST


def test_our_own_faults_are_not_hidden() -> None:
    with pytest.raises(KeyError), as_measurable():
        raise KeyError("ours")


def test_a_message_of_any_length_is_cut() -> None:
    with pytest.raises(NotMeasurableError) as raised, as_measurable():
        raise RuntimeError("x" * 100_000)
    assert len(raised.value.detail) <= 300
