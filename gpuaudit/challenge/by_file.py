"""A challenge by files: the same work and the same checks, with nobody's clock running.

The second seed follows from the commitments, everything is opened, and the verifier samples in secret when it has the file. Such an
answer shows that somebody could do the work at some time, and nothing about how fast or on what.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

from gpuaudit.challenge.answering_evidence import open_answering_evidence
from gpuaudit.challenge.channel import Channel
from gpuaudit.challenge.check import RefusedError, check_agreement, check_answer, hello_digest, parsed
from gpuaudit.challenge.domain import DIGEST_BYTES, SEED_BYTES, seed_commitment
from gpuaudit.challenge.issue import Conducted, Greeting, awaited
from gpuaudit.challenge.matrix import FloatMatrix, MakeMatrix
from gpuaudit.challenge.messages import (
    MAX_LINE_BYTES,
    Armed,
    Challenge,
    Committed,
    Hello,
    Open,
    Prepare,
    SecondSeed,
    Seed,
    SlotOpening,
    Walked,
    group_hashes_length,
    opened_length,
    read,
    walked_length,
    write,
)
from gpuaudit.challenge.result import Accepted, Failed, Outcome, Untimed
from gpuaudit.challenge.sample import Draw, SlotSample, draw_samples, opening_of
from gpuaudit.challenge.second_seed import second_seed_of_file
from gpuaudit.challenge.sizes import FOLD_BYTES, Sizes
from gpuaudit.challenge.transcript import Transcript
from gpuaudit.errors import AuthenticityError, UsageError
from gpuaudit.units import Seconds

NOT_YET: Final = "0" * 2 * DIGEST_BYTES
MAX_OPENED_BYTES: Final = 256 * 1024 * 1024
MAX_FILE_BYTES: Final = MAX_OPENED_BYTES + 32 * 1024 * 1024
_MAX_ASKED: Final = 4096
_LINES: Final = 2
_PATIENCE: Final = Seconds(86_400.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What the verifier hands over: the challenge, in which the hello is still missing, and the seed."""

    challenge: Challenge
    seed: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class FileAnswer:
    """What the prover hands back: evidence with its key, and everything that it did."""

    evidence: bytes
    public_key: bytes
    transcript: Transcript


def write_request(request: Request) -> bytes:
    """Write a request as a file of two lines.

    Raises:
        UsageError: Its answer would not fit into a file.
    """
    sizes = request.challenge.sizes
    if sum(opened_length(_everything(sizes), sizes) for _ in range(sizes.slots)) > MAX_OPENED_BYTES or not _askable(sizes):
        raise UsageError(
            f"challenge: {sizes.memory_bytes} bytes of memory on {sizes.slots} slots are too many for an answer in a file; "
            "ask for less with --rehearsal, or use gpuaudit challenge ssh"
        )
    return write(request.challenge) + write(Seed(seed=request.seed.hex()))


def read_request(data: bytes, *, place: str) -> Request:
    """Read a file that `write_request` wrote.

    Raises:
        AuthenticityError: It is not one.
    """
    lines = data.split(b"\n")
    if len(lines) != _LINES + 1 or lines[-1] or max(map(len, lines)) > MAX_LINE_BYTES:
        raise AuthenticityError(f"{place}: not a request: expected two lines")
    challenge = read(lines[0], Challenge, place=f"{place}:1")
    seed = bytes.fromhex(read(lines[1], Seed, place=f"{place}:2").seed)
    if (challenge.hello, challenge.evidence) != (NOT_YET, NOT_YET) or not _askable(challenge.sizes):
        raise AuthenticityError(f"{place}: not a request: its hello is already there, or it is too large")
    return Request(challenge=challenge, seed=seed)


