"""torch's devices as accelerators. The only module that speaks torch, and only workers import it."""

from __future__ import annotations

import itertools
import secrets
import time
from collections.abc import Callable
from typing import Any, Final

import torch
from torch import Tensor

from gpuaudit.evidence.host import TorchEvidence
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
from gpuaudit.evidence.reading import Reason
from gpuaudit.units import Bytes, Seconds
from gpuaudit.workload.accelerator import NotMeasurableError
from gpuaudit.workload.amounts import amount_of, operand_bytes
from gpuaudit.workload.collective import Group
from gpuaudit.workload.messages import InGroup
from gpuaudit.workload.runtime import CudaRuntime, HostRuntime, Runtime
from gpuaudit.workload.torch_devices import describe, index_of
from gpuaudit.workload.torch_errors import as_measurable, reason_of

_TYPES: Final = {
    Dtype.FP64: torch.float64,
    Dtype.FP32: torch.float32,
    Dtype.TF32: torch.float32,
    Dtype.BF16: torch.bfloat16,
    Dtype.FP16: torch.float16,
    Dtype.FP8: torch.float8_e4m3fn,
    Dtype.INT8: torch.int8,
}
_RESULT_TYPES: Final = _TYPES | {Dtype.FP8: torch.bfloat16, Dtype.INT8: torch.int32}
# Lowest compute capability with tensor-core arithmetic of the type; below it, torch computes in another type without saying so.
# CUDA C++ programming guide, "Features and Technical Specifications", read 2026-11-23.
_LOWEST_CAPABILITY: Final = {Dtype.TF32: (8, 0), Dtype.BF16: (8, 0), Dtype.FP8: (8, 9), Dtype.INT8: (7, 5)}
_NOT_ON_PROCESSORS: Final = frozenset({Dtype.TF32, Dtype.FP8})
_CHUNK_BYTES: Final = 64 * 1024 * 1024
_MOST_SETS: Final = 64


def describe_torch() -> TorchEvidence:
    """Return what the installed torch says of itself and its devices."""
    return describe(torch)


def open_host() -> TorchAccelerator:
    """Open the processor."""
    return TorchAccelerator((torch.device("cpu"),), HostRuntime())


def open_cuda(uuids: tuple[str, ...]) -> TorchAccelerator:
    """Open the devices called `uuids`; the first is the one that is timed.

    Raises:
        NotMeasurableError: torch shows no such device, or two of them cannot reach each other's memory.
    """
    with as_measurable():
        indices = [index_of(torch.cuda, uuid) for uuid in uuids]
        for first, second in itertools.permutations(indices, 2):
            if not torch.cuda.can_device_access_peer(first, second):
                raise NotMeasurableError(Reason.NOT_SUPPORTED, f"{uuids[0]} and {uuids[1]} cannot reach each other's memory")
        # Else stray work would open a context on device 0, beside the worker that measures there.
        torch.cuda.set_device(indices[0])
        devices = tuple(torch.device("cuda", index) for index in indices)
        return TorchAccelerator(
            devices, CudaRuntime(torch.cuda, indices), capability=torch.cuda.get_device_capability(indices[0])
        )


def join_group(accelerator: TorchAccelerator, place: InGroup) -> Group:
    """Meet the other processes of a group, each with the device of its own accelerator.

    Raises:
        NotMeasurableError: The others did not come, or torch has no library for collectives on such devices.
    """
    device, runtime = accelerator.device_and_runtime()
    return Group(torch, place, device=device, runtime=runtime)


class TorchKernel:
    """Operands in place, and one pass over them."""

    def __init__(
        self, runtime: Runtime, buffers: list[Any], one_pass: Callable[[], object], amount: Callable[[], float]
    ) -> None:
        """Hold what `one_pass` works on; `buffers` is emptied on release, so that a late pass fails instead of running on."""
        self._runtime = runtime
        self._buffers = buffers
        self._one_pass = one_pass
        self._amount = amount

    def amount_per_pass(self) -> float:
        """Return what one pass works off; for a capacity task, what the last pass found right."""
        return self._amount()

    def time(self, runs: int, *, passes: int) -> tuple[Seconds, ...]:
        """Time runs on the device's own clock.

        Raises:
            NotMeasurableError: The device failed.
        """
        with as_measurable():
            return self._runtime.time(self._one_pass, runs, passes)

    def release(self) -> None:
        """Wait for the device and give every buffer back."""
        with as_measurable():
            self._runtime.finish(self._buffers)


