"""Which multiplication a checker should use on this machine: torch's where it is installed and faster, numpy's otherwise."""

from __future__ import annotations

import importlib
import importlib.util
import time
from typing import Final

import numpy as np

from gpuaudit.challenge.chain import raw_matrix
from gpuaudit.challenge.domain import Domain
from gpuaudit.challenge.matrix import ByteMatrix, Bytes8, FloatMatrix, MakeMatrix

# torch is named, not imported: a verifier may lack it, and importing it takes a second.
_TORCH: Final = "gpuaudit.workload.torch_challenge"
_TRIAL_WIDTH: Final = 1024
_TRIAL_ROWS: Final = 64


def fastest_matrix() -> MakeMatrix:
    """Return what recomputes rows fastest here.

    Both are tried on a small product. On processors for which torch has no int8 kernel it is slower than numpy, and a product that is
    not the same as numpy's is not used. Importing torch takes a second: call this outside what is timed.
    """
    if importlib.util.find_spec("torch") is None:
        return FloatMatrix
    try:
        return _faster(importlib.import_module(_TORCH).TorchMatrix)
    except (ImportError, OSError, RuntimeError, AttributeError):
        # Installed, and unusable here: a library of it is missing or of another machine, or it is too old to have the product.
        return FloatMatrix


def _faster(through_torch: MakeMatrix) -> MakeMatrix:
    matrix = raw_matrix(bytes(32), Domain.WEIGHTS, _TRIAL_WIDTH, _TRIAL_WIDTH)
    rows = raw_matrix(bytes(32), Domain.ROW_SEEDS, _TRIAL_ROWS, _TRIAL_WIDTH)
    plain = FloatMatrix(matrix)
    right, other = plain.multiply(rows), through_torch(matrix)
    if not np.array_equal(other.multiply(rows), right) or not np.array_equal(other.multiply(rows[:1]), right[:1]):
        return FloatMatrix
    return through_torch if _seconds(through_torch(matrix), rows) < _seconds(plain, rows) else FloatMatrix


def _seconds(matrix: ByteMatrix, rows: Bytes8) -> float:
    times = []
    for _ in range(3):
        began = time.perf_counter()
        matrix.multiply(rows)
        times.append(time.perf_counter() - began)
    return min(times)
