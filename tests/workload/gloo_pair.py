"""One of two processes that time the same all-reduce in two ways, turn by turn: ours, and a plain loop over torch.distributed.

Run as `python -m tests.workload.gloo_pair RANK MEETING_FILE`; rank 0 prints pairs of seconds (the median of a round in each way) as JSON.
"""

from __future__ import annotations

import json
import statistics
import sys
import time

import torch
import torch.distributed

from gpuaudit.evidence.measurement import CollectiveTask
from gpuaudit.units import Bytes
from gpuaudit.workload.messages import InGroup
from gpuaudit.workload.torch_accelerator import join_group, open_host

_BYTES = 8 * 1024 * 1024
_FEWEST_ROUNDS = 200
_MOST_ROUNDS = 1200
# Nearer to one than is asked for: further rounds cannot easily carry the median out again.
_NEAR = 0.05
_RUNS = 3


def _is_open(pairs: list[tuple[float, float]]) -> bool:
    """Whether more rounds are wanted: until the median ratio is clear, as far as a busy machine lets it become so."""
    if len(pairs) < _FEWEST_ROUNDS:
        return True
    ratio = statistics.median(ours / theirs for ours, theirs in pairs)
    return len(pairs) < _MOST_ROUNDS and abs(ratio - 1) > _NEAR


def main() -> None:
    rank, meeting_file = int(sys.argv[1]), sys.argv[2]
    group = join_group(open_host(), InGroup(rank=rank, size=2, meeting_file=meeting_file))
    kernel = group.prepare(CollectiveTask(kind="all-reduce", buffer_bytes=Bytes(_BYTES), backend=group.backend))
    # The same memory for both: where a buffer lies is worth more than the tenth that is asked for.
    [buffer, _] = kernel._buffers

    def ours() -> tuple[float, ...]:
        if rank == 0:
            return kernel.time(_RUNS, passes=1)
        # Rank 0 announces its runs; this is what a follower does with one announcement.
        runs, passes = kernel._announce(0, 0)
        return kernel._runtime.time(kernel._one_pass, runs, passes)

    def theirs() -> tuple[float, ...]:
        times = []
        for _ in range(_RUNS):
            began = time.perf_counter()
            torch.distributed.all_reduce(buffer)
            times.append(time.perf_counter() - began)
        return tuple(times)

    pairs: list[tuple[float, float]] = []
    goes_on = torch.ones(1)
    while goes_on.item():
        number = len(pairs)
        seconds = {}
        # Each goes first in every other round: to come second is an advantage.
        for timed in (ours, theirs) if number % 2 else (theirs, ours):
            torch.distributed.barrier()
            seconds[timed] = timed()
        pairs.append((statistics.median(seconds[ours]), statistics.median(seconds[theirs])))
        # Rank 0 decides for both: each of them measures other times.
        goes_on.fill_(_is_open(pairs))
        torch.distributed.broadcast(goes_on, 0)
    group.leave()
    if rank == 0:
        json.dump({"pairs": pairs, "amount": kernel.amount_per_pass(), "bytes": _BYTES}, sys.stdout)


if __name__ == "__main__":
    main()
