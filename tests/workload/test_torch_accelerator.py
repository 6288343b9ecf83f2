"""What torch is asked to compute: the right product of the right data, in the right layout, in the right memory."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from typing_extensions import override

from gpuaudit.evidence.measurement import CollectiveTask, Dtype, GemmTask, MemoryTask
from gpuaudit.evidence.reading import Known, Reason, Unknown
from gpuaudit.units import Bytes
from gpuaudit.workload.accelerator import NotMeasurableError
from gpuaudit.workload.runtime import CudaRuntime, HostRuntime
from gpuaudit.workload.sampling import measure
from gpuaudit.workload.torch_accelerator import TorchAccelerator, open_cuda, open_host
from tests.workload.accelerators import capacity, terms
from tests.workload.standin_cuda import StandInCuda

CPU = torch.device("cpu")
ON_PROCESSORS = [Dtype.FP64, Dtype.FP32, Dtype.BF16, Dtype.FP16, Dtype.INT8]
TOLERANCE = {Dtype.FP64: 1e-9, Dtype.FP32: 1e-3, Dtype.TF32: 1e-3, Dtype.BF16: 0.3, Dtype.FP16: 0.1, Dtype.FP8: 1.0}


@pytest.fixture(autouse=True)
def _settings_as_before() -> Iterator[None]:
    matmul = torch.backends.cuda.matmul
    precision = torch.get_float32_matmul_precision()
    before = (matmul.allow_fp16_reduced_precision_reduction, matmul.allow_bf16_reduced_precision_reduction)
    state = torch.get_rng_state()
    yield
    torch.set_float32_matmul_precision(precision)
    matmul.allow_fp16_reduced_precision_reduction, matmul.allow_bf16_reduced_precision_reduction = before
    torch.set_rng_state(state)


def product(dtype: Dtype, layout: Any = "tn", *, edge: int = 64) -> GemmTask:
    return GemmTask(dtype=dtype, m=edge, n=edge // 2, k=edge * 2, layout=layout)


def device(capability: tuple[int, int]) -> TorchAccelerator:
    return TorchAccelerator((CPU,), CudaRuntime(StandInCuda(), (0,)), capability=capability)


@pytest.mark.parametrize("layout", ["nn", "nt", "tn", "tt"])
@pytest.mark.parametrize("dtype", ON_PROCESSORS)
def test_c_is_the_product_of_a_and_b_in_every_type_and_layout(dtype: Dtype, layout: str) -> None:
    kernel = open_host().prepare(product(dtype, layout), rotation_bytes=Bytes(0))
    kernel.time(1, passes=1)
    ((a, b, c),) = kernel._buffers
    assert a.is_contiguous() == (layout[0] == "t")
    assert b.is_contiguous() == (layout[1] == "t")
    exact = a.to(torch.float64) @ b.to(torch.float64)
    assert torch.equal(c, exact.to(torch.int32)) if dtype is Dtype.INT8 else (c - exact).abs().max() < TOLERANCE[dtype]


def test_fp8_gives_the_product_in_bf16() -> None:
    kernel = device((8, 9)).prepare(product(Dtype.FP8, edge=32), rotation_bytes=Bytes(0))
    kernel.time(1, passes=1)
    ((a, b, c),) = kernel._buffers
    assert (a.dtype, c.dtype) == (torch.float8_e4m3fn, torch.bfloat16)
    assert (c - a.to(torch.float64) @ b.to(torch.float64)).abs().max() < TOLERANCE[Dtype.FP8]


@pytest.mark.parametrize(
    ("dtype", "capability"),
    [
        pytest.param(Dtype.BF16, (7, 5), id="t4-imitates-bf16"),
        pytest.param(Dtype.TF32, (7, 5), id="t4-computes-tf32-as-fp32"),
        pytest.param(Dtype.FP8, (8, 0), id="a100-has-no-fp8"),
        pytest.param(Dtype.FP8, (8, 6), id="a10-has-no-fp8"),
        pytest.param(Dtype.INT8, (7, 0), id="v100-has-no-int8-tensor-cores"),
    ],
)
def test_a_type_that_the_device_would_only_imitate_is_refused(dtype: Dtype, capability: tuple[int, int]) -> None:
    _, reading = measure(device(capability), product(dtype), terms(0.1), ready=lambda: None)
    assert isinstance(reading, Unknown)
    assert reading.reason is Reason.NOT_SUPPORTED


@pytest.mark.parametrize("dtype", [Dtype.TF32, Dtype.FP8])
def test_a_processor_has_neither_tf32_nor_fp8(dtype: Dtype) -> None:
    _, reading = measure(open_host(), product(dtype), terms(0.1), ready=lambda: None)
    assert isinstance(reading, Unknown)
    assert reading.reason is Reason.NOT_SUPPORTED


def test_fp32_is_never_computed_as_tf32() -> None:
    torch.set_float32_matmul_precision("high")
    device((9, 0)).prepare(product(Dtype.FP32), rotation_bytes=Bytes(0))
    assert torch.get_float32_matmul_precision() == "highest"
    device((9, 0)).prepare(product(Dtype.TF32), rotation_bytes=Bytes(0))
    assert torch.get_float32_matmul_precision() == "high"


def test_half_precision_is_summed_in_full() -> None:
    matmul = torch.backends.cuda.matmul
    matmul.allow_fp16_reduced_precision_reduction = True
    matmul.allow_bf16_reduced_precision_reduction = True
    device((9, 0)).prepare(product(Dtype.BF16), rotation_bytes=Bytes(0))
    assert not matmul.allow_fp16_reduced_precision_reduction
    assert not matmul.allow_bf16_reduced_precision_reduction


@pytest.mark.parametrize("dtype", [Dtype.FP64, Dtype.BF16, Dtype.FP16])
def test_operands_are_standard_normal(dtype: Dtype) -> None:
    """Zeros would let the clock rise: 894 for 788 TFLOP/s on one H200."""
    kernel = open_host().prepare(product(dtype, edge=256), rotation_bytes=Bytes(0))
    values = kernel._buffers[0][0].to(torch.float64)
    assert abs(values.mean()) < 0.02
    assert abs(values.std() - 1) < 0.02


def test_int8_operands_take_all_256_values_alike() -> None:
    kernel = open_host().prepare(product(Dtype.INT8, edge=512), rotation_bytes=Bytes(0))
    counts = torch.bincount(kernel._buffers[0][0].flatten().to(torch.int64) + 128, minlength=256)
    assert len(counts) == 256
    assert counts.min() > 0.7 * counts.float().mean()


def test_two_processes_do_not_multiply_the_same_numbers() -> None:
    first, second = (open_host().prepare(product(Dtype.FP32), rotation_bytes=Bytes(0)) for _ in range(2))
    torch.manual_seed(0)
    third = open_host().prepare(product(Dtype.FP32), rotation_bytes=Bytes(0))
    torch.manual_seed(0)
    fourth = open_host().prepare(product(Dtype.FP32), rotation_bytes=Bytes(0))
    operands = [kernel._buffers[0][0] for kernel in (first, second, third, fourth)]
    assert all(not torch.equal(operands[i], operands[j]) for i in range(4) for j in range(i))


def test_sets_of_operands_are_used_in_turn_so_that_no_cache_holds_them() -> None:
    task = product(Dtype.FP32)
    kernel = open_host().prepare(task, rotation_bytes=Bytes(5 * 4 * (64 * 128 + 128 * 32 + 64 * 32)))
    sets = kernel._buffers
    assert len(sets) == 5
    assert len({each.data_ptr() for operands in sets for each in operands}) == 15
    for _, _, c in sets:
        c.fill_(float("nan"))
    written = []
    for _ in range(7):
        kernel.time(1, passes=1)
        fresh = [position for position, (_, _, c) in enumerate(sets) if not c.isnan().any()]
        written += fresh
        for position in fresh:
            sets[position][2].fill_(float("nan"))
    assert written == [0, 1, 2, 3, 4, 0, 1]


def test_a_copy_a_triad_and_a_sum_do_what_they_say() -> None:
    size = Bytes(3 * 4 * 1000)
    copy = open_host().prepare(MemoryTask(kind="copy", working_set_bytes=size), rotation_bytes=Bytes(0))
    copy.time(1, passes=1)
    assert torch.equal(*copy._buffers)
    triad = open_host().prepare(MemoryTask(kind="triad", working_set_bytes=size), rotation_bytes=Bytes(0))
    triad.time(1, passes=1)
    a, b, c = triad._buffers
    assert torch.allclose(a, b + 1.5 * c)
    assert triad.amount_per_pass() == size


@pytest.mark.parametrize("kind", ["copy", "read", "triad", "cached-copy"])
def test_traffic_is_counted_as_allocated(kind: Any) -> None:
    kernel = open_host().prepare(MemoryTask(kind=kind, working_set_bytes=Bytes(1_000_003)), rotation_bytes=Bytes(0))
    allocated = sum(buffer.numel() * buffer.element_size() for buffer in kernel._buffers)
    assert kernel.amount_per_pass() == allocated
    assert 1_000_003 - allocated < 24


def test_all_memory_that_was_filled_is_found_right() -> None:
    kernel = open_host().prepare(capacity(5), rotation_bytes=Bytes(0))
    kernel.time(1, passes=1)
    assert kernel.amount_per_pass() == 5 * 2**20
    blocks = kernel._buffers
    assert len(blocks) == 5
    assert all(not torch.equal(blocks[i], blocks[j]) for i in range(5) for j in range(i))


class _Memory(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Memory that loses what is written to one block, or is smaller than asked for."""

    def __init__(self, *, forgets: int = -1, holds: int = 10**9) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.forgets = forgets
        self.holds = holds
        self.filled = 0
        self.allocated = 0

    @override
    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func._schema.name
        if name == "aten::empty":
            self.allocated += 1
            if self.allocated > self.holds:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 1.00 MiB.")
        result = func(*args, **(kwargs or {}))
        if name == "aten::random_":
            if self.filled == self.forgets:
                result[7] ^= 1
            self.filled += 1
        return result


