"""The environment in which a worker measures: what would change arithmetic or links behind our back is taken out."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import Final

# Each prefix with what its variables can do. Those that a machine needs to find its driver and its libraries stay.
_TAKEN_OUT: Final = {
    "CUBLAS": "choose other products or log each call (CUBLAS_*, CUBLASLT_*, CUBLAS_WORKSPACE_CONFIG)",
    "CUDNN": "log each call",
    "CUDA_LAUNCH_BLOCKING": "waits after every launch",
    "CUDA_FORCE": "compiles every kernel anew",
    "CUDA_DISABLE": "compiles every kernel anew",
    "CUDA_CACHE": "compiles every kernel anew",
    "CUDA_MPS": "shares of the device's multiprocessors",
    "CUDA_DEVICE_MAX_CONNECTIONS": "serialises streams",
    "NVIDIA_TF32_OVERRIDE": "switches TF32 for every product, whatever was asked for",
    "TORCH": "thread counts, kernels, logging, TF32 switches",
    "PYTORCH": "the memory allocator and how devices are counted",
    "NCCL": "algorithms, links and debugging of collectives; the machine's topology file stays",
    "GLOO": "the network interface of collectives",
    "OMP": "thread count and placement on the processor",
    "KMP": "thread placement on the processor",
    "MKL": "code path and thread count on the processor",
    "GOMP": "thread placement on the processor",
    "OPENBLAS": "code path and thread count on the processor",
    "ONEDNN": "code path on the processor",
    "DNNL": "code path on the processor",
    "ATEN_CPU_CAPABILITY": "code path on the processor",
    "MALLOC": "the host's memory allocator",
    "PYTHON": "flags, start-up files and import path; the path is set to that of the parent",
}
_KEPT: Final = frozenset({"NCCL_TOPO_FILE"})


def taken_out() -> Mapping[str, str]:
    """Return the prefixes of the variables that a worker does not inherit, and what each could change."""
    return dict(_TAKEN_OUT)


def worker_environment(inherited: Mapping[str, str]) -> dict[str, str]:
    """Return the variables for a worker: those inherited without the ones that change how work runs.

    Collectives are told to meet over the loopback interface, since all workers are on this machine. The import path is the
    parent's, so that a worker loads the same gpuaudit and the same torch.
    """
    kept = {name: value for name, value in inherited.items() if name in _KEPT or not name.startswith(tuple(_TAKEN_OUT))}
    kept["PYTHONPATH"] = os.pathsep.join(entry for entry in sys.path if entry)
    kept["NCCL_SOCKET_IFNAME"] = kept["GLOO_SOCKET_IFNAME"] = "lo"
    return kept
