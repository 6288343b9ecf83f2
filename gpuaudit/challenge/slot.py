"""One device's part of an answer: fill, commit, walk, open. The arithmetic is the device's; what is hashed is the same for all."""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from gpuaudit.challenge.chain import final_rows, fold_bytes, folds_of, matrices_of, row_seeds
from gpuaudit.challenge.commitment import group_hashes
from gpuaudit.challenge.matrix import FloatMatrix, MakeMatrix
from gpuaudit.challenge.sizes import ALIGNMENT_BYTES, FOLD_BYTES, Sizes
from gpuaudit.challenge.walk import (
    Lanes,
    ReadBlocks,
    coefficients_of,
    epoch_digest,
    first_states,
    result_bytes,
    walk,
)

_SLICE_ROWS = 1024
# So many walkers' states stay in a core's cache.
_WALKERS_AT_ONCE = 64
# Of several threads, each walks at most so many at once: turns of the interpreter cost more than the cache gives.
_WALKERS_PER_THREAD = 512


class ChallengeDevice(Protocol):
    """A device that can answer for one slot.

    Implemented by `NumpyDevice`, by torch's in `gpuaudit.workload.torch_challenge` and by the simulation's.
    """

    def prepare(self, sizes: Sizes) -> None:
        """Take the memory and warm up on dummy data, before any clock runs.

        Raises:
            MemoryError: There is not enough.
        """
        ...

    def fill(self, key: bytes) -> bytes:
        """Take all rows through the chain, keep the last states, and return their folds, eight bytes each."""
        ...

    def walk_epoch(self, seed: bytes) -> bytes:
        """Walk one epoch over the rows that were kept and return its results, eight bytes per walker."""
        ...

    def release(self) -> None:
        """Give the memory back."""
        ...


class Slot:
    """What one device has answered so far."""

    def __init__(self, number: int, device: ChallengeDevice, sizes: Sizes) -> None:
        """Let `device` get ready for slot `number`."""
        self._number = number
        self._device = device
        self._sizes = sizes
        self._folds = b""
        self._results: list[bytes] = []
        device.prepare(sizes)

    def fill(self, key: bytes) -> tuple[bytes, ...]:
        """Fill the device and return the hashes of all groups of folds."""
        self._folds = self._device.fill(key)
        return group_hashes(self._number, self._folds, self._sizes)

    def walk_epoch(self, seed: bytes) -> bytes:
        """Walk the next epoch, which has this seed, and return its digest."""
        epoch = len(self._results)
        self._results.append(self._device.walk_epoch(seed))
        return epoch_digest(self._number, epoch, self._results[-1])

    def open(self, groups: Sequence[int], epochs: Sequence[int]) -> bytes:
        """Return the folds of whole groups, then the results of whole epochs, in the order asked for."""
        length = self._sizes.group_rows * FOLD_BYTES
        folds = [self._folds[group * length : (group + 1) * length] for group in groups]
        return b"".join((*folds, *(self._results[epoch] for epoch in epochs)))

    def release(self) -> None:
        """Give the device's memory back."""
        self._device.release()


class NumpyDevice(ChallengeDevice):
    """The host's own memory and processor, through numpy: the plainest reading of the protocol."""

    def __init__(self, make: MakeMatrix = FloatMatrix) -> None:
        """Multiply with matrices of `make`."""
        self._make = make
        self._memory: NDArray[np.int8] = np.empty(0, dtype=np.int8)

    @override
    def prepare(self, sizes: Sizes) -> None:
        self._sizes = sizes
        self._memory = np.zeros(sizes.memory_bytes, dtype=np.int8)

    @override
    def fill(self, key: bytes) -> bytes:
        sizes, rows = self._sizes, self._memory.reshape(self._sizes.rows, self._sizes.width)
        matrices = matrices_of(key, sizes, self._make)
        folds = []
        for first in range(0, sizes.rows, _SLICE_ROWS):
            count = min(_SLICE_ROWS, sizes.rows - first)
            state = final_rows(matrices, row_seeds(key, sizes, first, count), sizes.steps)
            rows[first : first + count] = state
            folds.append(fold_bytes(folds_of(matrices, state)))
        return b"".join(folds)

    @override
    def walk_epoch(self, seed: bytes) -> bytes:
        return walk_memory(self._read, seed, self._sizes)

    @override
    def release(self) -> None:
        self._memory = np.empty(0, dtype=np.int8)

    def _read(self, addresses: NDArray[np.uint64]) -> Lanes:
        return read_blocks(self._memory, addresses, self._sizes)


def walk_memory(read: ReadBlocks, seed: bytes, sizes: Sizes, *, threads: int = 1) -> bytes:
    """Walk one epoch on the host and return all results.

    Args:
        read: Gives the blocks at byte addresses; called from all threads.
        seed: Of the epoch.
        sizes: Of the challenge.
        threads: How many walk at the same time.
    """
    coefficients = coefficients_of(seed, sizes)
    most = _WALKERS_AT_ONCE if threads == 1 else _WALKERS_PER_THREAD
    # Every thread takes as many turns, of the same length: none waits for the last one alone.
    turns = threads * math.ceil(sizes.walkers / (threads * most))
    at_once = math.ceil(sizes.walkers / turns)

    def results_from(first: int) -> bytes:
        count = min(at_once, sizes.walkers - first)
        return result_bytes(walk(first_states(seed, sizes, first, count), coefficients, sizes, read))

    with ThreadPoolExecutor(threads) as pool:
        return b"".join(pool.map(results_from, range(0, sizes.walkers, at_once)))


def read_blocks(memory: NDArray[np.int8], addresses: NDArray[np.uint64], sizes: Sizes) -> Lanes:
    """Return the blocks of a flat memory that begin at these byte addresses, (count, lanes)."""
    blocks: Lanes = every_block(memory, sizes)[(addresses // np.uint64(ALIGNMENT_BYTES)).astype(np.int64)]
    return blocks


def every_block(memory: NDArray[np.int8], sizes: Sizes) -> Lanes:
    """Return a view of a flat memory as all of its overlapping blocks, (offsets, lanes), without copying a byte."""
    lanes = memory.view("<u4")
    shape, strides = (sizes.offsets, sizes.lanes), (ALIGNMENT_BYTES, lanes.itemsize)
    return np.lib.stride_tricks.as_strided(lanes, shape=shape, strides=strides, writeable=False)
