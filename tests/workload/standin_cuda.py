"""A stand-in for `torch.cuda` that computes on the processor and raises where a real device would race, hang or lie.

It keeps CUDA's rules with vector clocks: work on one stream sees work on another only after an event, a stream or the host has
waited for it. Every operation of torch goes through it while `watching()`.
"""

from __future__ import annotations

import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from typing_extensions import override

# These give a value to the host, which therefore waits for the stream.
_GIVES_TO_HOST = {"aten::equal", "aten::_local_scalar_dense", "aten::item"}


class MisuseError(Exception):
    """What the code did would be undefined on a device."""


def _join(clock: dict[int, int], other: dict[int, int]) -> None:
    for key, tick in other.items():
        clock[key] = max(clock.get(key, 0), tick)


@dataclass(eq=False)
class StandInStream:
    owner: StandInCuda
    device: int
    key: int
    clock: dict[int, int] = field(default_factory=dict)

    def advance(self) -> int:
        self.clock[self.key] = self.clock.get(self.key, 0) + 1
        return self.clock[self.key]

    def wait_event(self, event: StandInEvent) -> None:
        if not event.recorded:
            raise MisuseError("waited for an event that was never recorded")
        _join(self.clock, event.clock)

    def wait_stream(self, stream: StandInStream) -> None:
        _join(self.clock, stream.clock)

    def synchronize(self) -> None:
        _join(self.owner.host, self.clock)


class StandInEvent:
    def __init__(self, owner: StandInCuda, *, enable_timing: bool) -> None:
        self.owner = owner
        self.enable_timing = enable_timing
        self.recorded = False
        self.clock: dict[int, int] = {}
        self.moment = 0.0

    def record(self, stream: StandInStream | None = None) -> None:
        chosen = stream if stream is not None else self.owner.current_stream()
        chosen.advance()
        self.clock = dict(chosen.clock)
        self.moment = time.perf_counter()
        self.recorded = True

    def synchronize(self) -> None:
        if not self.recorded:
            raise MisuseError("synchronised with an event that was never recorded")
        _join(self.owner.host, self.clock)

    def elapsed_time(self, end: StandInEvent) -> float:
        for event in (self, end):
            if not event.enable_timing:
                raise MisuseError("read the time of an event made without timing")
            if not event.recorded:
                raise MisuseError("read an event that was never recorded")
            if any(self.owner.host.get(key, 0) < tick for key, tick in event.clock.items()):
                raise MisuseError("read an event before it was synchronised")
        return (end.moment - self.moment) * 1e3


@dataclass
class _Buffer:
    allocated_on: int
    written: tuple[int, int] | None = None
    reads: dict[int, int] = field(default_factory=dict)