class TorchAccelerator:
    """One torch device, or two with a link between them."""

    def __init__(
        self, devices: tuple[torch.device, ...], runtime: Runtime, *, capability: tuple[int, int] | None = None
    ) -> None:
        """Stand for `devices`.

        Args:
            devices: Where buffers lie; the second only for a task between two.
            runtime: How they are timed.
            capability: The compute capability; None on the processor.
        """
        self._devices = devices
        self._runtime = runtime
        self._capability = capability
        # torch starts every process with the same seed, and a prover who knows the data could do less work.
        torch.manual_seed(secrets.randbits(63))

    @property
    def simulated(self) -> bool:
        """Always false."""
        return False

    def now(self) -> Seconds:
        """Return the system's monotonic time."""
        return Seconds(time.monotonic())

    def free_bytes(self) -> Bytes:
        """Return what can be allocated on the device."""
        with as_measurable():
            return self._runtime.free_bytes()

    def device_and_runtime(self) -> tuple[torch.device, Runtime]:
        """Return the device that is timed, and how."""
        return self._devices[0], self._runtime

    def prepare(self, task: Task, *, rotation_bytes: Bytes) -> TorchKernel:
        """Allocate the operands of `task` and fill them with random content.

        Raises:
            NotMeasurableError: The device lacks the type or the link, or has too little memory.
        """
        with as_measurable():
            match task:
                case GemmTask():
                    return self._gemm(task, rotation_bytes)
                case MemoryTask():
                    return self._memory(task)
                case CapacityTask():
                    return self._capacity(task)
                case HostLinkTask():
                    return self._host_link(task)
                case PeerTask():
                    return self._peer(task)
                case CollectiveTask():
                    raise NotMeasurableError(Reason.NOT_ATTEMPTED, "a collective needs a group")

    def _gemm(self, task: GemmTask, rotation_bytes: Bytes) -> TorchKernel:
        """Multiply sets of operands in turn.

        Entries are standard normal, for int8 uniform over all 256 values: zeros and constants draw less power, so that the clock
        stays higher (H200, 8192^3 bf16: 894 TFLOP/s on zeros, 788 on random data; one machine, 2026-11).
        """
        self._check_type(task.dtype)
        # TF32 off for fp32: the default of a process can be changed by a variable, so it is set each time.
        torch.set_float32_matmul_precision("high" if task.dtype is Dtype.TF32 else "highest")
        torch.backends.cuda.matmul.allow_fp16_reduced_precision_reduction = False
        torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction = False
        count = max(1, min(_MOST_SETS, -(-rotation_bytes // operand_bytes(task))))
        sets = [self._operands(task) for _ in range(count)]
        multiply = self._multiplication(task.dtype)
        turn = itertools.cycle(range(count))
        return TorchKernel(self._runtime, sets, lambda: multiply(*sets[next(turn)]), lambda: amount_of(task))

    def _operands(self, task: GemmTask) -> tuple[Tensor, Tensor, Tensor]:
        a = self._random(task.m, task.k, task.dtype, row_major=task.layout[0] == "t")
        b = self._random(task.k, task.n, task.dtype, row_major=task.layout[1] == "t")
        return a, b, torch.empty(task.m, task.n, dtype=_RESULT_TYPES[task.dtype], device=self._devices[0])

    def _multiplication(self, dtype: Dtype) -> Callable[[Tensor, Tensor, Tensor], object]:
        """Return the function that writes A @ B into C for `dtype`."""
        match dtype:
            case Dtype.INT8:
                return lambda a, b, c: torch._int_mm(a, b, out=c)  # noqa: SLF001 - torch has no public name for it
            case Dtype.FP8:
                one = torch.ones((), dtype=torch.float32, device=self._devices[0])
                return lambda a, b, c: torch._scaled_mm(  # noqa: SLF001 - nor for this
                    a, b, scale_a=one, scale_b=one, out_dtype=c.dtype, out=c
                )
            case _:
                return lambda a, b, c: torch.mm(a, b, out=c)

    def _random(self, rows: int, columns: int, dtype: Dtype, *, row_major: bool) -> Tensor:
        shape = (rows, columns) if row_major else (columns, rows)
        match dtype:
            case Dtype.INT8:
                stored = torch.randint(-128, 128, shape, dtype=torch.int8, device=self._devices[0])
            case Dtype.FP8:
                stored = torch.randn(shape, dtype=torch.bfloat16, device=self._devices[0]).to(_TYPES[dtype])
            case _:
                stored = torch.randn(shape, dtype=_TYPES[dtype], device=self._devices[0])
        return stored if row_major else stored.t()

    def _check_type(self, dtype: Dtype) -> None:
        """Refuse a type that the device would only imitate.

        Raises:
            NotMeasurableError: It would.
        """
        if self._capability is None:
            if dtype in _NOT_ON_PROCESSORS:
                raise NotMeasurableError(Reason.NOT_SUPPORTED, f"a processor has no {dtype.value} arithmetic in torch")
        elif self._capability < _LOWEST_CAPABILITY.get(dtype, (0, 0)):
            major, minor = self._capability
            raise NotMeasurableError(
                Reason.NOT_SUPPORTED, f"compute capability {major}.{minor} has no {dtype.value} arithmetic"
            )

    def _memory(self, task: MemoryTask) -> TorchKernel:
        arrays = {"copy": 2, "cached-copy": 2, "read": 1, "triad": 3}[task.kind]
        length = task.working_set_bytes // arrays // 4
        buffers = [torch.rand(length, dtype=torch.float32, device=self._devices[0]) for _ in range(arrays)]
        total = torch.empty((), dtype=torch.float32, device=self._devices[0])
        passes: dict[str, Callable[[], object]] = {
            "copy": lambda: buffers[1].copy_(buffers[0]),
            "cached-copy": lambda: buffers[1].copy_(buffers[0]),
            "read": lambda: torch.sum(buffers[0], dim=0, out=total),
            "triad": lambda: torch.add(buffers[1], buffers[2], alpha=1.5, out=buffers[0]),
        }
        return TorchKernel(self._runtime, buffers, passes[task.kind], lambda: float(length * arrays * 4))

    def _capacity(self, task: CapacityTask) -> TorchKernel:
        """Fill block after block with random content until the device gives no more, then make the same content again and compare."""
        blocks: list[Any] = []
        right = 0

        def fill_and_check() -> None:
            nonlocal right
            seed = secrets.randbits(62)
            wanted = task.requested_bytes // max(task.block_bytes, 1)
            while len(blocks) < wanted and self._append_block(blocks, task.block_bytes, seed + len(blocks)):
                pass
            right = sum(self._right_bytes(block, seed + position) for position, block in enumerate(blocks))
            if not right:
                raise NotMeasurableError(Reason.OUT_OF_MEMORY, f"not one block of {task.block_bytes} bytes was to be had")

        return TorchKernel(self._runtime, blocks, fill_and_check, lambda: float(right))

    def _append_block(self, blocks: list[Any], size: int, seed: int) -> bool:
        """Add one filled block; say whether there was room."""
        try:
            block = torch.empty(size // 8, dtype=torch.int64, device=self._devices[0])
        except RuntimeError as error:
            if blocks and reason_of(error) is Reason.OUT_OF_MEMORY:
                return False
            raise
        generator = torch.Generator(device=self._devices[0]).manual_seed(seed)
        for chunk in torch.split(block, _CHUNK_BYTES // 8):
            chunk.random_(generator=generator)
        blocks.append(block)
        return True

    def _right_bytes(self, block: Tensor, seed: int) -> int:
        generator = torch.Generator(device=self._devices[0]).manual_seed(seed)
        right = 0
        for chunk in torch.split(block, _CHUNK_BYTES // 8):
            again = torch.empty_like(chunk).random_(generator=generator)
            right += chunk.numel() * 8 if torch.equal(chunk, again) else 0
        return right

    def _host_link(self, task: HostLinkTask) -> TorchKernel:
        runtime, device = self._runtime, self._devices[0]
        sides = [
            (runtime.pinned(self._bytes(task.buffer_bytes, torch.device("cpu"))), self._bytes(task.buffer_bytes, device))
            for _ in range(2)
        ]

        def up() -> object:
            return sides[0][1].copy_(sides[0][0], non_blocking=True)

        def down() -> object:
            return sides[1][0].copy_(sides[1][1], non_blocking=True)

        passes = {"host-to-device": up, "device-to-host": down, "host-duplex": lambda: runtime.at_once(up, down)}
        return TorchKernel(runtime, sides, passes[task.kind], lambda: amount_of(task))

    def _peer(self, task: PeerTask) -> TorchKernel:
        runtime = self._runtime
        first, second = self._devices
        pairs = [
            (self._bytes(task.buffer_bytes, source), self._bytes(task.buffer_bytes, sink))
            for source, sink in ((first, second), (second, first))
        ]

        # The second device fills its buffers on a stream of its own, for which the lanes of the first do not wait.
        runtime.finish([])

        def there() -> object:
            return pairs[0][1].copy_(pairs[0][0], non_blocking=True)

        def back() -> object:
            return pairs[1][1].copy_(pairs[1][0], non_blocking=True)

        passes = {"peer-one-way": there, "peer-both-ways": lambda: runtime.at_once(there, back)}
        return TorchKernel(runtime, pairs, passes[task.kind], lambda: amount_of(task))

    def _bytes(self, size: int, device: torch.device) -> Tensor:
        return torch.randint(0, 256, (size,), dtype=torch.uint8, device=device)
