"""The challenge's arithmetic through torch: on CUDA devices, and on the processor with the same lines.

The bytes are those of `gpuaudit.challenge.slot.NumpyDevice` whatever path is taken: products of bytes are exact in int8, and in
bfloat16, TF32 and float32 with sums in float32. Which one is fastest is found out while warming up.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from typing_extensions import override

from gpuaudit.challenge.chain import fold_bytes, raw_matrix, row_seeds
from gpuaudit.challenge.domain import Domain
from gpuaudit.challenge.matrix import ByteMatrix, Bytes8, FloatMatrix
from gpuaudit.challenge.messages import RUNGS, SlotOffer, text
from gpuaudit.challenge.sizes import ALIGNMENT_BYTES, FOLD_COLUMNS, Sizes
from gpuaudit.challenge.slot import ChallengeDevice, read_blocks, walk_memory
from gpuaudit.challenge.walk import MULTIPLIER, SHIFT, coefficients_of, first_states, result_bytes
from gpuaudit.errors import MachineError
from gpuaudit.workload.triton_walk import load_fused_walk

# At 8,192 columns the int32 product of a slice takes 512 MiB on a device; on a processor it stays in its caches.
_SLICE_ROWS: Final = {"cuda": 16_384, "cpu": 1_024}
_WARM_UP_RUNS: Final = 3
_LANES_PER_OFFSET: Final = ALIGNMENT_BYTES // 4
_SIGNED_MULTIPLIER: Final = int(MULTIPLIER) - 2**32
_SHIFT: Final = int(SHIFT)
_SHIFTED_MASK: Final = (1 << (32 - _SHIFT)) - 1
# As much as drivers keep for themselves; more in use means that somebody else works there.
_DRIVERS_OWN_BYTES: Final = 2 * 1024**3
_WORKING_BYTES: Final = 1_600 * 1024**2

Product = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def _int8(rows: torch.Tensor, matrix: torch.Tensor) -> torch.Tensor:
    product: torch.Tensor = torch._int_mm(rows, matrix)  # noqa: SLF001 - torch's only int8 product with int32 sums
    return product


def _float32(rows: torch.Tensor, matrix: torch.Tensor) -> torch.Tensor:
    # TF32 where the device has it: eleven bits hold a byte, sums are float32.
    return (rows.float() @ matrix.float()).to(torch.int32)


def _bfloat16(rows: torch.Tensor, matrix: torch.Tensor) -> torch.Tensor:
    return torch.mm(rows.bfloat16(), matrix.bfloat16(), out_dtype=torch.float32).to(torch.int32)


_PATHS: Final[dict[str, Product]] = {"int8": _int8, "float32": _float32, "bfloat16": _bfloat16}


class TorchMatrix(ByteMatrix):
    """A byte matrix for the checker, on the processor, through torch's int8 product."""

    def __init__(self, matrix: Bytes8) -> None:
        """Lay it out as the product wants it."""
        self._matrix = _column_major(torch.from_numpy(matrix.copy()))

    @override
    def multiply(self, rows: Bytes8) -> NDArray[np.int32]:
        product: NDArray[np.int32] = _int8(torch.from_numpy(np.ascontiguousarray(rows)), self._matrix).numpy()
        return product


