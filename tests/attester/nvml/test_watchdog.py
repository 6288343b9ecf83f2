from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from gpuaudit.attester.nvml.watchdog import Hung, NotAsked, NvmlLimits, Raised, Returned, Watchdog
from gpuaudit.units import Seconds

PLENTY = Seconds(10.0)
SOON = Seconds(0.03)


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """What a hung call waits for; opened at the end, so that no thread is left behind."""
    gate = threading.Event()
    yield gate
    gate.set()


def test_an_answer_comes_back() -> None:
    watchdog = Watchdog(NvmlLimits())
    assert watchdog.run(lambda: 41 + 1, at_most=PLENTY) == Returned(value=42)
    watchdog.close()


def test_an_exception_comes_back_as_a_value() -> None:
    error = ValueError("no")

    def fail() -> None:
        raise error

    watchdog = Watchdog(NvmlLimits())
    assert watchdog.run(fail, at_most=PLENTY) == Raised(error=error)
    assert watchdog.run(lambda: 1, at_most=PLENTY) == Returned(value=1)
    watchdog.close()


def test_a_call_that_never_returns_is_left_behind_and_the_next_gets_a_fresh_thread(gate: threading.Event) -> None:
    watchdog = Watchdog(NvmlLimits())
    threads: list[str] = []

    def hang() -> None:
        threads.append(str(threading.get_ident()))
        gate.wait()

    assert watchdog.run(hang, at_most=SOON) == Hung(seconds=SOON)
    assert watchdog.run(lambda: threads.append(str(threading.get_ident())), at_most=PLENTY) == Returned(value=None)
    assert len(set(threads)) == 2
    watchdog.close()


def test_a_late_answer_is_not_taken_for_that_of_the_next_call(gate: threading.Event) -> None:
    watchdog = Watchdog(NvmlLimits())
    returned = threading.Event()

    def late() -> str:
        gate.wait()
        returned.set()
        return "late"

    assert isinstance(watchdog.run(late, at_most=SOON), Hung)
    gate.set()
    assert returned.wait(PLENTY)
    assert watchdog.run(lambda: "next", at_most=PLENTY) == Returned(value="next")
    watchdog.close()


def test_after_the_deadline_nothing_is_asked_and_nothing_waits(gate: threading.Event) -> None:
    # Not so soon that it is over before the first call.
    total = Seconds(0.5)
    watchdog = Watchdog(NvmlLimits(total_seconds=total))
    assert isinstance(watchdog.run(gate.wait, at_most=PLENTY), Hung)
    began = time.monotonic()
    asked: list[int] = []
    outcomes = [watchdog.run(lambda: asked.append(1), at_most=PLENTY) for _ in range(100)]
    assert outcomes == [NotAsked(total_seconds=total)] * 100
    assert not asked
    assert time.monotonic() - began < 30
    watchdog.close()


def test_its_threads_do_not_keep_the_program_from_ending(gate: threading.Event) -> None:
    watchdog = Watchdog(NvmlLimits())
    daemons: list[bool] = []

    def hang() -> None:
        daemons.append(threading.current_thread().daemon)
        gate.wait()

    watchdog.run(hang, at_most=SOON)
    watchdog.close()
    assert daemons == [True]


def test_a_closed_watchdog_leaves_no_thread() -> None:
    watchdog = Watchdog(NvmlLimits())
    found: list[threading.Thread] = []
    watchdog.run(lambda: found.append(threading.current_thread()), at_most=PLENTY)
    watchdog.close()
    found[0].join(PLENTY)
    assert not found[0].is_alive()
