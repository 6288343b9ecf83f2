"""Runs calls that may never return: each under a time limit, all of them under one deadline.

A call into a driver that hangs cannot be stopped from within its process. It is left behind on a daemon thread, which does not
keep the program from ending, and the next call gets a fresh thread. A library that crashes takes the process with it: only
another process could survive that.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeAlias, TypeVar

from gpuaudit.units import Seconds

T = TypeVar("T")

_START: Final = Seconds(60.0)
_CALL: Final = Seconds(5.0)
_TOTAL: Final = Seconds(180.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class NvmlLimits:
    """How long NVML may take before what it has not answered is Unknown.

    `start_seconds` bounds nvmlInit, which may have to wake every card: 1 to 3 seconds each [1], so sixteen slow cards fit.
    `call_seconds` bounds any other call; they take microseconds to milliseconds unless a card sleeps. `total_seconds` bounds
    all of a collection together. After `hangs_per_device` calls on one device that never returned, it is asked nothing more,
    so that one dead card does not use up the time of the others.

    Source:
        [1] https://docs.nvidia.com/deploy/driver-persistence/overview.html (2026-11-23)
    """

    start_seconds: Seconds = _START
    call_seconds: Seconds = _CALL
    total_seconds: Seconds = _TOTAL
    hangs_per_device: int = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Returned(Generic[T]):
    """The call came back with an answer."""

    value: T


@dataclass(frozen=True, slots=True, kw_only=True)
class Raised:
    """The call came back with an exception."""

    error: Exception


@dataclass(frozen=True, slots=True, kw_only=True)
class Hung:
    """The call did not come back within `seconds`; whatever it answers later is thrown away."""

    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class NotAsked:
    """The call was not made, because the time for all calls is used up."""

    total_seconds: float


Outcome: TypeAlias = Returned[T] | Raised | Hung | NotAsked


class Watchdog:
    """Makes calls one after another, on another thread, and waits no longer than allowed.

    The deadline for all calls starts when the watchdog is made. Not to be shared between threads.
    """

    def __init__(self, limits: NvmlLimits) -> None:
        """Start the clock of `limits.total_seconds`."""
        self._total = limits.total_seconds
        self._deadline = time.monotonic() + limits.total_seconds
        self._worker = _Worker()

    def run(self, work: Callable[[], T], *, at_most: Seconds) -> Outcome[T]:
        """Do `work`, waiting `at_most` seconds and never past the deadline.

        Whatever `work` raises is returned, `KeyboardInterrupt` in the waiting thread excepted.
        """
        seconds = min(at_most, self._deadline - time.monotonic())
        if seconds <= 0:
            return NotAsked(total_seconds=self._total)
        try:
            return self._worker.do(work, seconds)
        except queue.Empty:
            self._worker.abandon()
            self._worker = _Worker()
            return Hung(seconds=seconds)

    def close(self) -> None:
        """Let the thread end. A thread that a call still holds ends when that call returns, or with the program."""
        self._worker.abandon()


class _Worker:
    """A daemon thread with an inbox and an outbox of its own, so that a late answer reaches nobody."""

    def __init__(self) -> None:
        self._inbox: queue.SimpleQueue[Callable[[], Any] | _Stop] = queue.SimpleQueue()
        self._outbox: queue.SimpleQueue[Returned[Any] | Raised] = queue.SimpleQueue()
        threading.Thread(target=_serve, args=(self._inbox, self._outbox), name="nvml", daemon=True).start()

    def do(self, work: Callable[[], T], seconds: float) -> Returned[T] | Raised:
        """Hand `work` over and wait.

        Raises:
            queue.Empty: It took longer than `seconds`.
        """
        self._inbox.put(work)
        return self._outbox.get(timeout=seconds)

    def abandon(self) -> None:
        self._inbox.put(_STOP)


class _Stop:
    """Tells a worker to end."""


_STOP: Final = _Stop()


def _serve(
    inbox: queue.SimpleQueue[Callable[[], Any] | _Stop],
    outbox: queue.SimpleQueue[Returned[Any] | Raised],
) -> None:
    while not isinstance(work := inbox.get(), _Stop):
        outbox.put(_attempt(work))


def _attempt(work: Callable[[], T]) -> Returned[T] | Raised:
    try:
        return Returned(value=work())
    # The host chooses what a call answers, and so what pynvml raises; none of it may end the audit.
    except Exception as error:  # noqa: BLE001
        return Raised(error=error)
