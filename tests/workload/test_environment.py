from __future__ import annotations

import os
import sys

import pytest

from gpuaudit.workload.environment import taken_out, worker_environment


@pytest.mark.parametrize(
    "name",
    [
        "NVIDIA_TF32_OVERRIDE",
        "CUBLAS_WORKSPACE_CONFIG",
        "CUBLASLT_LOG_LEVEL",
        "CUDA_LAUNCH_BLOCKING",
        "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE",
        "PYTORCH_CUDA_ALLOC_CONF",
        "NCCL_P2P_DISABLE",
        "OMP_NUM_THREADS",
        "MKL_ENABLE_INSTRUCTIONS",
        "ONEDNN_MAX_CPU_ISA",
        "ATEN_CPU_CAPABILITY",
        "CUDA_MPS_ACTIVE_THREAD_PERCENTAGE",
        "PYTHONSTARTUP",
    ],
)
def test_what_changes_arithmetic_or_links_does_not_reach_a_worker(name: str) -> None:
    assert name not in worker_environment({name: "1", "HOME": "/home/x"})
    assert any(name.startswith(prefix) for prefix in taken_out())


@pytest.mark.parametrize(
    "name", ["PATH", "HOME", "LD_LIBRARY_PATH", "LD_PRELOAD", "CUDA_VISIBLE_DEVICES", "CUDA_HOME", "NCCL_TOPO_FILE"]
)
def test_what_a_machine_needs_to_find_its_driver_stays(name: str) -> None:
    """A preload too: it is recorded as evidence, and taking it out would hide that it was there."""
    assert worker_environment({name: "as it was"})[name] == "as it was"


def test_a_worker_imports_what_its_parent_would() -> None:
    path = worker_environment({"PYTHONPATH": "/elsewhere"})["PYTHONPATH"].split(os.pathsep)
    assert path == [entry for entry in sys.path if entry]


def test_each_prefix_says_what_it_could_change() -> None:
    assert all(len(words) > 10 for words in taken_out().values())
