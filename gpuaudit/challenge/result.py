"""The predicate of `urn:gpuaudit:challenge:v1`: what a verifier signs about one challenge, failed attempts included."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from gpuaudit.challenge.floors import Assumed, Floors
from gpuaudit.challenge.messages import DeviceKind
from gpuaudit.challenge.rivals import Rival
from gpuaudit.challenge.sample import SlotSample
from gpuaudit.challenge.sizes import Sizes
from gpuaudit.evidence.bundle import Tool
from gpuaudit.evidence.record import record
from gpuaudit.units import Seconds


class Place(StrEnum):
    """Where the clock was: elsewhere, on the same machine, or nowhere."""

    REMOTE = "remote"
    LOCAL = "local"
    FILES = "files"


@record
class HostKey:
    """The key by which ssh knew the machine that answered. It names the machine; it does not exclude a relay."""

    kind: Literal["host-key"] = "host-key"
    algorithm: str
    fingerprint: str


@record
class NoHostKey:
    """Nothing named the machine that answered."""

    kind: Literal["none"] = "none"


AnsweringHost: TypeAlias = Annotated[HostKey | NoHostKey, Field(discriminator="kind")]


@record
class Times:
    """The verifier's clock: its word, which nobody can check again."""

    seed_sent_at: str
    walked_at: str
    fill_seconds: Seconds
    walk_seconds: Seconds


@record
class Untimed:
    """The answer came as a file: nobody's clock ran."""

    kind: Literal["untimed"] = "untimed"


@record
class Timed:
    """A clock ran."""

    kind: Literal["timed"] = "timed"
    times: Times


@record
class Accepted:
    """The answer held, on these samples."""

    kind: Literal["accepted"] = "accepted"
    timing: Annotated[Timed | Untimed, Field(discriminator="kind")]
    samples: tuple[SlotSample, ...]


@record
class Failed:
    """The answer did not hold, or did not come; `step` is the one of `PROTOCOL.md`.

    An attempt counts from the moment at which the seed was revealed, answered or not.
    """

    kind: Literal["failed"] = "failed"
    step: int
    reason: str
    seed_revealed: bool


Outcome: TypeAlias = Annotated[Accepted | Failed, Field(discriminator="kind")]


class KnownBy(StrEnum):
    """By what an attempt can be checked: by its transcript beside the result, or only by the verifier's own record."""

    TRANSCRIPT = "transcript"
    RECORD = "record"


@record
class Attempt:
    """One attempt, with the nonce that the evidence had to carry and the digest of all that was sent and received.

    One that is known by the record was made by an earlier call: its samples are not repeated, and the digest of its transcript is
    empty where no end was recorded.
    """

    number: int
    nonce: str
    evidence_sha256: str
    transcript_sha256: str
    outcome: Outcome
    known_by: KnownBy = KnownBy.TRANSCRIPT


@record
class Proved:
    """What the accepted attempt proves at least, and who else could have done it."""

    kind: Literal["proved"] = "proved"
    floors: Floors
    rivals: tuple[Rival, ...]


@record
class NotProved:
    """Nothing, and why."""

    kind: Literal["not-proved"] = "not-proved"
    reason: str


@record
class ChallengeResult:
    """Everything about one challenge. Sizes, seeds and messages are in the transcripts; sizes are repeated for the reader.

    `basis` is `challenged` only where verifier and prover are different machines by the operator's word.
    """

    schema_version: Literal[1]
    tool: Tool
    place: Place
    device: DeviceKind
    rehearsal: bool
    basis: Literal["challenged", "measured"]
    basis_reason: str
    product: str
    tender_sha256: str
    verifier: str
    host: AnsweringHost
    catalogue_version: str
    sizing_sha256: str
    sizes: Sizes
    assumed: Assumed
    attempts: tuple[Attempt, ...]
    conclusion: Annotated[Proved | NotProved, Field(discriminator="kind")]


def reveals_seed(outcome: Outcome) -> bool:
    """Whether the other side had the seed: then the attempt shares the odds with all others."""
    return isinstance(outcome, Accepted) or outcome.seed_revealed


def basis_of(place: Place, device: DeviceKind, *, rehearsal: bool) -> tuple[Literal["challenged", "measured"], str]:
    """Say on which basis an answer may be read, and why on no better one."""
    if device is DeviceKind.SIMULATED:
        return "measured", "the devices are simulated: this says nothing about any real machine"
    if rehearsal:
        return "measured", "a rehearsal: the sizes are too small to bound anything"
    match place:
        case Place.LOCAL:
            return "measured", "the machine that answered owns the clock"
        case Place.FILES:
            return "measured", "the answer came as a file, so no clock ran: it shows ability, not speed"
        case Place.REMOTE:
            return "challenged", "timed and checked elsewhere, by the word of who signed this"
