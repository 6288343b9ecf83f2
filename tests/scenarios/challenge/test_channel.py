"""Time and the wire: delays only lengthen, silence ends, a clock that stood still voids the round."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from gpuaudit.challenge.channel import ChannelError, PipeChannel
from gpuaudit.challenge.result import Accepted, Failed
from gpuaudit.challenge.stopwatch import BootStopwatch, seconds_between
from gpuaudit.simulated.prover import VirtualStopwatch
from gpuaudit.units import Seconds
from tests.challenge.rounds import Answer, Round

Pipes = tuple[PipeChannel, int, int]


@pytest.fixture
def pipes() -> Iterator[Pipes]:
    """A channel, where its other side writes, and where its other side reads."""
    reading, their_writing = os.pipe()
    their_reading, writing = os.pipe()
    descriptors = {reading, their_writing, their_reading, writing}
    yield PipeChannel(reading, writing, BootStopwatch()), their_writing, their_reading
    for descriptor in descriptors:
        try:
            os.close(descriptor)
        except OSError:
            continue


def test_a_line_is_stamped_when_its_newline_comes_not_when_it_begins(pipes: Pipes) -> None:
    channel, theirs, _ = pipes

    def drip() -> None:
        for byte in b"slow":
            os.write(theirs, bytes([byte]))
            time.sleep(0.05)
        os.write(theirs, b"\n")

    began = BootStopwatch().stamp()
    dripping = threading.Thread(target=drip)
    dripping.start()
    arrival = channel.receive_line(100, within=Seconds(5))
    dripping.join()
    assert arrival.line == b"slow"
    assert seconds_between(began, arrival.at) >= 0.2


def test_a_slow_drip_does_not_move_the_deadline(pipes: Pipes) -> None:
    channel, theirs, _ = pipes
    stop = threading.Event()

    def drip() -> None:
        while not stop.wait(0.02):
            os.write(theirs, b"x")

    dripping = threading.Thread(target=drip)
    dripping.start()
    began = time.monotonic()
    with pytest.raises(ChannelError, match="late"):
        channel.receive_line(100_000, within=Seconds(0.3))
    # With a deadline that moves it would be half an hour.
    assert time.monotonic() - began < 60
    stop.set()
    dripping.join()


@pytest.mark.parametrize(
    "receive",
    [
        pytest.param(lambda channel: channel.receive_line(10, within=Seconds(0.05)), id="line"),
        pytest.param(lambda channel: channel.receive_exactly(10, within=Seconds(0.05)), id="bytes"),
    ],
)
@pytest.mark.parametrize("closed", [True, False], ids=["closed", "silent"])
def test_silence_and_disconnection_end_in_one_error(
    pipes: Pipes, receive: Callable[[PipeChannel], object], closed: bool
) -> None:
    channel, theirs, _ = pipes
    os.write(theirs, b"12")
    if closed:
        os.close(theirs)
    with pytest.raises(ChannelError, match="closed by the other side" if closed else "late"):
        receive(channel)


def test_a_line_longer_than_agreed_is_not_even_read_to_its_end(pipes: Pipes) -> None:
    channel, theirs, _ = pipes
    os.set_blocking(theirs, False)
    os.write(theirs, b"0" * 65_536)
    with pytest.raises(ChannelError, match="at most 100 bytes"):
        channel.receive_line(100, within=Seconds(1))


def test_lines_and_bytes_follow_each_other_exactly(pipes: Pipes) -> None:
    channel, theirs, _ = pipes
    os.write(theirs, b"one\n\x00\n\xfftwo\n")
    assert channel.receive_line(4, within=Seconds(1)).line == b"one"
    assert channel.receive_exactly(3, within=Seconds(1)) == b"\x00\n\xff"
    assert channel.receive_line(4, within=Seconds(1)).line == b"two"


def test_a_reader_that_takes_nothing_is_late(pipes: Pipes) -> None:
    channel, _, _ = pipes
    with pytest.raises(ChannelError, match=r"nothing was taken|late"):
        channel.send(bytes(10_000_000), within=Seconds(0.2))


def test_what_is_sent_is_stamped_before_its_first_byte_leaves(pipes: Pipes) -> None:
    """A seed that is taken slowly starts the clock when the first of it could have been read, not when the last of it was."""
    channel, _, their_reading = pipes
    data = bytes(200_000)

    def take() -> None:
        time.sleep(0.3)
        left = len(data)
        while left:
            left -= len(os.read(their_reading, left))

    taking = threading.Thread(target=take)
    taking.start()
    began = BootStopwatch().stamp()
    sent = channel.send(data, within=Seconds(5))
    taking.join()
    assert seconds_between(began, sent) < 0.2 < seconds_between(began, BootStopwatch().stamp())


def test_sending_to_nobody_is_one_error(pipes: Pipes) -> None:
    channel, _, their_reading = pipes
    os.close(their_reading)
    with pytest.raises(ChannelError, match="closed by the other side"):
        channel.send(b"x", within=Seconds(1))


def test_the_clock_runs_and_agrees_with_the_wall() -> None:
    stopwatch = BootStopwatch()
    began = stopwatch.stamp()
    time.sleep(0.05)
    assert 0.05 <= seconds_between(began, stopwatch.stamp()) < 5


@pytest.mark.parametrize(("system", "clock"), [("linux", "CLOCK_BOOTTIME"), ("darwin", "CLOCK_MONOTONIC_RAW")])
def test_the_clock_is_one_that_counts_sleep(monkeypatch: pytest.MonkeyPatch, system: str, clock: str) -> None:
    asked: list[int] = []

    def told(which: int) -> int:
        asked.append(which)
        return 0

    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(time, "clock_gettime_ns", told)
    BootStopwatch().stamp()
    assert asked == [getattr(time, clock)]


def held_up(kind: str, stopwatch: VirtualStopwatch, seconds: float, suspended: float) -> Callable[[Answer], Answer]:
    def slowed(answer: Answer) -> Answer:
        def heard(line: bytes) -> bytes:
            if f'"type":"{kind}"'.encode() in line:
                stopwatch.advance(seconds, suspended=suspended)
            return answer(line)

        return heard

    return slowed


@pytest.mark.parametrize(("kind", "step"), [("seed", 6), ("second-seed", 8)])
def test_a_clock_that_stood_still_voids_the_round(kind: str, step: int) -> None:
    """Suspended for ten seconds in the middle, a clock that does not count sleep would give a floor that is too high."""
    round_ = Round()
    round_.tamper = held_up(kind, round_.stopwatch, 0.0, suspended=10.0)
    outcome = round_.run().outcome
    assert isinstance(outcome, Failed)
    assert outcome.step == step
    assert "one clock" in outcome.reason
    assert outcome.seed_revealed


def test_a_delay_that_both_clocks_count_only_lengthens_the_time() -> None:
    honest, late = Round(), Round()
    late.tamper = held_up("seed", late.stopwatch, 3.0, suspended=0.0)
    first, second = honest.run().outcome, late.run().outcome
    assert isinstance(first, Accepted)
    assert isinstance(second, Accepted)
    assert first.timing.kind == second.timing.kind == "timed"
    assert second.timing.times.fill_seconds == pytest.approx(first.timing.times.fill_seconds + 3)


@pytest.mark.parametrize(("kind", "step"), [("challenge", 3), ("seed", 6), ("second-seed", 8), ("open", 9)])
def test_every_stage_has_its_deadline(kind: str, step: int) -> None:
    round_ = Round()
    round_.tamper = held_up(kind, round_.stopwatch, 3000.0, suspended=0.0)
    outcome = round_.run().outcome
    assert isinstance(outcome, Failed)
    assert (outcome.step, "late" in outcome.reason) == (step, True)
