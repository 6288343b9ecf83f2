"""A checker takes torch's product where it is faster, and does without torch where there is none."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from gpuaudit.challenge.chain import RowSource
from gpuaudit.challenge.matrix import FloatMatrix
from gpuaudit.workload.fastest_matrix import fastest_matrix
from tests.challenge.rounds import TINY

KEY = bytes(range(32))
WITHOUT_TORCH = """
import sys
import importlib.util
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: None if name == "torch" else found(name, package)
from gpuaudit.workload.fastest_matrix import fastest_matrix
print(fastest_matrix().__name__, "torch" in sys.modules)
"""


def test_what_is_chosen_gives_the_rows_of_the_plain_reading() -> None:
    chosen = RowSource(KEY, TINY, fastest_matrix())
    assert np.array_equal(chosen.rows([0, 5, 319]), RowSource(KEY, TINY).rows([0, 5, 319]))


def test_a_verifier_without_torch_checks_with_numpy() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", WITHOUT_TORCH], cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False
    )
    assert ran.stdout == "FloatMatrix False\n", ran.stderr


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="torch is not installed")
def test_a_product_that_rounds_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """torch's product at the seam: a processor whose kernel saturates its sums."""
    torch = importlib.import_module("torch")

    def saturating(left: object, right: object, out: object) -> None:
        out.copy_(torch.clamp(left.int() @ right.int(), -(2**15), 2**15 - 1))  # type: ignore[attr-defined]

    monkeypatch.setattr(torch, "_int_mm", saturating)
    assert fastest_matrix() is FloatMatrix


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="torch is not installed")
def test_a_product_that_is_wrong_for_a_single_row_only_is_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    torch = importlib.import_module("torch")

    def product(left: object, right: object, out: object) -> None:
        out.copy_(left.float() @ right.float() + (left.shape[0] == 1))  # type: ignore[attr-defined]

    monkeypatch.setattr(torch, "_int_mm", product)
    assert fastest_matrix() is FloatMatrix


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="torch is not installed")
@pytest.mark.parametrize("error", [RuntimeError, AttributeError, OSError])
def test_a_torch_that_cannot_multiply_bytes_is_not_used(monkeypatch: pytest.MonkeyPatch, error: type[Exception]) -> None:
    def refused(left: object, right: object, out: object) -> None:
        raise error("_int_mm")

    monkeypatch.setattr(importlib.import_module("torch"), "_int_mm", refused)
    assert fastest_matrix() is FloatMatrix
