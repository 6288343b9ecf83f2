"""torch's exceptions in the evidence's terms. Imports no torch: what it raises is told apart by name and by words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from gpuaudit.evidence.reading import Reason
from gpuaudit.workload.accelerator import NotMeasurableError

_LONGEST_DETAIL: Final = 300
# Words of torch 2.13 and of the CUDA runtime's error strings, in the order in which they are looked for.
_WORDS: Final = (
    ("out of memory", Reason.OUT_OF_MEMORY),
    ("can't allocate memory", Reason.OUT_OF_MEMORY),
    ("not enough memory", Reason.OUT_OF_MEMORY),
    ("device lost", Reason.LOST),
    ("fallen off the bus", Reason.LOST),
    ("no cuda-capable device", Reason.LOST),
    ("devices are busy or unavailable", Reason.BUSY),
    ("not implemented", Reason.NOT_SUPPORTED),
    ("not supported", Reason.NOT_SUPPORTED),
    ("only supported", Reason.NOT_SUPPORTED),
    ("not compiled with", Reason.NOT_SUPPORTED),
    ("doesn't have nccl built in", Reason.NOT_SUPPORTED),
    ("requires a cuda", Reason.NOT_SUPPORTED),
    ("permission", Reason.NO_PERMISSION),
    ("timed out", Reason.TIMED_OUT),
)


def reason_of(error: BaseException) -> Reason:
    """Sort an exception that torch raised; what is not recognised is a fault."""
    if isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError":
        return Reason.OUT_OF_MEMORY
    if isinstance(error, NotImplementedError):
        return Reason.NOT_SUPPORTED
    text = str(error).lower()
    return next((reason for words, reason in _WORDS if words in text), Reason.FAULT)


@contextmanager
def as_measurable() -> Iterator[None]:
    """Turn what torch raises into a `NotMeasurableError` with reason and the first line of the message.

    Raises:
        NotMeasurableError: In place of a RuntimeError, a MemoryError, or the AssertionError of a torch without CUDA.
    """
    try:
        yield
    except (RuntimeError, MemoryError, AssertionError) as error:
        first_line = next(iter(str(error).splitlines()), type(error).__name__)
        raise NotMeasurableError(reason_of(error), first_line[:_LONGEST_DETAIL]) from error
