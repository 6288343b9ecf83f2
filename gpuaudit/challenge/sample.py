"""Which rows and walks are recomputed: drawn only when all answers are fixed, and never named to who answered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Final, TypeAlias

from pydantic import Field

from gpuaudit.challenge.messages import Index, Open, SlotOpening
from gpuaudit.challenge.sizes import Sizes
from gpuaudit.evidence.record import record

Draw: TypeAlias = Callable[[int], bytes]
"""Gives so many unpredictable bytes, as `secrets.token_bytes` does."""

_DRAWN_BYTES: Final = 16


@record
class WalkSample:
    """One walker of one epoch."""

    epoch: Index
    walker: Index


@record
class SlotSample:
    """What of one slot is recomputed."""

    rows: Annotated[tuple[Index, ...], Field(min_length=1)]
    walks: Annotated[tuple[WalkSample, ...], Field(min_length=1)]


def draw_samples(sizes: Sizes, draw: Draw) -> tuple[SlotSample, ...]:
    """Draw rows and walks of every slot, each independently and with repetition, as the odds of `SOUNDNESS.md` assume.

    One more walk is always of the last epoch: its seed follows from every digest before it, so that none of them can be changed
    without being noticed, be its own epoch sampled or not.
    """
    return tuple(
        SlotSample(
            rows=tuple(_below(sizes.rows, draw) for _ in range(sizes.row_samples)),
            walks=(
                *(
                    WalkSample(epoch=_below(sizes.epochs, draw), walker=_below(sizes.walkers, draw))
                    for _ in range(sizes.walk_samples)
                ),
                WalkSample(epoch=sizes.epochs - 1, walker=_below(sizes.walkers, draw)),
            ),
        )
        for _ in range(sizes.slots)
    )


def opening_of(samples: tuple[SlotSample, ...], sizes: Sizes) -> Open:
    """Return the message that asks for the groups and epochs in which the samples lie."""
    return Open(
        slots=tuple(
            SlotOpening(
                groups=tuple(sorted({row // sizes.group_rows for row in sample.rows})),
                epochs=tuple(sorted({one.epoch for one in sample.walks})),
            )
            for sample in samples
        )
    )


def _below(bound: int, draw: Draw) -> int:
    """Return a number below `bound`; 128 bits for at most 40 leave no bias to speak of."""
    return int.from_bytes(draw(_DRAWN_BYTES), "big") % bound
