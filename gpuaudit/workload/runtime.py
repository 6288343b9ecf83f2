"""What is done differently on a CUDA device and on the processor: clocks, streams, memory. Imports no torch.

`CudaRuntime` is given `torch.cuda`, so that a test can put a strict stand-in beneath the same code.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, Protocol

import psutil

from gpuaudit.evidence.reading import Reason
from gpuaudit.units import Bytes, Seconds
from gpuaudit.workload.accelerator import NotMeasurableError


class Runtime(Protocol):
    """How work on one device, or between two, is timed, forked and finished."""

    def time(self, one_pass: Callable[[], object], runs: int, passes: int) -> tuple[Seconds, ...]:
        """Time `runs` runs of `passes` calls each; all work is finished on return."""
        ...

    def at_once(self, first: Callable[[], object], second: Callable[[], object], /) -> None:
        """Run two pieces of work side by side; work that follows waits for both."""
        ...

    def free_bytes(self) -> Bytes:
        """Return how much memory can be allocated."""
        ...

    def pinned(self, buffer: Any, /) -> Any:
        """Return a copy of a host tensor in memory that the device can read by itself."""
        ...

    def finish(self, buffers: list[Any]) -> None:
        """Wait for all work, then empty `buffers` and give their memory back to the system."""
        ...


class HostRuntime:
    """The processor: work is finished when the call returns."""

    def time(self, one_pass: Callable[[], object], runs: int, passes: int) -> tuple[Seconds, ...]:
        """Time with the system's performance counter."""
        times = []
        for _ in range(runs):
            start = time.perf_counter()
            for _ in range(passes):
                one_pass()
            times.append(Seconds(time.perf_counter() - start))
        return tuple(times)

    def at_once(self, _first: Callable[[], object], _second: Callable[[], object], /) -> None:
        """Refuse: a processor has no link to itself.

        Raises:
            NotMeasurableError: Always.
        """
        raise NotMeasurableError(Reason.NOT_SUPPORTED, "the processor has no link to a device")

    def free_bytes(self) -> Bytes:
        """Return the memory that the system says is available."""
        return Bytes(psutil.virtual_memory().available)

    def pinned(self, _buffer: Any, /) -> Any:
        """Refuse, as `at_once` does.

        Raises:
            NotMeasurableError: Always.
        """
        raise NotMeasurableError(Reason.NOT_SUPPORTED, "the processor has no link to a device")

    def finish(self, buffers: list[Any]) -> None:
        """Drop the buffers; memory goes back as soon as nothing refers to it."""
        buffers.clear()


class CudaRuntime:
    """Events, streams and memory of CUDA devices."""

    def __init__(self, cuda: Any, devices: Sequence[int]) -> None:
        """Open two streams on each device.

        Args:
            cuda: `torch.cuda`.
            devices: Indices of the devices that a task touches; the first one is timed.
        """
        self._cuda = cuda
        self._devices = tuple(devices)
        self._lanes = tuple(tuple(cuda.Stream(device=device) for device in self._devices) for _ in range(2))

    def time(self, one_pass: Callable[[], object], runs: int, passes: int) -> tuple[Seconds, ...]:
        """Time with a pair of device events around each run; the host waits once, for the last."""
        cuda = self._cuda
        with cuda.device(self._devices[0]):
            stream = cuda.current_stream()
            pairs = [(cuda.Event(enable_timing=True), cuda.Event(enable_timing=True)) for _ in range(runs)]
            for begin, end in pairs:
                begin.record(stream)
                for _ in range(passes):
                    one_pass()
                end.record(stream)
            pairs[-1][1].synchronize()
            return tuple(Seconds(begin.elapsed_time(end) / 1e3) for begin, end in pairs)

    def at_once(self, first: Callable[[], object], second: Callable[[], object], /) -> None:
        """Fork into two lanes, each with a stream of its own on every device, and let the current stream wait for both.

        A copy between devices waits for the current streams of both ends; with one lane, two directions would take turns.
        """
        main = self._cuda.current_stream()
        fork = self._cuda.Event()
        fork.record(main)
        for lane, work in zip(self._lanes, (first, second), strict=True):
            for stream in lane:
                stream.wait_event(fork)
            with self._on(lane):
                work()
        for stream in itertools.chain.from_iterable(self._lanes):
            main.wait_stream(stream)

    def free_bytes(self) -> Bytes:
        """Return what the driver says is free on the device."""
        free, _ = self._cuda.mem_get_info(self._devices[0])
        return Bytes(free)

    def pinned(self, buffer: Any, /) -> Any:
        """Return a page-locked copy."""
        return buffer.pin_memory()

    def finish(self, buffers: list[Any]) -> None:
        """Synchronise every device touched, drop the buffers and empty torch's cache of device memory."""
        for device in self._devices:
            self._cuda.synchronize(device)
        buffers.clear()
        self._cuda.empty_cache()

    @contextmanager
    def _on(self, lane: Sequence[Any]) -> Iterator[None]:
        """Make each stream of `lane` the current one of its device, and the first device current."""
        with ExitStack() as stack:
            for stream in reversed(lane):
                stack.enter_context(self._cuda.stream(stream))
            yield