def answer_by_file(channel: Channel, request: Request) -> FileAnswer:
    """Take a prover through a request, as a verifier would that waits.

    Args:
        channel: To the prover, on the same machine.
        request: What to do.

    Raises:
        RefusedError: The prover gave up.
        ChannelError: It ended.
    """
    sizes = request.challenge.sizes
    channel.send(write(Prepare(version=1, nonce=seed_commitment(request.seed), suite="", slots=sizes.slots)), within=_PATIENCE)
    hello_line = channel.receive_line(MAX_LINE_BYTES, within=_PATIENCE).line
    hello = awaited(hello_line, Hello, step=2)
    evidence = channel.receive_exactly(hello.evidence_bytes, within=_PATIENCE)
    public_key = channel.receive_exactly(hello.public_key_bytes, within=_PATIENCE)
    challenge = write(replace(request.challenge, hello=hello_digest(hello_line), evidence=hello.evidence))
    channel.send(challenge, within=_PATIENCE)
    awaited(channel.receive_line(MAX_LINE_BYTES, within=_PATIENCE).line, Armed, step=3)
    channel.send(write(Seed(seed=request.seed.hex())), within=_PATIENCE)
    committed = channel.receive_line(MAX_LINE_BYTES, within=_PATIENCE).line
    awaited(committed, Committed, step=6)
    hashes = channel.receive_exactly(group_hashes_length(sizes), within=_PATIENCE)
    second = second_seed_of_file(request.seed, committed)
    channel.send(write(SecondSeed(seed=second.hex())), within=_PATIENCE)
    walked = channel.receive_line(max(walked_length(sizes), MAX_LINE_BYTES), within=_PATIENCE).line
    awaited(walked, Walked, step=8)
    asked = Open(slots=(_everything(sizes),) * sizes.slots)
    channel.send(write(asked), within=_PATIENCE)
    opened = channel.receive_exactly(sum(opened_length(one, sizes) for one in asked.slots), within=_PATIENCE)
    transcript = Transcript(
        hello=hello_line,
        challenge=challenge[:-1],
        seed=request.seed,
        committed=committed,
        group_hashes=hashes,
        second_seed=second,
        walked=walked,
        open=write(asked)[:-1],
        opened=opened,
    )
    return FileAnswer(evidence=evidence, public_key=public_key, transcript=transcript)


def check_by_file(
    request: Request, answer: FileAnswer, draw: Draw, make: MakeMatrix = FloatMatrix
) -> tuple[Greeting, Conducted]:
    """Sample an answer and check it.

    Returns:
        What was said first, and how it went; the transcript holds of the openings only what was sampled.

    Raises:
        RefusedError: The evidence or the hello is not what it has to be.
    """
    full = answer.transcript
    hello = parsed(full.hello, Hello, step=2)
    opened = open_answering_evidence(answer.evidence, answer.public_key, hello, seed_commitment(request.seed))
    greeting = Greeting(
        seed=request.seed,
        hello_line=full.hello,
        hello=hello,
        evidence=answer.evidence,
        public_key=answer.public_key,
        opened=opened,
    )
    samples = draw_samples(request.challenge.sizes, draw)
    transcript = full
    try:
        _check_request(request, full, hello)
        transcript = _sampled(full, samples, request.challenge.sizes)
        check_answer(transcript, samples, make)
        outcome: Outcome = Accepted(timing=Untimed(), samples=samples)
    except RefusedError as error:
        outcome = Failed(step=error.step, reason=error.reason, seed_revealed=True)
    return greeting, Conducted(transcript=transcript, outcome=outcome)


def _check_request(request: Request, full: Transcript, hello: Hello) -> None:
    expected = replace(request.challenge, hello=hello_digest(full.hello), evidence=hello.evidence)
    if full.challenge + b"\n" != write(expected) or full.seed != request.seed or len(full.seed) != SEED_BYTES:
        raise RefusedError(3, "the answer is to another request")
    check_agreement(full)
    if full.second_seed != second_seed_of_file(full.seed, full.committed):
        raise RefusedError(7, "the second seed does not follow from the commitments")


def _sampled(full: Transcript, samples: tuple[SlotSample, ...], sizes: Sizes) -> Transcript:
    """Return the transcript as if only the samples had been opened."""
    everything = _everything(sizes)
    whole = opened_length(everything, sizes)
    if len(full.opened) != whole * sizes.slots:
        raise RefusedError(9, f"{len(full.opened)} bytes were opened, expected {whole * sizes.slots}")
    asked = opening_of(samples, sizes)
    group, epoch, folds = sizes.group_rows * FOLD_BYTES, sizes.walkers * FOLD_BYTES, sizes.rows * FOLD_BYTES
    parts = []
    for slot, one in enumerate(asked.slots):
        own = full.opened[slot * whole : (slot + 1) * whole]
        parts += [own[:folds][at * group : (at + 1) * group] for at in one.groups]
        parts += [own[folds + at * epoch : folds + (at + 1) * epoch] for at in one.epochs]
    return replace(full, open=write(asked)[:-1], opened=b"".join(parts))


def _everything(sizes: Sizes) -> SlotOpening:
    return SlotOpening(groups=tuple(range(sizes.groups)), epochs=tuple(range(sizes.epochs)))


def _askable(sizes: Sizes) -> bool:
    return sizes.groups <= _MAX_ASKED and sizes.epochs <= _MAX_ASKED
