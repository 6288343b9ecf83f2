"""From the claimed product and a wish in seconds to the sizes of a challenge. Nothing that the prover says makes them larger."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from gpuaudit.challenge.assumption import Assumptions
from gpuaudit.challenge.figures import Figures
from gpuaudit.challenge.sizes import ALIGNMENT_BYTES, WALKERS_SHARE, Sizes, faults_of
from gpuaudit.errors import UsageError
from gpuaudit.units import Seconds

_PERCENT: Final = 100
_ROW_MULTIPLE: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the verifier wants: how long the fill should take, how many slots, which share of the memory at most, in percent."""

    slots: int
    seconds: Seconds
    rung: int
    round_trip: Seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """How long a challenge is expected to take an honest machine, and its checker."""

    fill: Seconds
    walk: Seconds
    check: Seconds


def size_challenge(figures: Figures, wish: Wish, assumptions: Assumptions) -> Sizes:
    """Return the sizes for the claimed product.

    Raises:
        UsageError: They would mean nothing: too little memory.
    """
    shape, sizing = assumptions.shape, assumptions.walk
    memory = figures.memory_bytes * wish.rung // _PERCENT
    rows = memory // shape.width // _ROW_MULTIPLE * _ROW_MULTIPLE
    work = wish.seconds * figures.expected_operations
    steps = max(2, round(work / max(1, 2 * rows * shape.width**2)))
    walkers = max(1, min(shape.walkers, rows * shape.width // (WALKERS_SHARE * shape.block_bytes)))
    # Half of the memory in an epoch: moving a slot in for it is dearer than its lookups.
    jumps = max(1, min(shape.jumps, rows * shape.width // (2 * walkers * shape.block_bytes)))
    walk_rate = sizing.bandwidth_share * figures.bandwidth
    looked_up = max(sizing.memory_multiple * rows * shape.width, sizing.round_trip_multiple * wish.round_trip * walk_rate)
    return _sound(
        Sizes(
            slots=wish.slots,
            width=shape.width,
            seed_bytes=shape.seed_bytes,
            steps=steps,
            rows=max(1, rows),
            group_rows=shape.group_rows,
            block_bytes=shape.block_bytes,
            walkers=walkers,
            jumps=jumps,
            epochs=-(-int(looked_up) // (walkers * jumps * shape.block_bytes)),
            row_samples=assumptions.samples.rows,
            walk_samples=assumptions.samples.walks,
        )
    )


def rehearsal(slots: int, assumptions: Assumptions) -> Sizes:
    """Return small sizes that take a second and prove nothing but that both sides work."""
    small = assumptions.rehearsal
    return _sound(
        Sizes(
            slots=slots,
            width=small.width,
            seed_bytes=assumptions.shape.seed_bytes,
            steps=small.steps,
            rows=small.memory_bytes // small.width,
            group_rows=assumptions.shape.group_rows,
            block_bytes=small.block_bytes,
            walkers=small.walkers,
            jumps=small.jumps,
            epochs=small.epochs,
            row_samples=small.row_samples,
            walk_samples=small.walk_samples,
        )
    )


def expect(sizes: Sizes, figures: Figures, assumptions: Assumptions) -> Expectation:
    """Work out how long the stages take a genuine product, and the check a verifier without an accelerator."""
    return Expectation(
        fill=Seconds(sizes.slot_operations / figures.expected_operations),
        walk=Seconds(sizes.walk_bytes / (assumptions.walk.bandwidth_share * figures.bandwidth)),
        check=Seconds(sizes.slots * row_steps(sizes) / scaled_row_steps(sizes, assumptions)),
    )


def row_steps(sizes: Sizes) -> float:
    """Return how many rows, on average, a checker takes through one step for each slot."""
    rows_per_lookup = 1 + (sizes.block_bytes - ALIGNMENT_BYTES) / sizes.width
    return sizes.steps * (sizes.row_samples + sizes.walk_samples * sizes.jumps * rows_per_lookup)


def scaled_row_steps(sizes: Sizes, assumptions: Assumptions) -> float:
    """Return the assumed rate of row-steps at this width; the figure in the data is for the usual one."""
    return assumptions.checking.row_steps_per_second * (assumptions.shape.width / sizes.width) ** 2


def _sound(sizes: Sizes) -> Sizes:
    faults = faults_of(sizes)
    if faults:
        raise UsageError(f"challenge: {'; '.join(faults)}")
    return sizes
