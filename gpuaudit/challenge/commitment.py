"""What fixes an answer before anything of it is asked for: hashes over groups of folds, and one over those for each slot."""

from __future__ import annotations

from collections.abc import Sequence

from gpuaudit.challenge.domain import digest, index_bytes, slot_bytes
from gpuaudit.challenge.sizes import FOLD_BYTES, Sizes


def group_hash(slot: int, group: int, folds: bytes) -> bytes:
    """Return the hash of one group of folds; slot and group are inside, so that no group stands for another."""
    return digest("gpuaudit/group/1", slot_bytes(slot), index_bytes(group), folds)


def group_hashes(slot: int, folds: bytes, sizes: Sizes) -> tuple[bytes, ...]:
    """Return the hashes of all groups of one slot, given the folds of all of its rows."""
    length = sizes.group_rows * FOLD_BYTES
    return tuple(group_hash(slot, group, folds[group * length : (group + 1) * length]) for group in range(sizes.groups))


def slot_commitment(slot: int, hashes: Sequence[bytes]) -> bytes:
    """Return what a slot commits to."""
    return digest("gpuaudit/slot/1", slot_bytes(slot), b"".join(hashes))
