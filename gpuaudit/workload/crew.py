"""Several workers at once, each on its device, kept to time and temperature by one thread."""

from __future__ import annotations

import selectors
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Final, Self, TypeAlias

from gpuaudit.errors import AuthenticityError
from gpuaudit.evidence.host import TorchEvidence
from gpuaudit.evidence.reading import Reason, Source, Unknown
from gpuaudit.workload.messages import (
    Describe,
    Described,
    Failed,
    Go,
    InGroup,
    Measure,
    Measured,
    Opened,
    Ready,
    line_to,
    read_from,
)
from gpuaudit.workload.process import WorkerProcess
from gpuaudit.workload.suite import Limits

_POLL_SECONDS: Final = 0.1
_LEAVE_SECONDS: Final = 2.0
# A worker that has died twice on a device will die again; the run is billed by the minute.
_MOST_STARTS: Final = 3
# After these, the CUDA context of a process answers nothing any more.
_FATAL: Final = frozenset({Reason.FAULT, Reason.LOST})
_NEVER_STARTED: Final = Unknown(reason=Reason.CRASHED, source=Source.WORKLOAD, detail="the worker is not running")

Answer: TypeAlias = Opened | Failed | Described | Ready | Measured
Alarm: TypeAlias = Callable[[int], Unknown | None]


@dataclass(slots=True, kw_only=True)
class _Seat:
    """One device's place: the worker that serves it now, if any, and how often one was started."""

    device: str
    worker: WorkerProcess | None = None
    starts: int = 0
    ended: Unknown | None = None


