"""The record of one round, in which many machines were challenged at the same time: written, sealed, and read again.

It holds who was asked and when who answered, on the verifier's clock. What was answered is in the challenge of each node beside it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field
from securesystemslib.signer import Signer

from gpuaudit.challenge.result import Accepted, ChallengeResult, Timed
from gpuaudit.challenge.stopwatch import NANOSECONDS
from gpuaudit.envelope import Keyring, PredicateType, Subject, open_sealed, read_bounded, seal
from gpuaudit.errors import AuthenticityError
from gpuaudit.evidence.bundle import Tool
from gpuaudit.evidence.codec import dump, load
from gpuaudit.evidence.record import entry, record
from gpuaudit.evidence.toml_file import load_toml
from gpuaudit.fleet.folder import INSIDE, Candidate, require_node
from gpuaudit.fleet.result import FleetRow
from gpuaudit.fleet.rows import APPRAISED
from gpuaudit.fleet.simultaneity import Answer, Window

CHALLENGE_NAME: Final = "challenge.json"
ROUND_NAME: Final = "round.together"
_FILE: Final = "together.toml"
# Times are also given in seconds, as numbers with a point.
_ROUNDING: Final = 1e-6
NOT_ANY_MORE: Final = "its evidence is not among what was appraised"


@entry
class _Citation:
    kind: str
    source: str
    note: str


_Positive = Annotated[float, Field(gt=0)]


@entry
class Waits:
    """How long the machines of a round are waited for, in seconds; see `together.toml`."""

    schema: Literal[1]
    hello: _Positive
    armed: _Positive
    transfer: _Positive
    multiple_of_expected: _Positive
    longest_work: _Positive
    retry_within: _Positive
    cited: tuple[_Citation, ...]


@record
class Answered:
    """The node's answer held. The digests are those of its files."""

    kind: Literal["answered"] = "answered"
    challenge_sha256: str
    evidence_sha256: str
    fill: Window
    walk: Window


@record
class LeftOut:
    """The node does not count, and why."""

    kind: Literal["left-out"] = "left-out"
    reason: str
    seed_revealed: bool


@record
class Member:
    """One node of the round. `destination` is what the verifier reached it by."""

    node: str
    destination: str
    part: Annotated[Answered | LeftOut, Field(discriminator="kind")]


@record
class TogetherRecord:
    """One round. `lookup_ceiling_bytes_per_second` is the most that one card of the product can look up."""

    schema_version: Literal[1]
    scope: Literal["together"]
    tool: Tool
    verifier: str
    product: str
    began_at: str
    lookup_ceiling_bytes_per_second: float
    members: tuple[Member, ...]

    @property
    def seeds(self) -> int:
        """Return to how many nodes a seed was revealed."""
        return sum(isinstance(one.part, Answered) or one.part.seed_revealed for one in self.members)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadRound:
    """A round as it was read: who answered with what, and why the others do not count."""

    record: TogetherRecord
    answers: tuple[Answer, ...]
    results: Mapping[str, ChallengeResult]
    left_out: Mapping[str, str]


@cache
def load_waits() -> Waits:
    """Return how long machines are waited for."""
    return load_toml(Waits, resources.files("gpuaudit.fleet").joinpath(_FILE).read_bytes(), place=_FILE)


def seal_round(made: TogetherRecord, signer: Signer) -> bytes:
    """Sign a round. Its subjects are the challenge and the evidence of each node that answered, or else the round by its name."""
    subjects = [
        Subject(name=f"{one.node}/{name}", sha256=sha256)
        for one in made.members
        if isinstance(one.part, Answered)
        for name, sha256 in ((CHALLENGE_NAME, one.part.challenge_sha256), (INSIDE, one.part.evidence_sha256))
    ]
    predicate = dump(TogetherRecord, made)
    nobody = Subject(name=ROUND_NAME, sha256=hashlib.sha256(predicate).hexdigest())
    return seal(PredicateType.CHALLENGE, subjects or [nobody], predicate, signer)


def read_round(candidate: Candidate, keyring: Keyring, rows: Sequence[FleetRow]) -> ReadRound:
    """Open a round and the challenges that it names, as far as their evidence was appraised.

    Args:
        candidate: The file.
        keyring: Whose word on times is taken; a key that signed a node's evidence is not, whatever else it is trusted for.
        rows: Of the evidence in the same folder.

    Raises:
        GpuauditError: It is not one, or a challenge is not the one that it names.
    """
    of_nodes = frozenset(keyid for row in rows for keyid in row.signed_by)
    data = read_bounded(candidate.path, refusal=AuthenticityError)
    made = load(TogetherRecord, _signed(data, keyring, of_nodes, candidate.name), place=candidate.name)
    if len({one.node for one in made.members}) != len(made.members):
        raise AuthenticityError(f"{candidate.name}: a node is named twice")
    appraised = {(row.node, row.file.sha256) for row in rows if row.state == APPRAISED}
    answers, results, left_out = [], {}, {}
    for one in made.members:
        if isinstance(one.part, LeftOut):
            left_out[one.node] = one.part.reason
        elif (one.node, one.part.evidence_sha256) not in appraised:
            left_out[one.node] = NOT_ANY_MORE
        else:
            result = _challenge(candidate.path.parent, made, one.node, one.part, keyring, of_nodes)
            results[one.node] = result
            answers.append(
                Answer(node=one.node, sizes=result.sizes, assumed=result.assumed, fill=one.part.fill, walk=one.part.walk)
            )
    return ReadRound(record=made, answers=tuple(answers), results=results, left_out=left_out)


def _challenge(  # noqa: PLR0913, PLR0917 - all that one file is held against
    folder: Path, made: TogetherRecord, node: str, part: Answered, keyring: Keyring, of_nodes: frozenset[str]
) -> ChallengeResult:
    place = f"{require_node(node)}/{CHALLENGE_NAME}"
    data = read_bounded(folder / node / CHALLENGE_NAME, refusal=AuthenticityError)
    if hashlib.sha256(data).hexdigest() != part.challenge_sha256:
        raise AuthenticityError(f"{place}: not the challenge of this round")
    result = load(ChallengeResult, _signed(data, keyring, of_nodes, place), place=place)
    last = result.attempts[-1]
    if (result.verifier, result.product) != (made.verifier, made.product) or last.evidence_sha256 != part.evidence_sha256:
        raise AuthenticityError(f"{place}: about another machine, product or verifier than the round")
    match last.outcome:
        case Accepted(timing=Timed(times=times)) if all(
            abs((window.ended_nanoseconds - window.began_nanoseconds) / NANOSECONDS - seconds) < _ROUNDING
            for window, seconds in ((part.fill, times.fill_seconds), (part.walk, times.walk_seconds))
        ):
            return result
        case _:
            raise AuthenticityError(f"{place}: its times are not those of the round")


def _signed(data: bytes, keyring: Keyring, of_nodes: frozenset[str], place: str) -> bytes:
    """Open what a verifier signed. In a fleet's folder also nodes' keys may be trusted, for what the nodes say of themselves."""
    opened = open_sealed(data, keyring, PredicateType.CHALLENGE, place=place)
    if of_nodes.intersection(opened.keyids):
        raise AuthenticityError(f"{place}: signed with a node's own key; expected the verifier's")
    return opened.predicate
