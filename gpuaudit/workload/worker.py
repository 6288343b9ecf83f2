"""What a worker process does once torch is loaded: measure on one device as it is told.

It can be killed at any time without harm to the run.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import BinaryIO

from gpuaudit.evidence.measurement import CollectiveTask, Samples, Task
from gpuaudit.evidence.reading import Reading, Reason, Source, Unknown
from gpuaudit.units import Bytes, Seconds
from gpuaudit.workload.accelerator import Accelerator, NotMeasurableError
from gpuaudit.workload.collective import GroupAccelerator
from gpuaudit.workload.messages import (
    HOST,
    Described,
    Failed,
    Go,
    InGroup,
    Measure,
    Measured,
    Opened,
    Ready,
    Single,
    WithPeer,
    line_from,
    read_to,
)
from gpuaudit.workload.sampling import Terms, measure
from gpuaudit.workload.suite import task_of
from gpuaudit.workload.torch_accelerator import TorchAccelerator, describe_torch, join_group, open_cuda, open_host


class Worker:
    """The worker's end of the conversation."""

    def __init__(self, commands: BinaryIO, replies: BinaryIO, device: str) -> None:
        """Serve `device`, a UUID or the host, by lines read from `commands`, with answers to `replies`."""
        self._commands = commands
        self._replies = replies
        self._device = device
        self._began = Seconds(0.0)

    def serve(self) -> None:
        """Open the device, then answer commands until there are no more."""
        try:
            accelerator = open_host() if self._device == HOST else open_cuda((self._device,))
        except NotMeasurableError as error:
            self._reply(line_from(Failed(reason=error.reason, detail=error.detail)))
            return
        self._reply(line_from(Opened()))
        while line := self._commands.readline():
            command = read_to(line)
            if isinstance(command, Measure):
                self._measure(accelerator, command)
            elif not isinstance(command, Go):
                self._reply(line_from(Described(torch=describe_torch())))

    def _measure(self, accelerator: TorchAccelerator, command: Measure) -> None:
        task = task_of(command.spec, free_bytes=Bytes(0), backend="")
        terms = Terms(sampling=command.sampling, budget_seconds=command.budget_seconds, least_seconds=command.least_seconds)
        self._began = Seconds(time.monotonic())
        samples: Reading[Samples]
        try:
            task = task_of(command.spec, free_bytes=accelerator.free_bytes(), backend="")
            match command.partners:
                case Single():
                    task, samples = measure(accelerator, task, terms, ready=self._wait)
                case WithPeer():
                    pair = open_cuda((command.partners.first_uuid, command.partners.second_uuid))
                    task, samples = measure(pair, task, terms, ready=self._wait)
                case InGroup():
                    task, samples = _in_group(accelerator, task, terms, command.partners, self._wait)
        except NotMeasurableError as error:
            samples = Unknown(reason=error.reason, source=Source.WORKLOAD, detail=error.detail)
        ended = Seconds(time.monotonic())
        self._reply(line_from(Measured(task=task, samples=samples, began=self._began, ended=ended)))

    def _wait(self) -> None:
        """Say that all is ready, and wait for the word."""
        self._reply(line_from(Ready()))
        line = self._commands.readline()
        if not line:
            raise SystemExit(0)
        read_to(line)
        self._began = Seconds(time.monotonic())

    def _reply(self, line: bytes) -> None:
        self._replies.write(line)
        self._replies.flush()


def _in_group(
    accelerator: TorchAccelerator, task: Task, terms: Terms, partners: InGroup, ready: Callable[[], None]
) -> tuple[Task, Reading[Samples]]:
    """Measure as rank 0, or take part as any other rank."""
    group = join_group(accelerator, partners)
    try:
        if not isinstance(task, CollectiveTask):
            raise NotMeasurableError(Reason.FAULT, f"a group runs collectives, not {task.kind}")
        task = CollectiveTask(kind=task.kind, buffer_bytes=task.buffer_bytes, backend=group.backend)
        if partners.rank:
            ready()
            group.follow(task)
            return task, Unknown(reason=Reason.NOT_ATTEMPTED, source=Source.WORKLOAD, detail="rank 0 measures")
        whole: Accelerator = GroupAccelerator(group, accelerator)
        return measure(whole, task, terms, ready=ready)
    finally:
        group.leave()
