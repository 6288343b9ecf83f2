"""Multiplying bytes exactly: the one operation of the chain, behind a Protocol so that a faster one can be handed in."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray
from typing_extensions import override

Bytes8: TypeAlias = NDArray[np.int8]


class ByteMatrix(Protocol):
    """A matrix of signed bytes, ready to be multiplied with many rows.

    Implemented by `FloatMatrix` and by torch's in `gpuaudit.workload.torch_challenge`. Products must be exact: an implementation
    that rounds gives other bytes, and other bytes are a wrong answer.
    """

    def multiply(self, rows: Bytes8) -> NDArray[np.int32]:
        """Return rows (r, k) times this matrix (k, c), as (r, c)."""
        ...


MakeMatrix: TypeAlias = Callable[[Bytes8], ByteMatrix]


class FloatMatrix(ByteMatrix):
    """A byte matrix as numpy's float32, which is exact for the sums that occur here and twice as fast as float64.

    Products of bytes add up to at most 2^21.8 in rows of 16,384 pseudo-random bytes, prefix sums included; float32 counts exactly to
    2^24, which is 34 standard deviations away at 8,192. Chosen bytes could exceed it: this is for the chain's own rows only.
    """

    def __init__(self, matrix: Bytes8) -> None:
        """Convert `matrix` once; takes four bytes per entry."""
        self._matrix = matrix.astype(np.float32)

    @override
    def multiply(self, rows: Bytes8) -> NDArray[np.int32]:
        return (rows.astype(np.float32) @ self._matrix).astype(np.int32)


def second_byte(sums: NDArray[np.int32]) -> Bytes8:
    """Return bits 8 to 15 of each sum as a signed byte.

    The lowest byte of a product is linear modulo 256, so steps could be merged; the third has hardly any entropy after two steps.
    """
    return (sums >> 8).astype(np.int8)
