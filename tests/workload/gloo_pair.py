"""One of two processes that time the same all-reduce in two ways, turn by turn: ours, and a plain loop over torch.distributed.

Run as `python -m tests.workload.gloo_pair RANK MEETING_FILE`; rank 0 prints pairs of seconds as JSON.
"""

from __future__ import annotations

import json
import sys
import time

import torch
import torch.distributed

from gpuaudit.evidence.measurement import CollectiveTask
from gpuaudit.units import Bytes
from gpuaudit.workload.messages import InGroup
from gpuaudit.workload.torch_accelerator import join_group, open_host

_BYTES = 8 * 1024 * 1024
_ROUNDS = 25
_RUNS = 4


def main() -> None:
    rank, meeting_file = int(sys.argv[1]), sys.argv[2]
    group = join_group(open_host(), InGroup(rank=rank, size=2, meeting_file=meeting_file))
    kernel = group.prepare(CollectiveTask(kind="all-reduce", buffer_bytes=Bytes(_BYTES), backend=group.backend))
    plain = torch.rand(_BYTES // 4)
    pairs = []
    for _ in range(_ROUNDS):
        torch.distributed.barrier()
        ours = kernel.time(_RUNS, passes=1) if rank == 0 else ()
        if rank:
            # Rank 0 announces its runs; this is what a follower does with one announcement.
            runs, passes = kernel._announce(0, 0)
            kernel._runtime.time(kernel._one_pass, runs, passes)
        torch.distributed.barrier()
        theirs = []
        for _ in range(_RUNS):
            began = time.perf_counter()
            torch.distributed.all_reduce(plain)
            theirs.append(time.perf_counter() - began)
        pairs += list(zip(ours, theirs, strict=False))
    group.leave()
    if rank == 0:
        json.dump({"pairs": pairs, "amount": kernel.amount_per_pass(), "bytes": _BYTES}, sys.stdout)


if __name__ == "__main__":
    main()
