"""What goes over the wire, and how it is read: exact, or refused.

A message is one line of canonical JSON: written by `write`, and accepted by `read` only if writing what was read gives the same
bytes again. So a value has one spelling, and there is nothing for two readers to differ about. Lists are raw bytes of a length that
both sides know beforehand.
"""

from __future__ import annotations

import re
from enum import StrEnum
from typing import Annotated, Final, Literal, TypeAlias, TypeVar

from pydantic import Field

from gpuaudit.challenge.domain import DIGEST_BYTES
from gpuaudit.challenge.record import message
from gpuaudit.challenge.sizes import FOLD_BYTES, Sizes
from gpuaudit.errors import AuthenticityError
from gpuaudit.evidence.codec import dump, load

PROTOCOL_VERSION: Final = 1
RUNGS: Final = (95, 90, 75, 50)
MAX_LINE_BYTES: Final = 256 * 1024
MAX_EVIDENCE_BYTES: Final = 8 * 1024 * 1024
MAX_KEY_BYTES: Final = 4096
_MAX_DEPTH: Final = 4
_MAX_DIGITS: Final = 16

# Neither brackets nor quotes nor backslashes: what stands in a text cannot look like structure, and is one byte per character.
Text: TypeAlias = Annotated[str, Field(pattern=r"^[A-Za-z0-9 ,.:;()/=+_'#@%?-]*$", max_length=200)]
Digest: TypeAlias = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Moment: TypeAlias = Annotated[str, Field(pattern=r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$")]
Rung: TypeAlias = Literal[95, 90, 75, 50]
Index: TypeAlias = Annotated[int, Field(ge=0, lt=2**40)]

_DIGITS: Final = re.compile(rb"[0-9]{%d}" % (_MAX_DIGITS + 1))
_QUOTED: Final = re.compile(rb'"[^"]*"')
_LINE: Final = re.compile(rb"[\x20-\x7e]*")

T = TypeVar("T")


class DeviceKind(StrEnum):
    """On what a challenge is answered."""

    CUDA = "cuda"
    CPU = "cpu"
    SIMULATED = "simulated"


@message
class Prepare:
    """Verifier, first: the nonce for the evidence, the suite to measure for it, and how many slots will be challenged.

    `suite` is empty for identity only; `slots` is 0 for all that there are.
    """

    type: Literal["prepare"] = "prepare"
    version: Literal[1]
    nonce: Digest
    suite: Text
    slots: Annotated[int, Field(ge=0, le=64)]


@message
class SlotOffer:
    """One device that will answer, and the largest share of its memory, in percent, that it can give."""

    uuid: Text
    bus_id: Text
    largest_rung: Rung


@message
class Hello:
    """Prover: who answers. Sealed evidence and the public half of its key follow, of these lengths in bytes."""

    type: Literal["hello"] = "hello"
    version: Literal[1]
    device: DeviceKind
    slots: Annotated[tuple[SlotOffer, ...], Field(min_length=1, max_length=64)]
    evidence: Digest
    evidence_bytes: Annotated[int, Field(ge=1, le=MAX_EVIDENCE_BYTES)]
    public_key_bytes: Annotated[int, Field(ge=1, le=MAX_KEY_BYTES)]


@message
class Challenge:
    """Verifier: all sizes, and everything that this one challenge is about. The digest of this line is the context of all work.

    `hello`, `evidence`, `tender`, `verifier`, `host` are digests: of the hello line, of the sealed evidence, of the tender's file, the id
    of the verifier's key, and of the host key that answered (zeros where there is none).
    """

    type: Literal["challenge"] = "challenge"
    version: Literal[1]
    sizes: Sizes
    hello: Digest
    evidence: Digest
    tender: Digest
    verifier: Digest
    host: Digest
    attempt: Annotated[int, Field(ge=1, le=1000)]
    issued_at: Moment


@message
class Armed:
    """Prover: memory taken, warmed up. Nothing is timed before this."""

    type: Literal["armed"] = "armed"


@message
class Seed:
    """Verifier: the first seed. The clock runs."""

    type: Literal["seed"] = "seed"
    seed: Digest


@message
class Committed:
    """Prover: what each slot commits to. Group hashes follow."""

    type: Literal["committed"] = "committed"
    slots: Annotated[tuple[Digest, ...], Field(min_length=1, max_length=64)]


@message
class SecondSeed:
    """Verifier: the seed of the walk. The clock runs."""

    type: Literal["second-seed"] = "second-seed"
    seed: Digest


@message
class Walked:
    """Prover: the digests of all epochs of each slot."""

    type: Literal["walked"] = "walked"
    slots: Annotated[tuple[tuple[Digest, ...], ...], Field(min_length=1, max_length=64)]


@message
class SlotOpening:
    """Which whole groups of folds and whole epochs of one slot to send; ascending."""

    groups: Annotated[tuple[Index, ...], Field(max_length=4096)]
    epochs: Annotated[tuple[Index, ...], Field(max_length=4096)]


@message
class Open:
    """Verifier, only now: what to open. The folds and results follow from the prover, in this order, and nothing else."""

    type: Literal["open"] = "open"
    slots: Annotated[tuple[SlotOpening, ...], Field(min_length=1, max_length=64)]


@message
class Abort:
    """Either side gives up, and says why."""

    type: Literal["abort"] = "abort"
    reason: Text


Message: TypeAlias = Annotated[
    Prepare | Hello | Challenge | Armed | Seed | Committed | SecondSeed | Walked | Open | Abort, Field(discriminator="type")
]


def write(value: Message) -> bytes:
    """Write a message as one line, newline included.

    Raises:
        ValueError: It could not be read back.
    """
    line = dump(type(value), value)
    try:
        read(line, type(value), place="message")
    except AuthenticityError as error:
        raise ValueError(str(error)) from None
    return line + b"\n"


def read(line: bytes, kind: type[T], *, place: str) -> T:
    """Read one line, without its newline, as a message of one kind.

    Args:
        line: Of a length that was bounded while it was received.
        kind: The only message that may come here.
        place: Where it came from, for the message of an error.

    Raises:
        AuthenticityError: It is not such a message in its one spelling.
    """
    if not _LINE.fullmatch(line):
        raise AuthenticityError(f"{place}: expected printable ASCII and one newline at the end")
    if _DIGITS.search(_QUOTED.sub(b"", line)):
        raise AuthenticityError(f"{place}: a number of more than {_MAX_DIGITS} digits")
    if _depth(line) > _MAX_DEPTH:
        raise AuthenticityError(f"{place}: nested too deeply: expected at most {_MAX_DEPTH} levels")
    value = load(kind, line, place=place)
    if dump(kind, value) != line:
        raise AuthenticityError(f"{place}: not in the one form in which this message is written")
    return value


def text(words: str) -> str:
    """Turn any text into one that a message can carry: other characters become question marks, what is too long is cut."""
    return re.sub(r"[^A-Za-z0-9 ,.:;()/=+_'#@%?-]", "?", words)[:200]


def committed_length(sizes: Sizes) -> int:
    """Return the exact length, in bytes and with its newline, of the line that stops the first clock."""
    return len(dump(Committed, Committed(slots=_digests(sizes.slots)))) + 1


def walked_length(sizes: Sizes) -> int:
    """Return the exact length, in bytes and with its newline, of the line that stops the second clock."""
    return len(dump(Walked, Walked(slots=(_digests(sizes.epochs),) * sizes.slots))) + 1


def group_hashes_length(sizes: Sizes) -> int:
    """Return the exact length, in bytes, of all group hashes of all slots."""
    return sizes.slots * sizes.groups * DIGEST_BYTES


def opened_length(opening: SlotOpening, sizes: Sizes) -> int:
    """Return the exact length, in bytes, of what one slot opens."""
    rows = sum(sizes.group_length(group) for group in opening.groups)
    return FOLD_BYTES * (rows + sizes.walkers * len(opening.epochs))


def most_opened_bytes(sizes: Sizes) -> int:
    """Return the most bytes that all slots together open."""
    rows = min(sizes.row_samples, sizes.groups) * sizes.group_rows
    return sizes.slots * FOLD_BYTES * (rows + sizes.walkers * min(sizes.walk_samples + 1, sizes.epochs))


def _digests(count: int) -> tuple[str, ...]:
    return ("0" * 2 * DIGEST_BYTES,) * count


def _depth(line: bytes) -> int:
    depth = deepest = 0
    for character in line:
        if character in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif character in b"]}":
            depth -= 1
    return deepest
