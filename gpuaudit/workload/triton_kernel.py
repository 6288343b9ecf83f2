"""The kernel itself. Imported only where Triton is installed."""

from __future__ import annotations

from typing import Any

import torch
import triton
import triton.language as tl

from gpuaudit.challenge.sizes import Sizes


@triton.jit  # type: ignore[untyped-decorator, unused-ignore]
def _walk(states, memory, factors, results, offsets, lanes: tl.constexpr, jumps: tl.constexpr):  # type: ignore[no-untyped-def] # noqa: PLR0913, PLR0917
    walker = tl.program_id(0).to(tl.int64)
    lane = tl.arange(0, lanes)
    state = tl.load(states + walker * lanes + lane).to(tl.uint32, bitcast=True)
    factor = tl.load(factors + lane).to(tl.uint32, bitcast=True)
    for _ in range(jumps):
        total = tl.sum(state * factor, axis=0).to(tl.uint32)
        place = (total.to(tl.uint64) * offsets.to(tl.uint64)) >> 32
        block = tl.load(memory + place.to(tl.int64) * 16 + lane).to(tl.uint32, bitcast=True)
        state = (state ^ block) * 0x9E3779B1
        state = state ^ (state >> 15)
    for column in tl.static_range(2):
        factor = tl.load(factors + (column + 1) * lanes + lane).to(tl.uint32, bitcast=True)
        total = tl.sum(state * factor, axis=0).to(tl.uint32)
        tl.store(results + walker * 2 + column, total.to(tl.int32, bitcast=True))


def fused_walk(states: Any, lanes: Any, factors: list[Any], sizes: Sizes) -> Any:
    """Walk to the end in one kernel; arguments and result as `gpuaudit.workload.torch_challenge.eager_walk`."""
    results = torch.empty((len(states), 2), dtype=torch.int32, device=states.device)
    _walk[(len(states),)](states, lanes, torch.cat(factors), results, sizes.offsets, lanes=sizes.lanes, jumps=sizes.jumps)
    return results
