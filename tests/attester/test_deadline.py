"""A source that never answers."""

from __future__ import annotations

import threading
import time

import pytest

from gpuaudit.attester.deadline import within
from gpuaudit.evidence.reading import Known, Reading, Reason, Source, Unknown
from gpuaudit.units import Seconds


def itself(unknown: Unknown) -> Unknown:
    return unknown


def test_an_answer_in_time_is_passed_on() -> None:
    known = Known(value=7, source=Source.PCI)
    assert within(lambda: known, source=Source.PCI, otherwise=itself) is known


def test_a_source_that_hangs_is_timed_out_and_left_behind() -> None:
    never = threading.Event()

    def hang() -> Reading[int]:
        never.wait(120)
        return Known(value=7, source=Source.PCI)

    started = time.monotonic()
    reading = within(hang, source=Source.PCI, otherwise=itself, seconds=Seconds(0.05))
    assert time.monotonic() - started < 60
    assert isinstance(reading, Unknown)
    assert reading.reason is Reason.TIMED_OUT
    assert reading.source is Source.PCI
    never.set()


def test_a_fault_of_ours_is_not_hidden() -> None:
    def broken() -> Reading[int]:
        raise AssertionError("our bug")

    with pytest.raises(AssertionError, match="our bug"):
        within(broken, source=Source.PCI, otherwise=itself)
