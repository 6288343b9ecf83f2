"""How large a challenge is. The verifier chooses all of it; the side that answers checks it against bounds of its own."""

from __future__ import annotations

from typing import Annotated, Final

from pydantic import Field

from gpuaudit.challenge.domain import CIPHER_BLOCK_BYTES
from gpuaudit.challenge.record import message

# Below 48 columns the rows are no longer uniform; above 16,384 the exact sums in float32 were not tried.
SMALLEST_WIDTH: Final = 256
LARGEST_WIDTH: Final = 16_384
ALIGNMENT_BYTES: Final = 64
FOLD_BYTES: Final = 8
_LANE_BYTES: Final = 4
# cuBLAS takes int8 products whose sides are multiples of this.
FOLD_COLUMNS: Final = 16
_OFFSETS: Final = 2**32
# As many digests as one line of the protocol holds.
LARGEST_DIGESTS: Final = 100_000
# Walkers that together hold a fiftieth of the memory could not stand in for it.
WALKERS_SHARE: Final = 50

_Count = Annotated[int, Field(ge=1, lt=2**40)]


@message
class Sizes:
    """The sizes of one challenge, for each of `slots` devices.

    `rows` int8 rows of `width` bytes each are made from `seed_bytes` of a stream, taken through `steps` multiplications, and kept.
    Their folds are hashed in groups of `group_rows`. Then `walkers` states of `block_bytes` make `jumps` dependent lookups in each
    of `epochs` epochs. `row_samples` rows and `walk_samples` walks of each slot are recomputed by the verifier.
    """

    slots: Annotated[int, Field(ge=1, le=64)]
    width: Annotated[int, Field(ge=SMALLEST_WIDTH, le=LARGEST_WIDTH)]
    seed_bytes: Annotated[int, Field(ge=64, le=1024)]
    steps: Annotated[int, Field(ge=2, le=100_000)]
    rows: _Count
    group_rows: Annotated[int, Field(ge=1, le=65_536)]
    block_bytes: Annotated[int, Field(ge=256, le=65_536)]
    walkers: Annotated[int, Field(ge=1, le=65_536)]
    jumps: Annotated[int, Field(ge=1, le=4_096)]
    epochs: Annotated[int, Field(ge=1, le=1_000_000)]
    row_samples: Annotated[int, Field(ge=1, le=4_096)]
    walk_samples: Annotated[int, Field(ge=1, le=1_024)]

    @property
    def memory_bytes(self) -> int:
        """Return how many bytes the final rows of one slot fill (F)."""
        return self.rows * self.width

    @property
    def groups(self) -> int:
        """Return how many groups the folds of one slot make; the last may be smaller."""
        return -(-self.rows // self.group_rows)

    @property
    def offsets(self) -> int:
        """Return at how many places a lookup can begin."""
        return (self.memory_bytes - self.block_bytes) // ALIGNMENT_BYTES + 1

    @property
    def lanes(self) -> int:
        """Return how many 32-bit lanes a walker's state has."""
        return self.block_bytes // _LANE_BYTES

    @property
    def slot_operations(self) -> int:
        """Return the operations of one slot's chain, two for a multiply-add; start and fold are not counted."""
        return 2 * self.rows * self.width * self.width * self.steps

    @property
    def walk_bytes(self) -> int:
        """Return how many bytes one slot looks up in all epochs (Q)."""
        return self.epochs * self.walkers * self.jumps * self.block_bytes

    def group_length(self, group: int) -> int:
        """Return how many rows are in a group."""
        return min(self.group_rows, self.rows - group * self.group_rows)


def faults_of(sizes: Sizes) -> tuple[str, ...]:
    """Name what keeps a challenge of these sizes from meaning anything; none for a sound one."""
    checks = (
        (sizes.width % ALIGNMENT_BYTES == 0, f"width {sizes.width}: expected a multiple of {ALIGNMENT_BYTES}"),
        (sizes.seed_bytes % ALIGNMENT_BYTES == 0, f"seedBytes {sizes.seed_bytes}: expected a multiple of {ALIGNMENT_BYTES}"),
        (sizes.block_bytes % ALIGNMENT_BYTES == 0, f"blockBytes {sizes.block_bytes}: expected a multiple of {ALIGNMENT_BYTES}"),
        (sizes.seed_bytes % CIPHER_BLOCK_BYTES == 0, "seedBytes: expected whole blocks of the cipher"),
        (
            sizes.walkers * sizes.block_bytes * WALKERS_SHARE <= sizes.memory_bytes,
            f"walkers hold {sizes.walkers * sizes.block_bytes} bytes, expected at most 1/{WALKERS_SHARE} of "
            f"{sizes.memory_bytes}: parked bytes could be streamed past them",
        ),
        (
            sizes.slots * sizes.epochs <= LARGEST_DIGESTS,
            f"{sizes.slots} x {sizes.epochs} epochs: expected at most {LARGEST_DIGESTS}, for one line",
        ),
        (0 < sizes.offsets < _OFFSETS, f"{sizes.memory_bytes} bytes of memory: expected a block, and less than 2^38"),
    )
    return tuple(fault for sound, fault in checks if not sound)