def test_one_wrong_bit_costs_the_piece_that_holds_it() -> None:
    kernel = open_host().prepare(capacity(5), rotation_bytes=Bytes(0))
    with _Memory(forgets=2):
        kernel.time(1, passes=1)
    assert kernel.amount_per_pass() == 4 * 2**20


def test_memory_that_ends_early_counts_as_far_as_it_goes() -> None:
    """A card that says 80 GB and has 40: what was filled is checked and counted, the rest is not there."""
    with _Memory(holds=3):
        _, reading = measure(open_host(), capacity(8), terms(1), ready=lambda: None)
    assert isinstance(reading, Known)
    assert reading.value.amount_per_run == 3 * 2**20


def test_no_memory_at_all_is_out_of_memory() -> None:
    with _Memory(holds=0):
        _, reading = measure(open_host(), capacity(8), terms(1), ready=lambda: None)
    assert isinstance(reading, Unknown)
    assert reading.reason is Reason.OUT_OF_MEMORY


def test_operands_that_do_not_fit_are_out_of_memory() -> None:
    task = MemoryTask(kind="copy", working_set_bytes=Bytes(2**52))
    _, reading = measure(open_host(), task, terms(1), ready=lambda: None)
    assert isinstance(reading, Unknown)
    assert reading.reason is Reason.OUT_OF_MEMORY


