"""The prover's arithmetic through torch gives the bytes of the plain reading in numpy."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from gpuaudit.challenge.chain import RowSource
from gpuaudit.challenge.matrix import FloatMatrix
from gpuaudit.challenge.sizes import Sizes
from gpuaudit.challenge.slot import NumpyDevice
from gpuaudit.challenge.walk import coefficients_of, first_states, result_bytes
from tests.challenge.rounds import TINY

torch = pytest.importorskip("torch", reason="torch is not installed")

from gpuaudit.workload.torch_challenge import (  # noqa: E402
    _PATHS,
    TorchDevice,
    TorchMatrix,
    _column_major,
    _second_byte,
    eager_walk,
)

KEY = bytes(range(32))
SIZES = [
    pytest.param(TINY, id="one-slice"),
    pytest.param(replace(TINY, rows=1111, width=512, walkers=70, block_bytes=1024), id="several-slices-and-a-rest"),
    pytest.param(replace(TINY, rows=7, width=2048, walkers=1, seed_bytes=128), id="fewer-rows-than-a-product-takes"),
]


@pytest.mark.parametrize("sizes", SIZES)
def test_torch_and_numpy_fill_and_walk_alike(sizes: Sizes) -> None:
    plain, through_torch = NumpyDevice(), TorchDevice("cpu")
    for device in (plain, through_torch):
        device.prepare(sizes)
    assert through_torch.fill(KEY) == plain.fill(KEY)
    assert bytes(through_torch._memory.numpy()) == bytes(plain._memory)
    assert through_torch.walk_epoch(KEY) == plain.walk_epoch(KEY)
    assert through_torch.path in _PATHS


@pytest.mark.parametrize("sizes", SIZES)
def test_the_eager_walk_of_torch_walks_as_numpy_does(sizes: Sizes) -> None:
    plain = NumpyDevice()
    plain.prepare(sizes)
    plain.fill(KEY)
    coefficients = coefficients_of(KEY, sizes)
    factors = [
        torch.from_numpy(one.view(np.int32).copy()) for one in (coefficients.address, coefficients.first, coefficients.second)
    ]
    states = torch.from_numpy(first_states(KEY, sizes, 0, sizes.walkers).view(np.int32).copy())
    lanes = torch.from_numpy(plain._memory.view(np.int32).copy())
    results = eager_walk(states, lanes, factors, sizes).numpy().view(np.uint32)
    assert result_bytes(results) == plain.walk_epoch(KEY)


def test_every_path_that_this_processor_has_gives_the_same_product() -> None:
    chance = np.random.default_rng(0)
    rows = chance.integers(-128, 128, (64, 1024), dtype=np.int8)
    matrix = chance.integers(-128, 128, (1024, 1024), dtype=np.int8)
    right = FloatMatrix(matrix).multiply(rows)
    compared = 0
    for name in ("int8", "float32"):
        sums = torch.empty((64, 1024), dtype=torch.int32)
        path = _PATHS[name]
        path.product(torch.from_numpy(rows), _column_major(torch.from_numpy(matrix).to(path.dtype)), sums)
        assert np.array_equal(sums.numpy(), right), name
        compared += 1
    assert compared == 2


def test_the_second_byte_is_that_of_a_signed_sum() -> None:
    sums = torch.tensor([[0, 255, 256, -1, -256, -257, 2**21 + 513, -(2**21) - 1, 2**31 - 1, -(2**31)]], dtype=torch.int32)
    second = [int.from_bytes(one.to_bytes(4, "little", signed=True)[1:2], signed=True) for one in sums[0].tolist()]
    state = torch.zeros(sums.shape, dtype=torch.int8)
    _second_byte(sums, state)
    assert state[0].tolist() == second


def test_a_checker_may_use_torch() -> None:
    numpy_source, torch_source = RowSource(KEY, TINY), RowSource(KEY, TINY, TorchMatrix)
    assert np.array_equal(numpy_source.folds([0, 5, 319]), torch_source.folds([0, 5, 319]))


@pytest.mark.parametrize("rows", [1, 3, 64])
def test_a_checkers_matrix_gives_the_same_products_in_either_order(rows: int) -> None:
    matrix = np.random.default_rng(0).integers(-128, 128, (256, 320), dtype=np.int8)
    states = np.random.default_rng(1).integers(-128, 128, (rows, 256), dtype=np.int8)
    right = FloatMatrix(matrix).multiply(states)
    for order in (matrix, np.asfortranarray(matrix)):
        assert np.array_equal(TorchMatrix(order).multiply(states), right)


def test_too_little_memory_is_said_and_nothing_is_kept() -> None:
    device = TorchDevice("cpu")
    with pytest.raises((MemoryError, RuntimeError)):
        device.prepare(replace(TINY, rows=2**36))
    assert device._memory.numel() == 0


FUSED = """
import numpy as np, torch
from gpuaudit.challenge.walk import coefficients_of, first_states
from gpuaudit.workload.torch_challenge import eager_walk
from gpuaudit.workload.triton_kernel import fused_walk
from tests.challenge.rounds import TINY
from dataclasses import replace
sizes = replace(TINY, walkers=3, jumps=5, rows=640)
memory = torch.from_numpy(np.random.default_rng(1).integers(-2**31, 2**31, sizes.memory_bytes // 4, dtype=np.int32))
k = coefficients_of(bytes(32), sizes)
factors = [torch.from_numpy(one.view(np.int32).copy()) for one in (k.address, k.first, k.second)]
states = torch.from_numpy(first_states(bytes(32), sizes, 0, 3).view(np.int32).copy())
fused = fused_walk(states.clone(), memory, factors, sizes)
assert torch.equal(fused, eager_walk(states.clone(), memory, factors, sizes)), fused
assert len(set(fused.flatten().tolist())) == 6
print("same")
"""


@pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="triton is not installed")
def test_the_fused_walk_gives_the_same_results_in_tritons_interpreter() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", FUSED],
        env={**os.environ, "TRITON_INTERPRET": "1"},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.stdout == "same\n", ran.stderr
