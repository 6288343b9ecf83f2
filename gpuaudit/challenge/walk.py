"""The walk: lookups at unpredictable places of the memory that the chain filled, each depending on all the ones before it.

Bytes that are elsewhere must cross a link each time they are looked up. Mixing is not linear, so no sum of partial answers
stands for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from gpuaudit.challenge.domain import Domain, digest, index_bytes, slot_bytes, stream
from gpuaudit.challenge.sizes import ALIGNMENT_BYTES, Sizes

Lanes: TypeAlias = NDArray[np.uint32]
ReadBlocks: TypeAlias = Callable[[NDArray[np.uint64]], Lanes]

MULTIPLIER: Final = np.uint32(0x9E3779B1)
SHIFT: Final = np.uint32(15)
_COEFFICIENT_ROWS: Final = 3
_HALF: Final = np.uint64(32)


@dataclass(frozen=True, slots=True, kw_only=True)
class Coefficients:
    """Odd 32-bit numbers, one per lane and use: for the address, and for the two sums of the result.

    Each has the shape (lanes,), or (walkers, lanes) where walkers of several epochs are walked together.
    """

    address: Lanes
    first: Lanes
    second: Lanes


def first_walk_seed(second_seed: bytes, context: bytes, slot: int) -> bytes:
    """Return the seed of a slot's first epoch."""
    return digest("gpuaudit/walk/1", second_seed, context, slot_bytes(slot))


def next_walk_seed(seed: bytes, epoch_digests: Sequence[bytes]) -> bytes:
    """Return a slot's seed of the epoch after the one that had this seed and in which the slots, in order, came to these digests.

    Of all slots, not of its own: else one device could hold and walk them one after the other, each moved in once.
    """
    return digest("gpuaudit/next/1", seed, *epoch_digests)


def epoch_digest(slot: int, epoch: int, results: bytes) -> bytes:
    """Return the digest of one epoch's results, eight bytes per walker."""
    return digest("gpuaudit/epoch/1", slot_bytes(slot), index_bytes(epoch), results)


def coefficients_of(seed: bytes, sizes: Sizes) -> Coefficients:
    """Return the coefficients of an epoch."""
    data = stream(seed, Domain.COEFFICIENTS, _COEFFICIENT_ROWS * sizes.block_bytes).view("<u4")
    address, first, second = data.reshape(_COEFFICIENT_ROWS, sizes.lanes) | np.uint32(1)
    return Coefficients(address=address, first=first, second=second)


def first_states(seed: bytes, sizes: Sizes, first: int, count: int) -> Lanes:
    """Return the states with which `count` walkers from walker `first` on begin an epoch, as (count, lanes)."""
    data = stream(seed, Domain.WALKERS, count * sizes.block_bytes, offset=first * sizes.block_bytes)
    return data.view("<u4").reshape(count, sizes.lanes).astype(np.uint32)


def walk(states: Lanes, coefficients: Coefficients, sizes: Sizes, read: ReadBlocks) -> Lanes:
    """Walk to the end and return the results, as (walkers, 2).

    Args:
        states: Where the walkers stand, (walkers, lanes); changed in place.
        coefficients: Of the epoch.
        sizes: Of the challenge.
        read: Gives the blocks at byte addresses of the flat memory.
    """
    scratch = np.empty_like(states)
    offsets = np.uint64(sizes.offsets)
    for _ in range(sizes.jumps):
        sums = _sums(states, coefficients.address).astype(np.uint64)
        np.bitwise_xor(states, read(((sums * offsets) >> _HALF) * np.uint64(ALIGNMENT_BYTES)), out=states)
        np.multiply(states, MULTIPLIER, out=states)
        np.right_shift(states, SHIFT, out=scratch)
        np.bitwise_xor(states, scratch, out=states)
    return np.stack([_sums(states, coefficients.first), _sums(states, coefficients.second)], axis=1)


def result_bytes(results: Lanes) -> bytes:
    """Write results as they are hashed and sent: eight bytes per walker, little-endian."""
    return results.astype("<u4").tobytes()


def _sums(states: Lanes, factors: Lanes) -> Lanes:
    """Return each state's sum of lanes times factors, modulo 2^32, without writing the products down."""
    sums: Lanes = np.einsum("...j,...j->...", states, factors)
    return sums