class Crew:
    """Workers for devices, by position. On leaving the context, every worker is dead and waited for."""

    def __init__(self, devices: Sequence[str], limits: Limits, *, alarm: Alarm) -> None:
        """Plan one worker per entry of `devices`; none is started yet.

        Args:
            devices: UUIDs, or the host.
            limits: How long a worker may take to start, and beyond its budget.
            alarm: Asked again and again for each working seat; an Unknown stops the worker at once and for good.
        """
        self._seats = [_Seat(device=device) for device in devices]
        self._limits = limits
        self._alarm = alarm

    def __enter__(self) -> Self:
        """Return the crew."""
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """End all workers, whatever happened."""
        for seat in self._seats:
            if seat.worker is not None:
                seat.worker.end()
                seat.worker = None

    def open(self, positions: Sequence[int]) -> dict[int, Unknown]:
        """Start workers where none runs, all at once, and return the positions where that failed, with the reason."""
        failed: dict[int, Unknown] = {}
        starting = []
        for position in positions:
            seat = self._seats[position]
            if seat.worker is not None:
                continue
            if isinstance(seat.ended, Unknown) and seat.starts >= _MOST_STARTS:
                failed[position] = seat.ended
                continue
            seat.starts += 1
            seat.worker = WorkerProcess(seat.device)
            starting.append(position)
        for position, answer in self._answers(starting, self._limits.start_seconds).items():
            match answer:
                case Opened():
                    continue
                case Failed():
                    failed[position] = Unknown(reason=answer.reason, source=Source.WORKLOAD, detail=answer.detail)
                    self._drop(position, failed[position], final=True)
                case Unknown():
                    failed[position] = answer
                case _:
                    failed[position] = self._out_of_turn(position, answer)
        return failed

    def describe(self, position: int) -> TorchEvidence | Unknown:
        """Ask one worker what torch says of all devices."""
        failed = self.open([position])
        if position in failed:
            return failed[position]
        self._send(position, line_to(Describe()))
        answer = self._answers([position], self._limits.start_seconds)[position]
        if isinstance(answer, Described):
            return answer.torch
        return answer if isinstance(answer, Unknown) else self._out_of_turn(position, answer)

    def measure(self, orders: Mapping[int, Measure]) -> dict[int, Measured | Unknown]:
        """Run one order per position, all starting at the same moment.

        Every worker first allocates what it needs; those that could, start together. An order that is not done in time, or whose
        worker ends, is Unknown, and so is a whole group when one of its ranks is not ready.
        """
        results: dict[int, Measured | Unknown] = dict(self.open(list(orders)))
        waiting = [position for position in orders if position not in results]
        for position in waiting:
            self._send(position, line_to(orders[position]))
        ready = self._keep_ready(self._answers(waiting, self._limits.grace_seconds), results)
        if any(isinstance(order.partners, InGroup) for order in orders.values()) and len(ready) < len(orders):
            for position in ready:
                results[position] = self._stop(position, Reason.NOT_ATTEMPTED, "another rank of the group was not ready")
            return results
        for position in ready:
            self._send(position, line_to(Go()))
        longest = max((max(order.budget_seconds, order.least_seconds) for order in orders.values()), default=0.0)
        for position, answer in self._answers(ready, longest + self._limits.grace_seconds).items():
            results[position] = answer if isinstance(answer, Measured | Unknown) else self._out_of_turn(position, answer)
        return results

    def _keep_ready(self, answers: Mapping[int, Answer | Unknown], results: dict[int, Measured | Unknown]) -> list[int]:
        """Return who is ready; whoever is done or gone before the start goes into `results`."""
        ready = []
        for position, answer in answers.items():
            match answer:
                case Ready():
                    ready.append(position)
                case Measured() | Unknown():
                    results[position] = answer
                case _:
                    results[position] = self._out_of_turn(position, answer)
        return ready

    def _answers(self, positions: Sequence[int], seconds: float) -> dict[int, Answer | Unknown]:
        """Wait until each position has said one thing, has ended, has set off its alarm or has used up its time."""
        deadline = time.monotonic() + seconds
        answers: dict[int, Answer | Unknown] = {}
        with selectors.DefaultSelector() as selector:
            for position in positions:
                worker = self._seats[position].worker
                if worker is not None:
                    selector.register(worker, selectors.EVENT_READ, position)
            while selector.get_map():
                events = selector.select(min(_POLL_SECONDS, max(0.0, deadline - time.monotonic())))
                speaking = {key.data for key, _ in events}
                for key in list(selector.get_map().values()):
                    for answer in self._answer(key.data, speaking=key.data in speaking, late=time.monotonic() >= deadline):
                        selector.unregister(key.fileobj)
                        answers[key.data] = answer
        return answers

    def _answer(self, position: int, *, speaking: bool, late: bool) -> Iterator[Answer | Unknown]:
        """Yield what ends the wait for `position`, if anything does."""
        worker = self._seats[position].worker
        if worker is None:
            return
        if speaking:
            try:
                lines = worker.lines()
            except EOFError:
                yield self._ended(position)
                return
            if lines:
                yield self._understood(position, lines)
                return
        alarm = self._alarm(position)
        if alarm is not None:
            self._drop(position, alarm, final=True)
            yield alarm
        elif late:
            yield self._stop(position, Reason.TIMED_OUT, "no answer in time; the worker was killed")

    def _understood(self, position: int, lines: Sequence[bytes]) -> Answer | Unknown:
        try:
            (answer,) = (read_from(line) for line in lines)
        except (AuthenticityError, ValueError):
            return self._stop(position, Reason.FAULT, f"the worker said {lines[0][:60]!r}, which is no answer; it was killed")
        if isinstance(answer, Measured) and isinstance(answer.samples, Unknown) and answer.samples.reason in _FATAL:
            self._drop(position, answer.samples, final=False)
        return answer

    def _out_of_turn(self, position: int, answer: Answer) -> Unknown:
        return self._stop(position, Reason.FAULT, f"the worker said {answer.kind!r} out of turn; it was killed")

    def _stop(self, position: int, reason: Reason, detail: str) -> Unknown:
        unknown = Unknown(reason=reason, source=Source.WORKLOAD, detail=detail)
        self._drop(position, unknown, final=False)
        return unknown

    def _ended(self, position: int) -> Unknown:
        """Take leave of a worker that is over, and say how it ended."""
        seat = self._seats[position]
        if seat.worker is None:
            return _NEVER_STARTED
        # A worker closes its end a moment before it is gone, and only then is it known how it ended.
        ended = seat.worker.end(patience_seconds=_LEAVE_SECONDS)
        seat.worker = None
        seat.ended = ended
        return ended

    def _drop(self, position: int, why: Unknown, *, final: bool) -> None:
        """End a worker; after a final end, none is started in its place."""
        seat = self._seats[position]
        if seat.worker is not None:
            seat.worker.end()
            seat.worker = None
        seat.ended = why
        if final:
            seat.starts = _MOST_STARTS

    def _send(self, position: int, line: bytes) -> None:
        worker = self._seats[position].worker
        if worker is not None:
            worker.send(line)


def no_alarm(_: int) -> Unknown | None:
    """Never stop a worker."""
    return None
