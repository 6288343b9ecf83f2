"""What a reading holds; an assertion error where it holds the other thing."""

from __future__ import annotations

from typing import TypeVar

from gpuaudit.evidence.reading import Known, Reading, Reason, Unknown

T = TypeVar("T")


def value_of(reading: Reading[T]) -> T:
    """Return the value of a known reading."""
    assert isinstance(reading, Known), reading
    return reading.value


def reason_of(reading: Reading[T]) -> Reason:
    """Return why a reading has no value."""
    assert isinstance(reading, Unknown), reading
    return reading.reason
