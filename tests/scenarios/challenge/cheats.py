"""Devices that do less than they are asked to, and hide it as well as can be."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

from gpuaudit.challenge.chain import final_rows, fold_bytes, folds_of, matrices_of, raw_matrix, row_seeds
from gpuaudit.challenge.domain import Domain, stream
from gpuaudit.challenge.slot import NumpyDevice
from gpuaudit.challenge.walk import Lanes, coefficients_of, first_states, next_walk_seed, result_bytes, walk
from gpuaudit.simulated.prover import VirtualStopwatch


class FewerRows(NumpyDevice):
    """Works out a share of the rows and copies them for the rest."""

    share = 0.8

    @override
    def fill(self, key: bytes) -> bytes:
        sizes = self._sizes
        honest = int(sizes.rows * self.share)
        source = [row % honest for row in range(sizes.rows)]
        state = final_rows(matrices_of(key, sizes), row_seeds(key, sizes, 0, honest), sizes.steps)[source]
        self._memory.reshape(sizes.rows, sizes.width)[:] = state
        return fold_bytes(folds_of(matrices_of(key, sizes), state))


class OneStepShort(NumpyDevice):
    """Leaves the last multiplication out."""

    @override
    def fill(self, key: bytes) -> bytes:
        sizes = self._sizes
        matrices = matrices_of(key, sizes)
        state = final_rows(matrices, row_seeds(key, sizes, 0, sizes.rows), sizes.steps - 1)
        self._memory.reshape(sizes.rows, sizes.width)[:] = state
        return fold_bytes(folds_of(matrices, state))


class MergedSteps(NumpyDevice):
    """Multiplies once with the product of the matrices of two steps, as would do if the lowest byte were kept."""

    @override
    def fill(self, key: bytes) -> bytes:
        sizes = self._sizes
        matrices = matrices_of(key, sizes)
        weights = raw_matrix(key, Domain.WEIGHTS, sizes.width, sizes.width).astype(np.float64)
        start = final_rows(matrices, row_seeds(key, sizes, 0, sizes.rows), sizes.steps - 2)
        merged = (start.astype(np.float64) @ (weights @ weights)).astype(np.int64)
        state = (merged >> 8).astype(np.int8)
        self._memory.reshape(sizes.rows, sizes.width)[:] = state
        return fold_bytes(folds_of(matrices, state))


class Approximate(NumpyDevice):
    """Multiplies the upper halves of the bytes only, and adds noise of the right size for the rest."""

    @override
    def fill(self, key: bytes) -> bytes:
        sizes = self._sizes
        rough = matrices_of(key, sizes, _Rough)
        state = final_rows(rough, row_seeds(key, sizes, 0, sizes.rows), sizes.steps)
        self._memory.reshape(sizes.rows, sizes.width)[:] = state
        return fold_bytes(folds_of(matrices_of(key, sizes), state))


class _Rough:
    def __init__(self, matrix: NDArray[np.int8]) -> None:
        self._matrix = matrix.astype(np.float32)

    def multiply(self, rows: NDArray[np.int8]) -> NDArray[np.int32]:
        return ((rows >> 4).astype(np.float32) * 16 @ self._matrix).astype(np.int32)


class OneBadByte(NumpyDevice):
    """Has one faulty byte in its memory after the first step: an honest but defective card."""

    @override
    def fill(self, key: bytes) -> bytes:
        sizes = self._sizes
        matrices = matrices_of(key, sizes)
        state = final_rows(matrices, row_seeds(key, sizes, 0, sizes.rows), 1)
        state[:, 0] += 1
        for _ in range(sizes.steps - 1):
            state = (matrices.weights.multiply(state) >> 8).astype(np.int8)
        self._memory.reshape(sizes.rows, sizes.width)[:] = state
        return fold_bytes(folds_of(matrices, state))


class Forgetful(NumpyDevice):
    """Answers the chain honestly and then has lost a tenth of the memory."""

    @override
    def fill(self, key: bytes) -> bytes:
        folds = super().fill(key)
        self._memory[-len(self._memory) // 10 :] = 0
        return folds


class Parking(NumpyDevice):
    """Keeps a share of the memory on the other side of a link, fetches what is looked up there, and counts what crosses."""

    def __init__(self, share: float, link: float, stopwatch: VirtualStopwatch) -> None:
        super().__init__()
        self._share = share
        self._link = link
        self._stopwatch = stopwatch
        self.crossed = 0

    @override
    def walk_epoch(self, seed: bytes) -> bytes:
        before = self.crossed
        results = super().walk_epoch(seed)
        self._stopwatch.advance((self.crossed - before) / self._link)
        return results

    @override
    def _read(self, addresses: NDArray[np.uint64]) -> Lanes:
        border = int(len(self._memory) * (1 - self._share))
        ends = addresses.astype(np.int64) + self._sizes.block_bytes
        self.crossed += int(np.clip(ends - border, 0, self._sizes.block_bytes).sum())
        return super()._read(addresses)


class SharedCoefficients(NumpyDevice):
    """Uses the coefficients of the first epoch for all, as if they could be prepared once."""

    def __init__(self) -> None:
        super().__init__()
        self._kept: list[bytes] = []

    @override
    def walk_epoch(self, seed: bytes) -> bytes:
        self._kept.append(seed)
        sizes = self._sizes
        states = first_states(seed, sizes, 0, sizes.walkers)
        return result_bytes(walk(states, coefficients_of(self._kept[0], sizes), sizes, self._read))


class ChainedOnlyBySeed(NumpyDevice):
    """Takes each epoch's seed from the one before and not from what that epoch came to, so that all could be walked at once."""

    def __init__(self) -> None:
        super().__init__()
        self._own = b""

    @override
    def walk_epoch(self, seed: bytes) -> bytes:
        self._own = next_walk_seed(self._own, [bytes(len(seed))]) if self._own else seed
        return super().walk_epoch(self._own)


class OneWalker(NumpyDevice):
    """Walks one walker of each epoch and takes its result for all."""

    @override
    def walk_epoch(self, seed: bytes) -> bytes:
        sizes = self._sizes
        states = first_states(seed, sizes, 0, 1)
        return result_bytes(walk(states, coefficients_of(seed, sizes), sizes, self._read)) * sizes.walkers


class InventedEpochs(NumpyDevice):
    """Walks the first half of the epochs and invents the others."""

    def __init__(self) -> None:
        super().__init__()
        self._walked = 0

    @override
    def walk_epoch(self, seed: bytes) -> bytes:
        self._walked += 1
        if self._walked <= self._sizes.epochs // 2:
            return super().walk_epoch(seed)
        return stream(seed, Domain.WALKERS, 16 * self._sizes.walkers)[: 8 * self._sizes.walkers].tobytes()
