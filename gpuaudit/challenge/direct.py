"""A channel to a prover in the same process: for a machine that challenges itself, and for simulations."""

from __future__ import annotations

from collections.abc import Callable

from typing_extensions import override

from gpuaudit.challenge.channel import Arrival, Channel, ChannelError
from gpuaudit.challenge.stopwatch import NANOSECONDS, Stamp, Stopwatch
from gpuaudit.units import Seconds


class DirectChannel(Channel):
    """Hands every line to `answer` and keeps what it returns until it is asked for."""

    def __init__(self, answer: Callable[[bytes], bytes], stopwatch: Stopwatch) -> None:
        """Stamp with `stopwatch`: when a line was sent, and when its answer was there."""
        self._answer = answer
        self._stopwatch = stopwatch
        self._received = b""
        self._took = 0.0
        self._answered = stopwatch.stamp()

    @override
    def send(self, data: bytes, *, within: Seconds) -> Stamp:
        began = self._stopwatch.stamp()
        self._received += self._answer(data.removesuffix(b"\n"))
        self._answered = self._stopwatch.stamp()
        self._took = (self._answered.elapsed_nanoseconds - began.elapsed_nanoseconds) / NANOSECONDS
        return began

    @override
    def receive_line(self, longest: int, *, within: Seconds) -> Arrival:
        self._require_in_time(within)
        line, newline, rest = self._received.partition(b"\n")
        if not newline or len(line) >= longest:
            raise ChannelError(f"channel: expected a line of at most {longest} bytes, got {len(self._received)} bytes")
        self._received = rest
        return Arrival(line=line, at=self._answered)

    @override
    def receive_exactly(self, length: int, *, within: Seconds) -> bytes:
        self._require_in_time(within)
        if len(self._received) < length:
            raise ChannelError(f"channel: closed by the other side: {len(self._received)} of {length} bytes came")
        data, self._received = self._received[:length], self._received[length:]
        return data

    def _require_in_time(self, within: Seconds) -> None:
        if self._took > within:
            raise ChannelError(f"channel: late: nothing more came within {within:g} s")
