"""The one place where what NVML answers becomes a reading."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar

import pynvml

from gpuaudit.attester.nvml.answers import MalformedAnswerError
from gpuaudit.attester.nvml.codes import FUNCTION_NOT_FOUND, RefusedError, refusal
from gpuaudit.attester.nvml.watchdog import Hung, NotAsked, NvmlLimits, Outcome, Raised, Returned, Watchdog
from gpuaudit.evidence.reading import Known, Reading, Reason, Source, Unknown
from gpuaudit.units import Seconds

T = TypeVar("T")

_SHOWN: Final = 160


class Reader:
    """Asks NVML one question after another and keeps the reason where there is no answer.

    One reader serves one device (or the system): after `NvmlLimits.hangs_per_device` calls that never returned it asks nothing
    more. Not to be shared between threads.
    """

    def __init__(self, watchdog: Watchdog, limits: NvmlLimits) -> None:
        """Ask through `watchdog`, which several readers share."""
        self._watchdog = watchdog
        self._limits = limits
        self._hangs_left = limits.hangs_per_device

    def read(self, function: str, *arguments: Any, of: Callable[[Any], T]) -> Reading[T]:
        """Make one call of pynvml and keep the reason when it has no answer.

        Args:
            function: pynvml's name of it; a pynvml too old to have it gives `NOT_SUPPORTED`.
            arguments: As pynvml takes them.
            of: Picks the value out of the answer.
        """
        call = getattr(pynvml, function, None)
        if not callable(call):
            return Unknown(reason=Reason.NOT_SUPPORTED, source=Source.NVML, detail=f"this pynvml has no {function}")
        return self.ask(function, lambda: of(call(*arguments)))

    def ask(self, function: str, work: Callable[[], T]) -> Reading[T]:
        """Do `work`, which calls NVML's `function`, within the limit of one call."""
        return self._ask(function, work, at_most=self._limits.call_seconds)

    def start(self) -> Reading[bool]:
        """Start NVML, within its own limit; True once it has started."""
        return self._ask("nvmlInit", _start, at_most=self._limits.start_seconds)

    def _ask(self, function: str, work: Callable[[], T], *, at_most: Seconds) -> Reading[T]:
        if self._hangs_left <= 0:
            return _timed_out(f"not asked: {function}; {self._limits.hangs_per_device} earlier calls never returned")
        outcome = self._watchdog.run(work, at_most=at_most)
        if isinstance(outcome, Hung):
            self._hangs_left -= 1
        return _reading(function, outcome)


def _start() -> bool:
    pynvml.nvmlInit()
    return True


def unless_missing(reading: Reading[T], older: Callable[[], Reading[T]]) -> Reading[T]:
    """Return `reading`, or what `older` gives where the library or the card does not offer the newer form of the question.

    Any other refusal stands: a card that is lost or forbidden is not asked in another way.
    """
    if isinstance(reading, Unknown) and reading.reason is Reason.NOT_SUPPORTED:
        return older()
    return reading


def _reading(function: str, outcome: Outcome[T]) -> Reading[T]:
    match outcome:
        case Returned():
            return Known(value=outcome.value, source=Source.NVML)
        case Raised():
            return refused(function, outcome.error)
        case Hung():
            return _timed_out(f"{function} did not return within {outcome.seconds:.3g} s")
        case NotAsked():
            return _timed_out(f"not asked: {function}; the {outcome.total_seconds:.3g} s for all of NVML are used up")


def _timed_out(detail: str) -> Unknown:
    return Unknown(reason=Reason.TIMED_OUT, source=Source.NVML, detail=detail)


def refused(function: str, error: Exception) -> Unknown:
    """Say why there is no value, from what pynvml or our reading of its answer raised."""
    # Never `str()` an NVMLError: pynvml would ask the library for words, unwatched.
    if isinstance(error, pynvml.NVMLError):
        return refusal(function, error.value)
    if isinstance(error, RefusedError):
        return refusal(function, error.code)
    if isinstance(error, pynvml.NVMLLibraryMismatchError):
        return refusal(function, FUNCTION_NOT_FOUND)
    if isinstance(error, MalformedAnswerError | UnicodeDecodeError):
        words = "gave an answer that makes no sense"
    else:
        words = f"failed with {type(error).__name__}"
    # ascii(): a lone surrogate in a message could not be written as JSON.
    return Unknown(reason=Reason.FAULT, source=Source.NVML, detail=f"{function} {words}: {ascii(str(error))[1:-1][:_SHOWN]}")
