"""A reading: a value that was read, or the reason why there is none.

`Unknown` is evidence too. It is kept in the signed bytes with its reason, cannot be compared with a number by mistake (the type
checker refuses) and has no truth value: `if reading:` raises, because "could not be read" is neither yes nor no.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Generic, Literal, NoReturn, TypeAlias, TypeVar

from pydantic import Field

from gpuaudit.evidence.record import record

T = TypeVar("T")


class Source(StrEnum):
    """Who answered. Two sources that agree say more than one; each is kept apart."""

    NVML = "nvml"
    PCI = "pci"
    PROC = "proc"
    DEVICE_FILES = "device-files"
    TORCH = "torch"
    HOST = "host"
    CAPTURE = "capture"
    WORKLOAD = "workload"
    CLOUD = "cloud"


class Reason(StrEnum):
    """Why a reading has no value."""

    NOT_SUPPORTED = "not-supported"
    NO_PERMISSION = "no-permission"
    NOT_FOUND = "not-found"
    LOST = "lost"
    TIMED_OUT = "timed-out"
    BUSY = "busy"
    OUT_OF_MEMORY = "out-of-memory"
    CRASHED = "crashed"
    TOO_HOT = "too-hot"
    NOT_CAPTURED = "not-captured"
    NOT_ATTEMPTED = "not-attempted"
    FAULT = "fault"


class _NoTruthValue:
    """Refuses `if reading:`, which would take a known zero for a gap or a gap for a no."""

    __slots__ = ()

    def __bool__(self) -> NoReturn:
        """Always raise.

        Raises:
            TypeError: A reading was used as a condition; match on Known and Unknown instead.
        """
        raise TypeError("a reading has no truth value: got one used as a condition; match on Known and Unknown instead")


@record
class Known(_NoTruthValue, Generic[T]):
    """A value was read."""

    value: T
    source: Source
    state: Literal["known"] = "known"


@record
class Unknown(_NoTruthValue):
    """No value could be read, and this is why."""

    reason: Reason
    source: Source
    detail: str
    state: Literal["unknown"] = "unknown"


# The discriminator makes a missing `state` an error although the constructors have a default for it.
Reading: TypeAlias = Annotated[Known[T] | Unknown, Field(discriminator="state")]