class TorchDevice(ChallengeDevice):
    """One device of torch's, by its name: `cuda:0`, `cpu`."""

    def __init__(self, name: str) -> None:
        """Answer on the device of that name; nothing is allocated before `prepare`."""
        self._device = torch.device(name)
        self._memory = torch.empty(0, dtype=torch.int8)
        self._path = "int8"

    @property
    def path(self) -> str:
        """Which product was the fastest while warming up."""
        return self._path

    @override
    def prepare(self, sizes: Sizes) -> None:
        self._sizes = sizes
        torch.backends.cuda.matmul.allow_tf32 = True
        try:
            self._memory = torch.zeros(sizes.memory_bytes, dtype=torch.int8, device=self._device)
            self._path = self._fastest()
            self._warm_up()
        except torch.OutOfMemoryError as error:
            self.release()
            raise MemoryError(str(error).splitlines()[0]) from None

    @override
    def fill(self, key: bytes) -> bytes:
        sizes, product = self._sizes, _PATHS[self._path]
        generator = self._matrix(raw_matrix(key, Domain.GENERATOR, sizes.seed_bytes, sizes.width))
        weights = self._matrix(raw_matrix(key, Domain.WEIGHTS, sizes.width, sizes.width))
        fold = self._matrix(raw_matrix(key, Domain.FOLD, sizes.width, FOLD_COLUMNS))
        memory = self._memory.view(sizes.rows, sizes.width)
        folds = torch.empty((sizes.rows, 2), dtype=torch.int32, device=self._device)
        for first, count, seeds in self._slices(key):
            state = _second_byte(product(seeds, generator))
            for _ in range(sizes.steps):
                state = _second_byte(product(state, weights))
            memory[first : first + count] = state[:count]
            folds[first : first + count] = product(state, fold)[:count, :2]
        return fold_bytes(folds.cpu().numpy())

    @override
    def walk_epoch(self, seed: bytes) -> bytes:
        if self._device.type == "cpu":
            # torch's own gathering takes ten times as long on a processor.
            memory = self._memory.numpy()
            return walk_memory(lambda addresses: read_blocks(memory, addresses, self._sizes), seed, self._sizes)
        coefficients = coefficients_of(seed, self._sizes)
        factors = [self._lanes(one) for one in (coefficients.address, coefficients.first, coefficients.second)]
        states = self._lanes(first_states(seed, self._sizes, 0, self._sizes.walkers))
        return result_bytes(self._walk(states, factors).cpu().numpy().view(np.uint32))

    @override
    def release(self) -> None:
        self._memory = torch.empty(0, dtype=torch.int8)
        if self._device.type == "cuda":
            torch.cuda.empty_cache()

    def _walk(self, states: torch.Tensor, factors: list[torch.Tensor]) -> torch.Tensor:
        fused = load_fused_walk(self._device.type, self._sizes.lanes)
        lanes = self._memory.view(torch.int32)
        if fused is None:
            return eager_walk(states, lanes, factors, self._sizes)
        results: torch.Tensor = fused(states, lanes, factors, self._sizes)
        return results

    def _slices(self, key: bytes) -> Iterator[tuple[int, int, torch.Tensor]]:
        """Yield first row, count and seeds; a last slice is padded with zero rows, since cuBLAS takes no product of few rows."""
        at_once = min(_SLICE_ROWS[self._device.type], max(self._sizes.rows, FOLD_COLUMNS * 2))
        for first in range(0, self._sizes.rows, at_once):
            count = min(at_once, self._sizes.rows - first)
            seeds = row_seeds(key, self._sizes, first, count)
            if count < at_once:
                seeds = np.concatenate([seeds, np.zeros((at_once - count, self._sizes.seed_bytes), dtype=np.int8)])
            yield first, count, torch.from_numpy(seeds.copy()).to(self._device)

    def _matrix(self, matrix: Bytes8) -> torch.Tensor:
        return _column_major(torch.from_numpy(matrix.copy()).to(self._device))

    def _lanes(self, lanes: NDArray[np.uint32]) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(lanes).view(np.int32).copy()).to(self._device)

    def _fastest(self) -> str:
        """Time every path on dummy data and return the fastest one of those that give the right bytes."""
        width = self._sizes.width
        dummy = raw_matrix(bytes(32), Domain.WEIGHTS, width, width)
        count = min(_SLICE_ROWS[self._device.type], max(64, self._sizes.rows))
        rows = np.resize(raw_matrix(bytes(32), Domain.ROW_SEEDS, 64, width), (count, width))
        right = FloatMatrix(dummy).multiply(rows[:64])
        matrix, operand = self._matrix(dummy), torch.from_numpy(rows.copy()).to(self._device)
        seconds = {}
        for name, product in _PATHS.items():
            with suppress(RuntimeError, TypeError):
                if np.array_equal(product(operand, matrix)[:64].cpu().numpy(), right):
                    seconds[name] = self._timed(product, operand, matrix)
        if not seconds:
            raise MachineError(f"{self._device}: no exact product of bytes: tried {', '.join(_PATHS)}")
        return min(seconds, key=lambda name: seconds[name])

    def _timed(self, product: Product, rows: torch.Tensor, matrix: torch.Tensor) -> float:
        times = []
        for _ in range(_WARM_UP_RUNS):
            began = time.perf_counter()
            product(rows, matrix)
            self._synchronize()
            times.append(time.perf_counter() - began)
        return min(times)

    def _warm_up(self) -> None:
        """Load and compile what the walk needs, before any clock runs."""
        self.walk_epoch(bytes(32))
        self._synchronize()

    def _synchronize(self) -> None:
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)


