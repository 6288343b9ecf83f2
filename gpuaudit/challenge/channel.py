"""The way to the other side: bounded in bytes and in time, whatever it sends."""

from __future__ import annotations

import math
import os
import select
from dataclasses import dataclass
from typing import Final, Protocol

from typing_extensions import override

from gpuaudit.challenge.stopwatch import NANOSECONDS, Stamp, Stopwatch
from gpuaudit.errors import MachineError
from gpuaudit.units import Seconds

_CHUNK: Final = 1 << 16
_MILLISECONDS: Final = 1000
_NEWLINE: Final = b"\n"


class ChannelError(MachineError):
    """The other side is silent, gone, or sends more than was agreed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A line, without its newline, and when the newline came."""

    line: bytes
    at: Stamp


class Channel(Protocol):
    """Two directions of bytes. Implemented by `PipeChannel`, by `Replay` and by the simulation's."""

    def send(self, data: bytes, *, within: Seconds) -> Stamp:
        """Send all of `data` and return the moment before the first byte of it left.

        Raises:
            ChannelError: The other side does not take it in time.
        """
        ...

    def receive_line(self, longest: int, *, within: Seconds) -> Arrival:
        """Receive one line of at most `longest` bytes, newline included.

        Raises:
            ChannelError: It is longer, late, or does not come.
        """
        ...

    def receive_exactly(self, length: int, *, within: Seconds) -> bytes:
        """Receive `length` bytes.

        Raises:
            ChannelError: They are late, or do not come.
        """
        ...


class PipeChannel(Channel):
    """A channel over two file descriptors, which are made non-blocking."""

    def __init__(self, reading: int, writing: int, stopwatch: Stopwatch) -> None:
        """Read from one descriptor, write to the other; both stay the caller's to close."""
        self._reading = reading
        self._writing = writing
        self._stopwatch = stopwatch
        self._received = bytearray()
        for descriptor in (reading, writing):
            os.set_blocking(descriptor, False)

    @override
    def send(self, data: bytes, *, within: Seconds) -> Stamp:
        began = self._stopwatch.stamp()
        rest = memoryview(data)
        while rest:
            if not _ready(self._writing, select.POLLOUT, self._left(began, within)):
                raise ChannelError(f"channel: nothing was taken for {within:g} s")
            try:
                rest = rest[os.write(self._writing, rest[:_CHUNK]) :]
            except BlockingIOError:
                continue
            except OSError as error:
                raise ChannelError(f"channel: closed by the other side ({error.strerror})") from None
        return began

    @override
    def receive_line(self, longest: int, *, within: Seconds) -> Arrival:
        began = self._stopwatch.stamp()
        searched = 0
        while (end := self._received.find(_NEWLINE, searched)) < 0:
            if len(self._received) >= longest:
                break
            searched = len(self._received)
            self._more(began, within)
        at = self._stopwatch.stamp()
        if end < 0 or end >= longest:
            raise ChannelError(f"channel: expected a line of at most {longest} bytes, got more")
        line = bytes(self._received[:end])
        del self._received[: end + 1]
        return Arrival(line=line, at=at)

    @override
    def receive_exactly(self, length: int, *, within: Seconds) -> bytes:
        began = self._stopwatch.stamp()
        while len(self._received) < length:
            self._more(began, within)
        data = bytes(self._received[:length])
        del self._received[:length]
        return data

    def _more(self, began: Stamp, within: Seconds) -> None:
        if not _ready(self._reading, select.POLLIN, self._left(began, within)):
            raise ChannelError(f"channel: late: nothing more came within {within:g} s")
        try:
            data = os.read(self._reading, _CHUNK)
        except BlockingIOError:
            return
        except OSError as error:
            raise ChannelError(f"channel: closed by the other side ({error.strerror})") from None
        if not data:
            raise ChannelError("channel: closed by the other side")
        self._received += data

    def _left(self, began: Stamp, within: Seconds) -> float:
        passed = (self._stopwatch.stamp().elapsed_nanoseconds - began.elapsed_nanoseconds) / NANOSECONDS
        if passed >= within:
            raise ChannelError(f"channel: late: not done within {within:g} s")
        return within - passed


def _ready(descriptor: int, event: int, seconds: float) -> bool:
    """Wait until a descriptor is ready or broken; `select` knows no descriptor above 1,023, and of many machines each has several."""
    waiting = select.poll()
    waiting.register(descriptor, event)
    return bool(waiting.poll(math.ceil(seconds * _MILLISECONDS)))
