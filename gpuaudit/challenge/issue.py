"""The verifier's side of one attempt, from greeting to check. Numbers are the steps of `PROTOCOL.md`.

Whatever the other side does, an attempt ends in an outcome that is recorded: nothing that it sends raises out of here.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final, TypeVar

from gpuaudit.challenge.answering_evidence import open_answering_evidence
from gpuaudit.challenge.assumption import Deadlines
from gpuaudit.challenge.channel import Arrival, Channel, ChannelError
from gpuaudit.challenge.check import RefusedError, check_agreement, check_answer, check_commitment, hello_digest, parsed
from gpuaudit.challenge.domain import SEED_BYTES, seed_commitment
from gpuaudit.challenge.matrix import FloatMatrix, MakeMatrix
from gpuaudit.challenge.meeting import Alone, Meeting, Stage
from gpuaudit.challenge.messages import (
    MAX_LINE_BYTES,
    Abort,
    Armed,
    Challenge,
    Committed,
    Hello,
    Prepare,
    SecondSeed,
    Seed,
    Walked,
    committed_length,
    group_hashes_length,
    opened_length,
    walked_length,
    write,
)
from gpuaudit.challenge.messages import read as read_message
from gpuaudit.challenge.messages import text as words
from gpuaudit.challenge.result import Accepted, Failed, Outcome, Timed, Times
from gpuaudit.challenge.sample import Draw, draw_samples, opening_of
from gpuaudit.challenge.sizes import Sizes
from gpuaudit.challenge.sizing import Expectation
from gpuaudit.challenge.stopwatch import NANOSECONDS, Interval, Stamp, Stopwatch, seconds_between
from gpuaudit.challenge.transcript import Transcript
from gpuaudit.clock import rfc3339
from gpuaudit.envelope import OpenedEvidence
from gpuaudit.errors import AuthenticityError, MachineError
from gpuaudit.units import Seconds

T = TypeVar("T")

# The longest line but those whose length is known: an abort.
_SHORT_LINE: Final = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Greeting:
    """What the prover said before anything was timed: its hello, its sealed evidence, the key that sealed it."""

    seed: bytes
    hello_line: bytes
    hello: Hello
    evidence: bytes
    public_key: bytes
    opened: OpenedEvidence

    @property
    def nonce(self) -> str:
        """Return the nonce that the evidence carries: the commitment to the seed."""
        return seed_commitment(self.seed)


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What the verifier sets. `tender`, `verifier` and `host` are digests in hexadecimal, as `Challenge` has them."""

    sizes: Sizes
    expected: Expectation
    tender: str
    verifier: str
    host: str
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Conducted:
    """How an attempt went. `intervals` are those of fill and walk, as far as it came: seed sent, line received."""

    transcript: Transcript
    outcome: Outcome
    intervals: tuple[Interval, ...] = ()


class _Patience:
    """Deadlines: one for each stage and one in all."""

    def __init__(self, deadlines: Deadlines, stopwatch: Stopwatch) -> None:
        self._stopwatch = stopwatch
        self.began = stopwatch.stamp()
        self.deadlines = deadlines

    def at_most(self, seconds: float) -> Seconds:
        passed = (self._stopwatch.stamp().elapsed_nanoseconds - self.began.elapsed_nanoseconds) / NANOSECONDS
        if passed >= self.deadlines.total:
            raise ChannelError(f"late: the whole challenge may take {self.deadlines.total:g} s")
        return Seconds(min(seconds, self.deadlines.total - passed))


def greet(channel: Channel, *, suite: str, slots: int, deadlines: Deadlines, draw: Draw) -> Greeting:
    """(1, 2) Commit to a fresh seed, ask for evidence under that commitment, and hear who will answer.

    Args:
        channel: To the prover.
        suite: What to measure for the evidence; empty for identity only.
        slots: How many devices will be challenged; 0 for all.
        deadlines: How long to wait.
        draw: The operating system's generator.

    Raises:
        RefusedError: The hello or the evidence is not what it has to be; no seed was revealed.
        ChannelError: Nothing came.
    """
    # Step 1: only the commitment leaves; the seed stays in memory.
    seed = draw(SEED_BYTES)
    channel.send(
        write(Prepare(version=1, nonce=seed_commitment(seed), suite=suite, slots=slots)), within=Seconds(deadlines.armed)
    )
    # Step 2.
    line = channel.receive_line(MAX_LINE_BYTES, within=Seconds(deadlines.hello)).line
    hello = awaited(line, Hello, step=2)
    evidence = channel.receive_exactly(hello.evidence_bytes, within=Seconds(deadlines.transfer))
    public_key = channel.receive_exactly(hello.public_key_bytes, within=Seconds(deadlines.transfer))
    opened = open_answering_evidence(evidence, public_key, hello, seed_commitment(seed))
    return Greeting(seed=seed, hello_line=line, hello=hello, evidence=evidence, public_key=public_key, opened=opened)