def eager_walk(states: torch.Tensor, lanes: torch.Tensor, factors: list[torch.Tensor], sizes: Sizes) -> torch.Tensor:
    """Walk to the end in single operations of torch, on any device.

    Args:
        states: Where the walkers stand, (walkers, lanes) int32; changed in place.
        lanes: The flat memory as int32.
        factors: Coefficients of the address, of the first and of the second sum, (lanes,) int32 each.
        sizes: Of the challenge.

    Returns:
        The results, (walkers, 2) int32.
    """
    every_block = lanes.as_strided((sizes.offsets, sizes.lanes), (_LANES_PER_OFFSET, 1))
    scratch = torch.empty_like(states)
    for _ in range(sizes.jumps):
        torch.mul(states, factors[0], out=scratch)
        sums = scratch.sum(dim=1, dtype=torch.int32).to(torch.int64) & 0xFFFFFFFF
        # The high half of a product of 64 bits, without one that has a sign.
        places = ((sums >> 16) * sizes.offsets + ((sums & 0xFFFF) * sizes.offsets >> 16)) >> 16
        states.bitwise_xor_(every_block[places]).mul_(_SIGNED_MULTIPLIER)
        torch.bitwise_right_shift(states, _SHIFT, out=scratch)
        states.bitwise_xor_(scratch.bitwise_and_(_SHIFTED_MASK))
    return torch.stack([(states * factor).sum(dim=1, dtype=torch.int32) for factor in factors[1:]], dim=1)


def product_rate(name: str, width: int, *, rows: int = 1024, runs: int = 5) -> float:
    """Return the operations a second of the bare int8 product of (rows, width) and (width, width), the best of some runs."""
    device = torch.device(name)
    operand = torch.ones((rows, width), dtype=torch.int8, device=device)
    matrix = _column_major(torch.ones((width, width), dtype=torch.int8, device=device))
    times = []
    for _ in range(runs):
        began = time.perf_counter()
        _int8(operand, matrix)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        times.append(time.perf_counter() - began)
    return 2 * rows * width**2 / min(times)


def cuda_offers(*, busy_ok: bool) -> tuple[tuple[str, SlotOffer], ...]:
    """Name the CUDA devices that may be loaded, with the largest share of its memory that each can give now.

    A device that somebody else uses is left out, unless `busy_ok`, and so is one with less than half of its memory free.
    """
    offers = []
    for index in range(torch.cuda.device_count()):
        free, total = torch.cuda.mem_get_info(index)
        if total - free > _DRIVERS_OWN_BYTES and not busy_ok:
            continue
        possible = [rung for rung in RUNGS if total * rung // 100 + _WORKING_BYTES <= free]
        if possible:
            properties = torch.cuda.get_device_properties(index)
            offers.append((f"cuda:{index}", _offer(properties, max(possible))))
    return tuple(offers)


def _offer(properties: Any, rung: Any) -> SlotOffer:
    bus_id = f"{properties.pci_domain_id:08X}:{properties.pci_bus_id:02X}:{properties.pci_device_id:02X}.0"
    return SlotOffer(uuid=text(f"GPU-{properties.uuid}"), bus_id=bus_id, largest_rung=rung)


def _second_byte(sums: torch.Tensor) -> torch.Tensor:
    """Return bits 8 to 15 of each sum: the second of its four bytes, on machines that store the lowest first."""
    return sums.contiguous().view(torch.int8).view(*sums.shape, 4)[..., 1].contiguous()


def _column_major(matrix: torch.Tensor) -> torch.Tensor:
    # cuBLAS multiplies int8 several times slower the other way round.
    return matrix.t().contiguous().t()
