"""The challenge's arithmetic through torch: on CUDA devices, and on the processor with the same lines.

The bytes are those of `gpuaudit.challenge.slot.NumpyDevice` whatever path is taken: products of bytes are exact in int8, and in
bfloat16, TF32 and float32 with sums in float32. Which one is fastest is found out while warming up.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

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

# At 8,192 columns the int32 product of a slice takes 512 MiB on a device, and 64 MiB on a processor, which gains nothing by more.
_SLICE_ROWS: Final = {"cuda": 16_384, "cpu": 2_048}
# cuBLAS takes no product of few rows.
_FEWEST_ROWS: Final = 64
_WARM_UP_RUNS: Final = 3
_LANES_PER_OFFSET: Final = ALIGNMENT_BYTES // 4
_SIGNED_MULTIPLIER: Final = int(MULTIPLIER) - 2**32
_SHIFT: Final = int(SHIFT)
_SHIFTED_MASK: Final = (1 << (32 - _SHIFT)) - 1
# As much as drivers keep for themselves; more in use means that somebody else works there.
_DRIVERS_OWN_BYTES: Final = 2 * 1024**3
_WORKING_BYTES: Final = 1_600 * 1024**2

Product: TypeAlias = Callable[[torch.Tensor, torch.Tensor, torch.Tensor], object]


def _int8(rows: torch.Tensor, matrix: torch.Tensor, sums: torch.Tensor) -> None:
    torch._int_mm(rows, matrix, out=sums)  # noqa: SLF001 - torch's only int8 product with int32 sums


def _float32(rows: torch.Tensor, matrix: torch.Tensor, sums: torch.Tensor) -> None:
    # TF32 where the device has it: eleven bits hold a byte, sums are float32.
    sums.copy_(rows.float() @ matrix)


def _bfloat16(rows: torch.Tensor, matrix: torch.Tensor, sums: torch.Tensor) -> None:
    sums.copy_(torch.mm(rows.bfloat16(), matrix, out_dtype=torch.float32))


@dataclass(frozen=True, slots=True, kw_only=True)
class Path:
    """One way to the same bytes: the type in which it wants the matrix, and the product, written to sums of int32."""

    dtype: torch.dtype
    product: Product


_PATHS: Final = {
    "int8": Path(dtype=torch.int8, product=_int8),
    "float32": Path(dtype=torch.float32, product=_float32),
    "bfloat16": Path(dtype=torch.bfloat16, product=_bfloat16),
}


class TorchMatrix(ByteMatrix):
    """A byte matrix for the checker, on the processor, through torch's int8 product.

    Few rows are multiplied in the time that it takes to read the matrix.
    """

    def __init__(self, matrix: Bytes8) -> None:
        """Take `matrix` as it is; it is not copied and must not change."""
        self._matrix = torch.from_numpy(matrix)

    @override
    def multiply(self, rows: Bytes8) -> NDArray[np.int32]:
        sums = torch.empty((len(rows), self._matrix.shape[1]), dtype=torch.int32)
        _int8(torch.from_numpy(np.ascontiguousarray(rows)), self._matrix, sums)
        return sums.numpy()


class TorchDevice(ChallengeDevice):
    """One device of torch's, by its name: `cuda:0`, `cpu`."""

    def __init__(self, name: str) -> None:
        """Answer on the device of that name; nothing is allocated before `prepare`."""
        self._device = torch.device(name)
        self._memory, self._sums, self._state = _nothing(torch.int8), _nothing(torch.int32), _nothing(torch.int8)
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
            at_once = self._rows_at_once()
            self._sums = torch.zeros((at_once, sizes.width), dtype=torch.int32, device=self._device)
            self._state = torch.zeros((at_once, sizes.width), dtype=torch.int8, device=self._device)
            self._path = self._fastest()
            self._warm_up()
        except torch.OutOfMemoryError as error:
            self.release()
            raise MemoryError(str(error).splitlines()[0]) from None

    @override
    def fill(self, key: bytes) -> bytes:
        sizes, path = self._sizes, _PATHS[self._path]
        generator = self._matrix(raw_matrix(key, Domain.GENERATOR, sizes.seed_bytes, sizes.width), path)
        weights = self._matrix(raw_matrix(key, Domain.WEIGHTS, sizes.width, sizes.width), path)
        fold = self._matrix(raw_matrix(key, Domain.FOLD, sizes.width, FOLD_COLUMNS), path)
        memory = self._memory.view(sizes.rows, sizes.width)
        folds = torch.empty((sizes.rows, 2), dtype=torch.int32, device=self._device)
        fold_sums = torch.empty((len(self._state), FOLD_COLUMNS), dtype=torch.int32, device=self._device)
        for first, count, seeds in self._slices(key):
            kept = memory[first : first + count]
            # The last states of a whole slice need not be copied.
            last = kept if count == len(self._state) else self._state
            path.product(seeds, generator, self._sums)
            for _ in range(sizes.steps):
                _second_byte(self._sums, self._state)
                path.product(self._state, weights, self._sums)
            _second_byte(self._sums, last)
            path.product(last, fold, fold_sums)
            folds[first : first + count] = fold_sums[:count, :2]
            if last is not kept:
                kept.copy_(last[:count])
        return fold_bytes(folds.cpu().numpy())

    @override
    def walk_epoch(self, seed: bytes) -> bytes:
        if self._device.type == "cpu":
            # torch's own gathering takes ten times as long on a processor.
            memory = self._memory.numpy()
            return walk_memory(
                lambda addresses: read_blocks(memory, addresses, self._sizes),
                seed,
                self._sizes,
                threads=torch.get_num_threads(),
            )
        coefficients = coefficients_of(seed, self._sizes)
        factors = [self._lanes(one) for one in (coefficients.address, coefficients.first, coefficients.second)]
        states = self._lanes(first_states(seed, self._sizes, 0, self._sizes.walkers))
        return result_bytes(self._walk(states, factors).cpu().numpy().view(np.uint32))

    @override
    def release(self) -> None:
        self._memory, self._sums, self._state = _nothing(torch.int8), _nothing(torch.int32), _nothing(torch.int8)
        if self._device.type == "cuda":
            torch.cuda.empty_cache()

    def _rows_at_once(self) -> int:
        return min(_SLICE_ROWS[self._device.type], max(self._sizes.rows, _FEWEST_ROWS))

    def _walk(self, states: torch.Tensor, factors: list[torch.Tensor]) -> torch.Tensor:
        fused = load_fused_walk(self._device.type, self._sizes.lanes)
        lanes = self._memory.view(torch.int32)
        if fused is None:
            return eager_walk(states, lanes, factors, self._sizes)
        results: torch.Tensor = fused(states, lanes, factors, self._sizes)
        return results

    def _slices(self, key: bytes) -> Iterator[tuple[int, int, torch.Tensor]]:
        """Yield first row, count and seeds; a last slice is padded with zero rows, so that every product has the same shape."""
        at_once = len(self._state)
        for first in range(0, self._sizes.rows, at_once):
            count = min(at_once, self._sizes.rows - first)
            seeds = row_seeds(key, self._sizes, first, count)
            if count < at_once:
                seeds = np.concatenate([seeds, np.zeros((at_once - count, self._sizes.seed_bytes), dtype=np.int8)])
            yield first, count, torch.from_numpy(seeds).to(self._device)

    def _matrix(self, matrix: Bytes8, path: Path) -> torch.Tensor:
        # Column after column it stays, whatever the type.
        return torch.from_numpy(matrix).to(self._device).to(path.dtype)

    def _lanes(self, lanes: NDArray[np.uint32]) -> torch.Tensor:
        return torch.from_numpy(np.ascontiguousarray(lanes).view(np.int32).copy()).to(self._device)

    def _fastest(self) -> str:
        """Time every path on dummy data and return the fastest one of those that give the right bytes."""
        width = self._sizes.width
        dummy = raw_matrix(bytes(32), Domain.WEIGHTS, width, width)
        rows = np.resize(raw_matrix(bytes(32), Domain.ROW_SEEDS, _FEWEST_ROWS, width), (len(self._state), width))
        right = FloatMatrix(dummy).multiply(rows[:_FEWEST_ROWS])
        self._state.copy_(torch.from_numpy(rows))
        seconds = {}
        for name, path in _PATHS.items():
            with suppress(RuntimeError, TypeError):
                matrix = self._matrix(dummy, path)
                path.product(self._state, matrix, self._sums)
                if np.array_equal(self._sums[:_FEWEST_ROWS].cpu().numpy(), right):
                    seconds[name] = self._timed(path.product, matrix)
        if not seconds:
            raise MachineError(f"{self._device}: no exact product of bytes: tried {', '.join(_PATHS)}")
        return min(seconds, key=lambda name: seconds[name])

    def _timed(self, product: Product, matrix: torch.Tensor) -> float:
        times = []
        for _ in range(_WARM_UP_RUNS):
            began = time.perf_counter()
            product(self._state, matrix, self._sums)
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


def product_rate(name: str, width: int, *, runs: int = 5) -> float:
    """Return the operations a second of the bare int8 product of a slice's rows and a (width, width) matrix, the best of some runs."""
    device = torch.device(name)
    rows = _SLICE_ROWS[device.type]
    operand = torch.ones((rows, width), dtype=torch.int8, device=device)
    matrix = _column_major(torch.ones((width, width), dtype=torch.int8, device=device))
    sums = torch.zeros((rows, width), dtype=torch.int32, device=device)
    times = []
    for _ in range(runs):
        began = time.perf_counter()
        _int8(operand, matrix, sums)
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


def _second_byte(sums: torch.Tensor, state: torch.Tensor) -> None:
    """Write bits 8 to 15 of each sum: the second of its four bytes, on machines that store the lowest first."""
    state.copy_(sums.view(torch.int8).view(*sums.shape, 4)[..., 1])


def _nothing(dtype: torch.dtype) -> torch.Tensor:
    return torch.empty(0, dtype=dtype)


def _column_major(matrix: torch.Tensor) -> torch.Tensor:
    # cuBLAS multiplies int8 several times slower the other way round.
    return matrix.t().contiguous().t()
