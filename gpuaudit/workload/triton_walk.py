"""The walk as one kernel: a walker's state stays in registers from the first lookup to the last."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from functools import cache
from typing import Any, Final, TypeAlias

from gpuaudit.challenge.sizes import Sizes

FusedWalk: TypeAlias = Callable[[Any, Any, list[Any], Sizes], Any]

_KERNEL: Final = "gpuaudit.workload.triton_kernel"


def load_fused_walk(device_type: str, lanes: int) -> FusedWalk | None:
    """Return the fused walk, or nothing where it cannot be used: no Triton, no such device, or a block that is no power of two.

    Nothing is not an error: the eager walk gives the same results, more slowly, and the floor is lower for it.
    """
    fits = device_type == "cuda" and lanes & (lanes - 1) == 0
    return _fused_walk() if fits and importlib.util.find_spec("triton") is not None else None


@cache
def _fused_walk() -> FusedWalk:
    kernel = importlib.import_module(_KERNEL)
    walk: FusedWalk = kernel.fused_walk
    return walk