def test_buffers_are_gone_after_release() -> None:
    kernel = open_host().prepare(product(Dtype.FP32), rotation_bytes=Bytes(0))
    kernel.release()
    assert kernel._buffers == []


def test_a_collective_without_a_group_is_refused() -> None:
    with pytest.raises(NotMeasurableError, match="group"):
        open_host().prepare(CollectiveTask(kind="all-reduce", buffer_bytes=Bytes(8), backend="gloo"), rotation_bytes=Bytes(0))


def test_a_processor_measures_on_a_clock_that_moves() -> None:
    accelerator = TorchAccelerator((CPU,), HostRuntime())
    assert not accelerator.simulated
    assert accelerator.free_bytes() > 0
    before = accelerator.now()
    assert accelerator.now() >= before


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a torch that reaches no device")
def test_without_a_device_the_reason_is_given() -> None:
    with pytest.raises(NotMeasurableError) as raised:
        open_cuda(("GPU-x",))
    assert raised.value.reason is Reason.NOT_FOUND


@pytest.mark.parametrize("dtype", [Dtype.FP32, Dtype.BF16, Dtype.INT8])
def test_a_product_is_timed_as_a_plain_loop_times_it(dtype: Dtype) -> None:
    """Turn by turn, each first in every other pair: what else runs on the machine slows both alike."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        kernel = open_host().prepare(product(dtype, edge=512), rotation_bytes=Bytes(0))
        ((a, b, c),) = kernel._buffers
        multiply = torch._int_mm if dtype is Dtype.INT8 else torch.mm

        def plain() -> float:
            began = time.perf_counter()
            multiply(a, b, out=c)
            return time.perf_counter() - began

        kernel.time(3, passes=1)
        ratios: list[float] = []
        # At least 150 pairs; more, up to ten times as many, only where a busy machine leaves the median unclear.
        while len(ratios) < 150 or (len(ratios) < 1500 and abs(statistics.median(ratios) - 1) > 0.05):
            position = len(ratios)
            first = kernel.time(1, passes=1)[0] if position % 2 else plain()
            second = plain() if position % 2 else kernel.time(1, passes=1)[0]
            ratios.append(first / second if position % 2 else second / first)
    finally:
        torch.set_num_threads(threads)
    assert statistics.median(ratios) == pytest.approx(1, abs=0.1)
