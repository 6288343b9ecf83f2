"""Checking one attempt from its transcript alone: what a verifier does at the end, and anybody afterwards.

Numbers are the steps of `PROTOCOL.md`. Times are no part of this: they are the verifier's word.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from gpuaudit.challenge.chain import RowSource, fold_bytes
from gpuaudit.challenge.commitment import group_hash, slot_commitment
from gpuaudit.challenge.domain import DIGEST_BYTES, context_of, device_key
from gpuaudit.challenge.matrix import FloatMatrix, MakeMatrix
from gpuaudit.challenge.messages import (
    Challenge,
    Committed,
    Hello,
    SlotOpening,
    Walked,
    group_hashes_length,
    opened_length,
    read,
    write,
)
from gpuaudit.challenge.sample import SlotSample, WalkSample, opening_of
from gpuaudit.challenge.sizes import FOLD_BYTES, Sizes, faults_of
from gpuaudit.challenge.transcript import Transcript
from gpuaudit.challenge.walk import (
    Coefficients,
    coefficients_of,
    epoch_digest,
    first_states,
    first_walk_seed,
    next_walk_seed,
    result_bytes,
    walk,
)
from gpuaudit.errors import AuthenticityError, GpuauditError

T = TypeVar("T")


class RefusedError(GpuauditError):
    """An answer is not accepted; `step` is the one of `PROTOCOL.md` that it breaks."""

    def __init__(self, step: int, reason: str) -> None:
        """Say which step, and why."""
        super().__init__(f"step {step}: {reason}")
        self.step = step
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotAnswer:
    """What one slot sent: the hashes of its groups, the digests of its epochs, and what it opened of both."""

    hashes: tuple[bytes, ...]
    digests: tuple[bytes, ...]
    folds: dict[int, bytes]
    results: dict[int, bytes]


def check_agreement(transcript: Transcript) -> Challenge:
    """(3) See that the challenge is sound and speaks of the hello that was received.

    Raises:
        RefusedError: It does not.
    """
    challenge = parsed(transcript.challenge, Challenge, step=3)
    hello = parsed(transcript.hello, Hello, step=2)
    faults = faults_of(challenge.sizes)
    if faults:
        raise RefusedError(3, f"sizes: {'; '.join(faults)}")
    if hello_digest(transcript.hello) != challenge.hello or hello.evidence != challenge.evidence:
        raise RefusedError(3, "the challenge speaks of another hello, or of other evidence")
    if len(hello.slots) < challenge.sizes.slots:
        raise RefusedError(3, f"{len(hello.slots)} slots were offered, expected {challenge.sizes.slots}")
    return challenge


def check_commitment(transcript: Transcript, sizes: Sizes) -> tuple[tuple[bytes, ...], ...]:
    """(6) See that the group hashes are the ones that were committed to when the clock stopped, and return them by slot.

    Raises:
        RefusedError: They are not.
    """
    committed = parsed(transcript.committed, Committed, step=6)
    if len(committed.slots) != sizes.slots:
        raise RefusedError(6, f"{len(committed.slots)} commitments, expected {sizes.slots}")
    if len(transcript.group_hashes) != group_hashes_length(sizes):
        raise RefusedError(6, f"{len(transcript.group_hashes)} bytes of group hashes, expected {group_hashes_length(sizes)}")
    every = _cut(transcript.group_hashes, [DIGEST_BYTES] * (sizes.slots * sizes.groups))
    by_slot = tuple(tuple(every[slot * sizes.groups : (slot + 1) * sizes.groups]) for slot in range(sizes.slots))
    for slot, hashes in enumerate(by_slot):
        if slot_commitment(slot, hashes).hex() != committed.slots[slot]:
            raise RefusedError(6, f"slot {slot}: the group hashes are not those that were committed to")
    return by_slot


def check_walked(transcript: Transcript, sizes: Sizes) -> tuple[tuple[bytes, ...], ...]:
    """(8) Return the epoch digests of every slot.

    Raises:
        RefusedError: There are more or fewer than epochs.
    """
    walked = parsed(transcript.walked, Walked, step=8)
    if [len(digests) for digests in walked.slots] != [sizes.epochs] * sizes.slots:
        raise RefusedError(8, f"expected {sizes.epochs} digests of each of {sizes.slots} slots")
    return tuple(tuple(bytes.fromhex(one) for one in digests) for digests in walked.slots)


def check_opening(transcript: Transcript, samples: tuple[SlotSample, ...], sizes: Sizes) -> tuple[SlotAnswer, ...]:
    """(9) See that what was opened is what was fixed before anything was asked for.

    Raises:
        RefusedError: Folds do not fit a group hash, or results an epoch's digest.
    """
    _check_drawn(samples, sizes)
    asked = opening_of(samples, sizes)
    if write(asked) != transcript.open + b"\n":
        raise RefusedError(9, "what was asked for are not the groups and epochs of the samples")
    lengths = [opened_length(opening, sizes) for opening in asked.slots]
    if len(transcript.opened) != sum(lengths):
        raise RefusedError(9, f"{len(transcript.opened)} bytes were opened, expected {sum(lengths)}")
    hashes, digests = check_commitment(transcript, sizes), check_walked(transcript, sizes)
    opened = _cut(transcript.opened, lengths)
    return tuple(
        _slot_answer(slot, asked.slots[slot], hashes[slot], digests[slot], opened[slot], sizes) for slot in range(sizes.slots)
    )


def check_answer(transcript: Transcript, samples: tuple[SlotSample, ...], make: MakeMatrix = FloatMatrix) -> None:
    """Check a whole attempt: agreement, commitments, openings, and the sampled rows and walks by recomputing them.

    Args:
        transcript: All of it.
        samples: What was drawn, for each slot.
        make: What to multiply with; one slot's matrices are held at a time.

    Raises:
        RefusedError: Something does not hold.
    """
    challenge = check_agreement(transcript)
    answers = check_opening(transcript, samples, challenge.sizes)
    context = context_of(transcript.challenge)
    for slot, (answer, sample) in enumerate(zip(answers, samples, strict=True)):
        source = RowSource(device_key(transcript.seed, context, slot), challenge.sizes, make)
        # Step 10.
        _check_rows(slot, answer, sample.rows, source, challenge.sizes)
        seeds = _walk_seeds(first_walk_seed(transcript.second_seed, context, slot), [one.digests for one in answers])
        _check_walks(slot, answer, sample.walks, source, challenge.sizes, seeds)


def parsed(line: bytes, kind: type[T], *, step: int) -> T:
    """Read a message of the other side.

    Raises:
        RefusedError: It is not one.
    """
    try:
        return read(line, kind, place="message")
    except AuthenticityError as error:
        raise RefusedError(step, f"malformed: {error}") from None


def hello_digest(line: bytes) -> str:
    """Return the digest of a hello line, in hexadecimal, as the challenge names it."""
    return hashlib.sha256(line).hexdigest()


def _check_drawn(samples: tuple[SlotSample, ...], sizes: Sizes) -> None:
    """See that the samples are as many as the odds were worked out for, and of this challenge."""
    shape = [(len(sample.rows), len(sample.walks)) for sample in samples]
    # The one walk more is of the last epoch.
    expected = [(sizes.row_samples, sizes.walk_samples + 1)] * sizes.slots
    if shape != expected or any(sample.walks[-1].epoch != sizes.epochs - 1 for sample in samples):
        raise RefusedError(9, f"samples: got {shape}, expected {expected}, the last walk of the last epoch")
    for sample in samples:
        if max(sample.rows) >= sizes.rows or any(w.epoch >= sizes.epochs or w.walker >= sizes.walkers for w in sample.walks):
            raise RefusedError(9, "samples: one is not of this challenge")


def _slot_answer(  # noqa: PLR0913, PLR0917 - one of each of what a slot sent
    slot: int, asked: SlotOpening, hashes: Sequence[bytes], digests: tuple[bytes, ...], opened: bytes, sizes: Sizes
) -> SlotAnswer:
    lengths = [sizes.group_length(group) * FOLD_BYTES for group in asked.groups]
    parts = _cut(opened, [*lengths, *([sizes.walkers * FOLD_BYTES] * len(asked.epochs))])
    folds = dict(zip(asked.groups, parts, strict=False))
    results = dict(zip(asked.epochs, parts[len(asked.groups) :], strict=True))
    for group, data in folds.items():
        if group_hash(slot, group, data) != hashes[group]:
            raise RefusedError(9, f"slot {slot}: group {group}: the folds are not those that were committed to")
    for epoch, data in results.items():
        if epoch_digest(slot, epoch, data) != digests[epoch]:
            raise RefusedError(9, f"slot {slot}: epoch {epoch}: the results are not those whose digest was sent")
    return SlotAnswer(hashes=tuple(hashes), digests=digests, folds=folds, results=results)


def _check_rows(slot: int, answer: SlotAnswer, rows: Sequence[int], source: RowSource, sizes: Sizes) -> None:
    right = fold_bytes(source.folds(rows))
    for place, row in enumerate(rows):
        group, within = divmod(row, sizes.group_rows)
        sent = answer.folds[group][within * FOLD_BYTES : (within + 1) * FOLD_BYTES]
        if sent != right[place * FOLD_BYTES : (place + 1) * FOLD_BYTES]:
            raise RefusedError(10, f"wrong arithmetic: slot {slot}: row {row}: dishonest or defective")


def _walk_seeds(seed: bytes, digests: Sequence[Sequence[bytes]]) -> list[bytes]:
    """Return the seeds of all epochs of the slot that begins with this one, by the digests of every slot."""
    seeds = [seed]
    for of_epoch in zip(*digests, strict=True):
        seeds.append(next_walk_seed(seeds[-1], of_epoch))
    return seeds[:-1]


def _check_walks(  # noqa: PLR0913, PLR0917 - one of each of what a walk starts from
    slot: int, answer: SlotAnswer, walks: Sequence[WalkSample], source: RowSource, sizes: Sizes, seeds: Sequence[bytes]
) -> None:
    by_walk = [coefficients_of(seeds[one.epoch], sizes) for one in walks]
    coefficients = Coefficients(
        address=np.stack([one.address for one in by_walk]),
        first=np.stack([one.first for one in by_walk]),
        second=np.stack([one.second for one in by_walk]),
    )
    states = np.concatenate([first_states(seeds[one.epoch], sizes, one.walker, 1) for one in walks])
    right = result_bytes(walk(states, coefficients, sizes, source.blocks))
    for place, one in enumerate(walks):
        sent = answer.results[one.epoch][one.walker * FOLD_BYTES : (one.walker + 1) * FOLD_BYTES]
        if sent != right[place * FOLD_BYTES : (place + 1) * FOLD_BYTES]:
            raise RefusedError(
                10, f"wrong lookups: slot {slot}: epoch {one.epoch}, walker {one.walker}: dishonest or defective"
            )


def _cut(data: bytes, lengths: Sequence[int]) -> list[bytes]:
    parts, at = [], 0
    for length in lengths:
        parts.append(data[at : at + length])
        at += length
    return parts
