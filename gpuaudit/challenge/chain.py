"""The row chain: what is multiplied, and how few bytes stand for a row.

Row i depends on its own seed and the slot's matrices alone, so a checker recomputes any few rows without the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gpuaudit.challenge.domain import Domain, stream
from gpuaudit.challenge.matrix import ByteMatrix, Bytes8, FloatMatrix, MakeMatrix, second_byte
from gpuaudit.challenge.sizes import FOLD_COLUMNS, Sizes

_KEPT_COLUMNS = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Matrices:
    """The three matrices of one slot, ready to multiply: generator (seed bytes, n), weights (n, n), fold (n, 16)."""

    generator: ByteMatrix
    weights: ByteMatrix
    fold: ByteMatrix


def raw_matrix(key: bytes, domain: Domain, rows: int, columns: int) -> Bytes8:
    """Return a matrix of signed bytes from its stream, column after column.

    That is the order in which cuBLAS wants the right factor of an int8 product, and a processor reads it faster, too.
    """
    return stream(key, domain, rows * columns).view(np.int8).reshape(columns, rows).T


def matrices_of(key: bytes, sizes: Sizes, make: MakeMatrix = FloatMatrix) -> Matrices:
    """Make the matrices of the slot that has this key."""
    return Matrices(
        generator=make(raw_matrix(key, Domain.GENERATOR, sizes.seed_bytes, sizes.width)),
        weights=make(raw_matrix(key, Domain.WEIGHTS, sizes.width, sizes.width)),
        fold=make(raw_matrix(key, Domain.FOLD, sizes.width, FOLD_COLUMNS)),
    )


def row_seeds(key: bytes, sizes: Sizes, first: int, count: int) -> Bytes8:
    """Return the seeds of `count` rows from row `first` on, as (count, seed bytes)."""
    data = stream(key, Domain.ROW_SEEDS, count * sizes.seed_bytes, offset=first * sizes.seed_bytes)
    return data.view(np.int8).reshape(count, sizes.seed_bytes)


def final_rows(matrices: Matrices, seeds: Bytes8, steps: int) -> Bytes8:
    """Return the last state of the rows with these seeds, as (count, n)."""
    state = second_byte(matrices.generator.multiply(seeds))
    for _ in range(steps):
        state = second_byte(matrices.weights.multiply(state))
    return state


def folds_of(matrices: Matrices, rows: Bytes8) -> NDArray[np.int32]:
    """Return the fold of each row, as (count, 2): two sums that cannot be had without the whole row."""
    return np.ascontiguousarray(matrices.fold.multiply(rows)[:, :_KEPT_COLUMNS])


def fold_bytes(folds: NDArray[np.int32]) -> bytes:
    """Write folds as they are hashed and sent: eight bytes each, little-endian."""
    return folds.astype("<i4").tobytes()


class RowSource:
    """Recomputes any rows of one slot from its key; what a checker has in place of the device's memory."""

    def __init__(self, key: bytes, sizes: Sizes, make: MakeMatrix = FloatMatrix) -> None:
        """Make the slot's matrices; at n = 8192 and float32 they take 260 MiB."""
        self._key = key
        self._sizes = sizes
        self._matrices = matrices_of(key, sizes, make)

    def rows(self, indices: Sequence[int]) -> Bytes8:
        """Return the final rows of these indices, in their order."""
        seeds = [row_seeds(self._key, self._sizes, index, 1) for index in indices]
        return final_rows(self._matrices, np.concatenate(seeds), self._sizes.steps)

    def folds(self, indices: Sequence[int]) -> NDArray[np.int32]:
        """Return the folds of these rows."""
        return folds_of(self._matrices, self.rows(indices))

    def blocks(self, addresses: NDArray[np.uint64]) -> NDArray[np.uint32]:
        """Return the blocks that begin at these byte addresses of the flat memory, as (count, lanes)."""
        width, length = self._sizes.width, self._sizes.block_bytes
        spans = [range(int(address) // width, (int(address) + length - 1) // width + 1) for address in addresses]
        wanted = sorted({row for span in spans for row in span})
        place = {row: index for index, row in enumerate(wanted)}
        rows = self.rows(wanted)
        blocks = np.empty((len(spans), length), dtype=np.uint8)
        for index, span in enumerate(spans):
            flat = rows[place[span[0]] : place[span[-1]] + 1].reshape(-1)
            begin = int(addresses[index]) - span[0] * width
            blocks[index] = flat[begin : begin + length].view(np.uint8)
        return blocks.view("<u4")
