"""All-reduce and all-to-all over several processes, timed by the first of them. Imports no torch: it is handed in.

Steps: (1) all ranks meet at a file; (2) rank 0 announces how many runs and passes come; (3) all ranks run them, and rank 0 times
its own; (4) rank 0 announces zero runs, and all leave.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from gpuaudit.evidence.measurement import CollectiveTask, Task
from gpuaudit.evidence.reading import Reason
from gpuaudit.units import Bytes, Seconds
from gpuaudit.workload.accelerator import Accelerator, Kernel, NotMeasurableError
from gpuaudit.workload.amounts import amount_of
from gpuaudit.workload.messages import InGroup
from gpuaudit.workload.runtime import Runtime
from gpuaudit.workload.torch_errors import as_measurable

_TIMEOUT: Final = datetime.timedelta(seconds=30)


class Group:
    """One rank of a group of processes, each with one device."""

    def __init__(self, torch: Any, place: InGroup, *, device: Any, runtime: Runtime) -> None:
        """(1) Meet the other ranks.

        Args:
            torch: The module.
            place: This process's rank, how many there are, and the file at which they meet, which the first to come makes.
            device: This rank's device.
            runtime: How rank 0 is timed.

        Raises:
            NotMeasurableError: The backend is missing, or the others did not come in time.
        """
        self._torch = torch
        self._size = place.size
        self._device = device
        self._runtime = runtime
        on_cuda = device.type == "cuda"
        self.backend = "nccl" if on_cuda else "gloo"
        with as_measurable():
            torch.distributed.init_process_group(
                self.backend,
                init_method=Path(place.meeting_file).absolute().as_uri(),
                rank=place.rank,
                world_size=place.size,
                timeout=_TIMEOUT,
                **({"device_id": device} if on_cuda else {}),
            )

    def prepare(self, task: CollectiveTask) -> CollectiveKernel:
        """Allocate this rank's buffers, of `buffer_bytes` each.

        Raises:
            NotMeasurableError: They do not fit.
        """
        with as_measurable():
            return CollectiveKernel(self._torch, task, size=self._size, device=self._device, runtime=self._runtime)

    def follow(self, task: CollectiveTask) -> None:
        """(3) Take part in what rank 0 announces, until it announces nothing more.

        Raises:
            NotMeasurableError: A rank was lost.
        """
        with as_measurable():
            self.prepare(task).follow()

    def leave(self) -> None:
        """(4) End the group; the process can join another one later."""
        with as_measurable():
            self._torch.distributed.destroy_process_group()


class CollectiveKernel:
    """One collective with its buffers in place."""

    def __init__(self, torch: Any, task: CollectiveTask, *, size: int, device: Any, runtime: Runtime) -> None:
        """Fill a source and a sink of float32, both divisible among `size` ranks."""
        length = task.buffer_bytes // 4 // size * size
        self._distributed = torch.distributed
        self._runtime = runtime
        self._amount = amount_of(task, devices=size)
        self._announcement = torch.zeros(2, dtype=torch.int64, device=device)
        source = torch.rand(length, dtype=torch.float32, device=device)
        sink = torch.empty_like(source)
        self._buffers = [source, sink]
        # A sum in place doubles its operands until they overflow; NCCL can average, gloo cannot (and infinities cost it nothing).
        operation = torch.distributed.ReduceOp.AVG if device.type == "cuda" else torch.distributed.ReduceOp.SUM
        passes: dict[str, Callable[[], object]] = {
            "all-reduce": lambda: self._distributed.all_reduce(self._buffers[0], op=operation),
            "all-to-all": lambda: self._distributed.all_to_all_single(self._buffers[1], self._buffers[0]),
        }
        self._one_pass = passes[task.kind]

    def amount_per_pass(self) -> float:
        """Return the bus bytes of one pass."""
        return self._amount

    def time(self, runs: int, *, passes: int) -> tuple[Seconds, ...]:
        """(2) Announce the runs, and (3) time this rank's part in them.

        Raises:
            NotMeasurableError: A rank was lost.
        """
        with as_measurable():
            self._announce(runs, passes)
            return self._runtime.time(self._one_pass, runs, passes)

    def follow(self) -> None:
        """(3) Do what rank 0 announces, until it announces no runs."""
        while True:
            runs, passes = self._announce(0, 0)
            if not runs:
                break
            self._runtime.time(self._one_pass, runs, passes)
        self._runtime.finish(self._buffers)

    def release(self) -> None:
        """(4) Announce that there are no more runs, and give the buffers back.

        Raises:
            NotMeasurableError: A rank was lost.
        """
        with as_measurable():
            self._announce(0, 0)
            self._runtime.finish(self._buffers)

    def _announce(self, runs: int, passes: int) -> tuple[int, int]:
        """Send two numbers as rank 0, or receive them as any other."""
        self._announcement[0] = runs
        self._announcement[1] = passes
        self._distributed.broadcast(self._announcement, src=0)
        told_runs, told_passes = self._announcement.tolist()
        return int(told_runs), int(told_passes)


class GroupAccelerator:
    """A group, as the sampling code sees it: an accelerator whose every task is a collective."""

    def __init__(self, group: Group, device: Accelerator) -> None:
        """Stand for `group`, with clock and memory of this rank's own `device`."""
        self._group = group
        self._device = device

    @property
    def simulated(self) -> bool:
        """Whether the times are modelled."""
        return self._device.simulated

    def now(self) -> Seconds:
        """Return this rank's time."""
        return self._device.now()

    def free_bytes(self) -> Bytes:
        """Return what this rank can allocate."""
        return self._device.free_bytes()

    def prepare(self, task: Task, *, rotation_bytes: Bytes) -> Kernel:  # noqa: ARG002 - the protocol asks for it
        """Allocate the buffers of a collective; they are larger than any cache, so none are rotated.

        Raises:
            NotMeasurableError: It is not a collective, or the buffers do not fit.
        """
        if not isinstance(task, CollectiveTask):
            raise NotMeasurableError(Reason.FAULT, f"a group runs collectives, not {task.kind}")
        return self._group.prepare(task)
