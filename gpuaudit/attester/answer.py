"""The prover's side of a challenge: one reply to every line, in the one order in which they may come.

It knows neither tender nor catalogue: what it is asked to do comes from the other side, and is bounded here, so that a hostile
verifier cannot hold somebody's devices for hours.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from gpuaudit.challenge.channel import Channel, ChannelError
from gpuaudit.challenge.commitment import slot_commitment
from gpuaudit.challenge.crew import ChallengeCrew, walk_together
from gpuaudit.challenge.domain import context_of, device_key, seed_commitment
from gpuaudit.challenge.messages import (
    MAX_LINE_BYTES,
    PROTOCOL_VERSION,
    Abort,
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
    read,
    text,
    write,
)
from gpuaudit.challenge.sizes import Sizes, faults_of
from gpuaudit.challenge.walk import first_walk_seed
from gpuaudit.errors import AuthenticityError, GpuauditError, UsageError
from gpuaudit.units import Seconds

# Between two lines; the verifier checks nothing in the meantime that takes this long.
_PATIENCE: Final = Seconds(900.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class SealedEvidence:
    """Evidence as a sealed file, with the public half of the key that sealed it, in PEM."""

    sealed: bytes
    public_key: bytes


MakeEvidence: TypeAlias = Callable[[str, str], SealedEvidence]
"""From a nonce and the name of a suite (empty: identity only) to sealed evidence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """The most that this side does for one challenge: operations of one slot, bytes looked up by one slot."""

    operations: float
    looked_up_bytes: float


# Ten minutes of the fastest card of today, and a minute of the fastest memory: no honest challenge asks for a tenth of it.
DEFAULT_BOUNDS: Final = Bounds(operations=600 * 5e15, looked_up_bytes=60 * 8e12)


class Answerer:
    """A state machine: `answer` takes the verifier's next line and returns everything to send back."""

    def __init__(self, crew: ChallengeCrew, make_evidence: MakeEvidence, bounds: Bounds = DEFAULT_BOUNDS) -> None:
        """Answer with the devices of `crew`."""
        self._crew = crew
        self._make_evidence = make_evidence
        self._bounds = bounds
        self._next: Callable[[bytes], bytes] = self._prepare
        self._nonce = ""
        self._hello = b""
        self._evidence = ""
        self._context = b""
        self.finished = False

    def answer(self, line: bytes) -> bytes:
        """Return the reply to one line, without its newline; an abort where the line is not the one that may come now."""
        try:
            return self._next(line)
        except GpuauditError as error:
            self.close()
            return write(Abort(reason=text(str(error))))
        except MemoryError as error:
            self.close()
            return write(Abort(reason=text(f"out of memory: {error}")))

    def close(self) -> None:
        """Give the devices back and answer nothing more."""
        self.finished = True
        self._next = self._refuse
        self._crew.release()

    def _prepare(self, line: bytes) -> bytes:
        prepare = read(line, Prepare, place="verifier")
        made = self._make_evidence(prepare.nonce, prepare.suite)
        offers = self._crew.offers()
        if not offers:
            raise UsageError("no device to challenge on this machine")
        self._nonce, self._evidence = prepare.nonce, hashlib.sha256(made.sealed).hexdigest()
        hello = Hello(
            version=PROTOCOL_VERSION,
            device=self._crew.kind,
            slots=offers[: prepare.slots] if prepare.slots else offers,
            evidence=self._evidence,
            evidence_bytes=len(made.sealed),
            public_key_bytes=len(made.public_key),
        )
        sent = write(hello)
        self._hello = sent[:-1]
        self._next = self._arm
        return sent + made.sealed + made.public_key

    def _arm(self, line: bytes) -> bytes:
        challenge = read(line, Challenge, place="verifier")
        if challenge.hello != hashlib.sha256(self._hello).hexdigest() or challenge.evidence != self._evidence:
            raise AuthenticityError("the challenge speaks of another hello, or of other evidence")
        self._require_bounded(challenge.sizes)
        self._sizes = challenge.sizes
        self._context = context_of(line)
        self._crew.prepare(challenge.sizes)
        self._next = self._fill
        return write(Armed())

    def _fill(self, line: bytes) -> bytes:
        seed = bytes.fromhex(read(line, Seed, place="verifier").seed)
        if seed_commitment(seed) != self._nonce:
            raise AuthenticityError("the seed is not the one that the nonce of the evidence commits to")
        hashes = self._crew.fill([device_key(seed, self._context, slot) for slot in range(self._sizes.slots)])
        committed = Committed(slots=tuple(slot_commitment(slot, own).hex() for slot, own in enumerate(hashes)))
        self._next = self._walk
        return write(committed) + b"".join(one for own in hashes for one in own)

    def _walk(self, line: bytes) -> bytes:
        seed = bytes.fromhex(read(line, SecondSeed, place="verifier").seed)
        seeds = [first_walk_seed(seed, self._context, slot) for slot in range(self._sizes.slots)]
        digests = walk_together(self._crew, seeds, self._sizes.epochs)
        self._next = self._open
        return write(Walked(slots=tuple(tuple(one.hex() for one in own) for own in digests)))

    def _open(self, line: bytes) -> bytes:
        asked = read(line, Open, place="verifier")
        self._require_possible(asked)
        opened = b"".join(self._crew.open(asked.slots))
        self.close()
        return opened

    def _refuse(self, line: bytes) -> bytes:  # noqa: ARG002 - every state takes a line
        raise UsageError("this challenge is over")

    def _require_bounded(self, sizes: Sizes) -> None:
        faults = [*faults_of(sizes)]
        offered = len(self._crew.offers())
        if sizes.slots > offered:
            faults.append(f"{sizes.slots} slots: this machine has {offered}")
        if sizes.slot_operations > self._bounds.operations:
            faults.append(
                f"{sizes.slot_operations:.3g} operations: more than the {self._bounds.operations:.3g} that are done here"
            )
        if sizes.walk_bytes > self._bounds.looked_up_bytes:
            faults.append(
                f"{sizes.walk_bytes:.3g} bytes to look up: more than the {self._bounds.looked_up_bytes:.3g} that are done here"
            )
        if faults:
            raise UsageError(f"refused: {'; '.join(faults)}")

    def _require_possible(self, asked: Open) -> None:
        if len(asked.slots) != self._sizes.slots or not all(_exists(one, self._sizes) for one in asked.slots):
            raise UsageError("refused: groups or epochs that this challenge does not have")


def serve(answerer: Answerer, channel: Channel) -> None:
    """Answer line by line until the challenge is over or the other side is gone. What went wrong is its to report."""
    try:
        while not answerer.finished:
            arrival = channel.receive_line(MAX_LINE_BYTES, within=_PATIENCE)
            channel.send(answerer.answer(arrival.line), within=_PATIENCE)
    except ChannelError:
        answerer.close()


def _exists(asked: SlotOpening, sizes: Sizes) -> bool:
    in_order = [*asked.groups] == sorted({*asked.groups}) and [*asked.epochs] == sorted({*asked.epochs})
    return in_order and all(one < sizes.groups for one in asked.groups) and all(one < sizes.epochs for one in asked.epochs)