def conduct(  # noqa: PLR0913 - each is one part of what surrounds an attempt
    channel: Channel,
    greeting: Greeting,
    order: Order,
    *,
    deadlines: Deadlines,
    stopwatch: Stopwatch,
    draw: Draw,
    make: MakeMatrix = FloatMatrix,
    meeting: Meeting = Alone(),  # noqa: B008 - it has no state
) -> Conducted:
    """(3 to 10) Challenge, time, open and check. Never raises for what the other side does.

    Args:
        channel: To the prover, right after `greet`.
        greeting: What it said.
        order: Sizes, and what the challenge is about.
        deadlines: How long to wait.
        stopwatch: The verifier's clock.
        draw: The operating system's generator.
        make: What to recompute with.
        meeting: Other machines that are challenged at the same time.
    """
    conversation = _Conversation(channel, greeting, order, _Patience(deadlines, stopwatch), meeting)
    try:
        outcome: Outcome = conversation.run(draw, make)
    except RefusedError as error:
        outcome = Failed(step=error.step, reason=error.reason, seed_revealed=conversation.revealed)
        conversation.give_up(error.reason)
    except MachineError as error:
        outcome = Failed(step=conversation.step, reason=str(error), seed_revealed=conversation.revealed)
    return Conducted(transcript=conversation.transcript, outcome=outcome, intervals=conversation.intervals)


def awaited(line: bytes, kind: type[T], *, step: int) -> T:
    """Read the one message that may come here, or why the other side gave up.

    Raises:
        RefusedError: It gave up, or said something else.
    """
    try:
        abort = read_message(line, Abort, place="message")
    except AuthenticityError:
        return parsed(line, kind, step=step)
    raise RefusedError(step, f"the other side gave up: {abort.reason}")


class _Conversation:
    """One attempt in progress: what was sent and received so far, and at which step it is."""

    def __init__(
        self,
        channel: Channel,
        greeting: Greeting,
        order: Order,
        patience: _Patience,
        meeting: Meeting,
    ) -> None:
        self._channel = channel
        self._greeting = greeting
        self._order = order
        self._patience = patience
        self._deadlines = patience.deadlines
        self._meeting = meeting
        self.step = 3
        self.revealed = False
        self.intervals: tuple[Interval, ...] = ()
        self.transcript = Transcript(hello=greeting.hello_line)

    def run(self, draw: Draw, make: MakeMatrix) -> Accepted:
        sizes = self._order.sizes
        self._agree()
        self._meeting.wait(Stage.SEED)
        # Step 4: stamped before the write, and the seed is last in the message. Delays lengthen the time, never shorten it.
        self.step, self.revealed = 4, True
        self._record(seed=self._greeting.seed)
        filling = self._send(write(Seed(seed=self._greeting.seed.hex())))
        # Steps 5 and 6: all slots in one line.
        self.step = 6
        committed = self._timed_line(committed_length(sizes), self._order.expected.fill)
        self._record(committed=committed.line)
        fill = self._lasted(filling, committed)
        awaited(committed.line, Committed, step=6)
        self._record(group_hashes=self._transfer(group_hashes_length(sizes)))
        check_commitment(self.transcript, sizes)
        self._meeting.wait(Stage.SECOND_SEED)
        # Step 7: drawn only now.
        self.step = 7
        second = draw(SEED_BYTES)
        self._record(second_seed=second)
        walking = self._send(write(SecondSeed(seed=second.hex())))
        # Step 8.
        self.step = 8
        walked = self._timed_line(walked_length(sizes), self._order.expected.walk)
        self._record(walked=walked.line)
        walk = self._lasted(walking, walked)
        awaited(walked.line, Walked, step=8)
        self._meeting.wait(Stage.OPENING)
        # Step 9: nothing of the sample exists before this line.
        self.step = 9
        samples = draw_samples(sizes, draw)
        asked = opening_of(samples, sizes)
        self._record(open=write(asked)[:-1])
        self._send(write(asked))
        self._record(opened=self._transfer(sum(opened_length(one, sizes) for one in asked.slots)))
        # Step 10.
        self.step = 10
        with self._meeting.checking():
            check_answer(self.transcript, samples, make)
        times = Times(
            seed_sent_at=rfc3339(filling.wall), walked_at=rfc3339(walked.at.wall), fill_seconds=fill, walk_seconds=walk
        )
        return Accepted(timing=Timed(times=times), samples=samples)

    def give_up(self, reason: str) -> None:
        """Tell the other side, if it still listens."""
        try:
            self._channel.send(write(Abort(reason=words(reason))), within=Seconds(1.0))
        except ChannelError:
            return

    def _agree(self) -> None:
        """(3) Send sizes and context, without the seed, and wait until the other side is ready."""
        order, greeting = self._order, self._greeting
        challenge = Challenge(
            version=1,
            sizes=order.sizes,
            hello=hello_digest(greeting.hello_line),
            evidence=greeting.hello.evidence,
            tender=order.tender,
            verifier=order.verifier,
            host=order.host,
            attempt=order.attempt,
            issued_at=rfc3339(self._patience.began.wall),
        )
        line = write(challenge)
        self._record(challenge=line[:-1])
        check_agreement(self.transcript)
        self._send(line)
        arrival = self._channel.receive_line(_SHORT_LINE, within=self._patience.at_most(self._deadlines.armed))
        awaited(arrival.line, Armed, step=3)

    def _send(self, data: bytes) -> Stamp:
        return self._channel.send(data, within=self._patience.at_most(self._deadlines.least))

    def _timed_line(self, length: int, expected: Seconds) -> Arrival:
        patience = max(self._deadlines.least, expected * self._deadlines.multiple_of_expected)
        return self._channel.receive_line(max(length, _SHORT_LINE), within=self._patience.at_most(patience))

    def _transfer(self, length: int) -> bytes:
        return self._channel.receive_exactly(length, within=self._patience.at_most(self._deadlines.transfer))

    def _lasted(self, began: Stamp, ended: Arrival) -> Seconds:
        self.intervals = (*self.intervals, Interval(began=began, ended=ended.at))
        return seconds_between(began, ended.at)

    def _record(self, **parts: bytes) -> None:
        self.transcript = replace(self.transcript, **parts)