class StandInCuda:
    def __init__(self, devices: int = 1, *, free_bytes: int = 2**30) -> None:
        self._streams: list[StandInStream] = []
        self._current = {device: self.Stream(device=device) for device in range(devices)}
        self._device = 0
        self._buffers: dict[int, _Buffer] = {}
        self.host: dict[int, int] = {}
        self.free_bytes = free_bytes
        self.violations: list[str] = []
        self.emptied = 0
        self.events = 0

    def Stream(self, device: int = 0) -> StandInStream:  # noqa: N802 - torch.cuda's name
        stream = StandInStream(owner=self, device=device, key=len(self._streams))
        self._streams.append(stream)
        return stream

    def Event(self, enable_timing: bool = False) -> StandInEvent:  # noqa: N802 - torch.cuda's name
        self.events += 1
        return StandInEvent(self, enable_timing=enable_timing)

    def current_stream(self, device: int | None = None) -> StandInStream:
        return self._current[self._device if device is None else device]

    @contextmanager
    def device(self, device: int) -> Iterator[None]:
        before, self._device = self._device, device
        yield
        self._device = before

    @contextmanager
    def stream(self, stream: StandInStream) -> Iterator[None]:
        before, device_before = self._current[stream.device], self._device
        self._current[stream.device], self._device = stream, stream.device
        yield
        self._current[stream.device], self._device = before, device_before

    def synchronize(self, device: int) -> None:
        for stream in self._streams:
            if stream.device == device:
                stream.synchronize()

    def mem_get_info(self, device: int) -> tuple[int, int]:
        return self.free_bytes, 2 * self.free_bytes

    def empty_cache(self) -> None:
        self.emptied += 1

    def idle(self) -> bool:
        """Whether the host has waited for all work of all streams."""
        return all(self.host.get(stream.key, 0) >= stream.clock.get(stream.key, 0) for stream in self._streams)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Let every operation of torch run on the current stream.

        Raises:
            MisuseError: A buffer was freed while another stream still worked on it.
        """
        with _Watch(self):
            yield
        if self.violations:
            raise MisuseError("; ".join(self.violations))

    def operate(self, inputs: list[tuple[torch.Tensor, bool]], outputs: list[torch.Tensor], *, for_host: bool) -> None:
        stream = self.current_stream()
        tick = stream.advance()
        for tensor, writes in inputs:
            self._access(self._buffer(tensor, stream), stream, tick, writes=writes)
        for tensor in outputs:
            self._access(self._buffer(tensor, stream), stream, tick, writes=True)
        if for_host:
            stream.synchronize()

    def _access(self, buffer: _Buffer, stream: StandInStream, tick: int, *, writes: bool) -> None:
        earlier = [buffer.written] if buffer.written else []
        if writes:
            earlier += list(buffer.reads.items())
        for key, at in earlier:
            if stream.clock.get(key, 0) < at:
                raise MisuseError(f"work on stream {stream.key} did not wait for stream {key}, which uses the same buffer")
        if writes:
            buffer.written = (stream.key, tick)
            buffer.reads = {}
        else:
            buffer.reads[stream.key] = tick

    def _buffer(self, tensor: torch.Tensor, stream: StandInStream) -> _Buffer:
        storage = tensor.untyped_storage()
        key = storage._cdata
        if key not in self._buffers:
            self._buffers[key] = _Buffer(allocated_on=stream.key)
            weakref.finalize(storage, self._freed, key)
        return self._buffers[key]

    def _freed(self, key: int) -> None:
        buffer = self._buffers.pop(key)
        uses = {**buffer.reads, **dict([buffer.written] if buffer.written else [])}
        self.violations += [
            f"a buffer of stream {buffer.allocated_on} was freed while stream {stream} still used it"
            for stream, tick in uses.items()
            if max(self.host.get(stream, 0), self._streams[buffer.allocated_on].clock.get(stream, 0)) < tick
        ]


class _Watch(TorchDispatchMode):  # type: ignore[no-untyped-call]
    def __init__(self, cuda: StandInCuda) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._cuda = cuda

    @override
    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = kwargs or {}
        if func._schema.name == "aten::is_pinned":
            return False
        if func._schema.name == "aten::_pin_memory":
            func, given = torch.ops.aten.clone.default, {}
        result = func(*args, **given)
        is_view = any(each.alias_info is not None and not each.alias_info.is_write for each in func._schema.returns)
        if not is_view:
            inputs = _tensors(func._schema.arguments, args, given)
            known = {id(tensor) for tensor, _ in inputs}
            outputs = [leaf for leaf in tree_leaves(result) if isinstance(leaf, torch.Tensor) and id(leaf) not in known]
            self._cuda.operate(inputs, outputs, for_host=func._schema.name in _GIVES_TO_HOST)
        return result


def _tensors(arguments: Any, args: Any, kwargs: Any) -> list[tuple[torch.Tensor, bool]]:
    found = []
    for position, argument in enumerate(arguments):
        value = args[position] if position < len(args) else kwargs.get(argument.name)
        writes = argument.alias_info is not None and argument.alias_info.is_write
        found += [(leaf, writes) for leaf in tree_leaves(value) if isinstance(leaf, torch.Tensor)]
    return found
