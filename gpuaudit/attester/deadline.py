"""A time limit per source: a file system that never answers costs that source, not the audit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeVar

from gpuaudit.attester.nvml.watchdog import NvmlLimits, Raised, Returned, Watchdog
from gpuaudit.evidence.reading import Reason, Source, Unknown
from gpuaudit.units import Seconds

T = TypeVar("T")

# Reading a few hundred small files takes milliseconds; digesting a large library from a cold disk takes seconds.
SOURCE_SECONDS: Final = Seconds(30.0)


def within(
    collect: Callable[[], T], *, source: Source, otherwise: Callable[[Unknown], T], seconds: Seconds = SOURCE_SECONDS
) -> T:
    """Return what `collect` gives, or what `otherwise` makes of an Unknown (timed out) if it has not returned in time.

    A collector that hangs is left behind on a daemon thread. What a collector raises is raised: it is a fault in gpuaudit.

    Args:
        collect: Reads one source.
        source: Which, for the Unknown.
        otherwise: Makes the result without values.
        seconds: How long to wait.
    """
    watchdog = Watchdog(NvmlLimits(total_seconds=seconds))
    try:
        outcome = watchdog.run(collect, at_most=seconds)
    finally:
        watchdog.close()
    match outcome:
        case Returned():
            return outcome.value
        case Raised():
            raise outcome.error
        case _:
            return otherwise(Unknown(reason=Reason.TIMED_OUT, source=source, detail=f"no answer within {seconds:g} s"))
