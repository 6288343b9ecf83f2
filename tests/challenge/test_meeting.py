"""Machines that wait for each other: nobody begins early, nobody is waited for who has left, and nobody hangs."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpuaudit.challenge.channel import ChannelError
from gpuaudit.challenge.meeting import Alone, Gate, Stage

HANG = 60.0
ORDER = (Stage.SEED, Stage.SECOND_SEED, Stage.OPENING)


@contextmanager
def members(*tasks: Callable[[], object]) -> Iterator[list[Future[object]]]:
    with ThreadPoolExecutor(len(tasks)) as pool:
        yield [pool.submit(task) for task in tasks]


def done(future: Future[object]) -> object:
    return future.result(HANG)


def test_who_is_alone_waits_for_nobody() -> None:
    for stage in ORDER:
        Alone().wait(stage)
    with Alone().checking():
        pass


def test_nobody_goes_through_before_all_stand_at_the_gate() -> None:
    through: list[frozenset[str]] = []
    gate = Gate(["a", "b"], checkers=1, opened=through.append)
    first = threading.Thread(target=gate.seat("a").wait, args=(Stage.SEED,), daemon=True)
    first.start()
    first.join(0.2)
    assert first.is_alive()
    assert not through
    gate.seat("b").wait(Stage.SEED)
    first.join(HANG)
    assert not first.is_alive()
    assert through == [frozenset({"a", "b"})]


def test_one_that_leaves_is_not_waited_for() -> None:
    through: list[frozenset[str]] = []
    gate = Gate(["a", "b", "c"], checkers=1, opened=through.append)
    with members(lambda: gate.seat("a").wait(Stage.SEED), lambda: gate.seat("b").wait(Stage.SEED)) as waiting:
        gate.leave("c")
        for one in waiting:
            done(one)
    assert through == [frozenset({"a", "b"})]


def test_one_that_left_cannot_come_back() -> None:
    gate = Gate(["a", "b"], checkers=1)
    gate.leave("b")
    with pytest.raises(ChannelError, match="without this machine"):
        gate.seat("b").wait(Stage.SEED)


def test_everybody_is_sent_away_from_the_gate_and_from_the_desk() -> None:
    gate = Gate(["a", "b"], checkers=1)
    standing = threading.Event()

    def waits() -> None:
        standing.set()
        gate.seat("a").wait(Stage.SEED)

    with members(waits) as (waiting,):
        assert standing.wait(HANG)
        gate.close()
        with pytest.raises(ChannelError, match="over"):
            done(waiting)
    with pytest.raises(ChannelError, match="over"), gate.seat("a").checking():
        pass


def test_no_more_check_at_a_time_than_were_allowed() -> None:
    gate = Gate("abcdef", checkers=2)
    turn, now, most = threading.Lock(), 0, 0

    def checks(member: str) -> None:
        nonlocal now, most
        with gate.seat(member).checking():
            with turn:
                now += 1
                most = max(most, now)
            threading.Event().wait(0.02)
            with turn:
                now -= 1

    with members(*(partial(checks, member) for member in "abcdef")) as checking:
        for one in checking:
            done(one)
    assert most == 2


@settings(max_examples=40)
@given(st.lists(st.integers(0, len(ORDER)), min_size=1, max_size=6))
def test_whoever_stays_passes_every_gate_after_everybody_else_came_to_it(stays: Sequence[int]) -> None:
    """Member i leaves after `stays[i]` stages. No gate opens before all who come so far stand before it, and nobody hangs."""
    turn = threading.Lock()
    arrived: list[tuple[str, Stage]] = []
    opened: list[frozenset[str]] = []
    arrived_when_opened: list[set[tuple[str, Stage]]] = []

    def opens(there: frozenset[str]) -> None:
        opened.append(there)
        arrived_when_opened.append(set(arrived))

    names = [f"m{number}" for number in range(len(stays))]
    gate = Gate(names, checkers=1, opened=opens)

    def goes(member: str, stages: int) -> None:
        for stage in ORDER[:stages]:
            with turn:
                arrived.append((member, stage))
            gate.seat(member).wait(stage)
        gate.leave(member)

    with members(*(partial(goes, *one) for one in zip(names, stays, strict=True))) as going:
        for one in going:
            done(one)
    for number, (there, came) in enumerate(zip(opened, arrived_when_opened, strict=True)):
        assert all((member, ORDER[number]) in came for member in there)
        # Whoever gets further than this gate stood before it when it opened.
        assert {name for name, stages in zip(names, stays, strict=True) if stages > number} == there
    assert len(opened) == max(stays)
