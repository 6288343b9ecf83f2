"""What the commands of `gpuaudit challenge` share: who is challenged for what, how an attempt is made, and what is written."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, TypeAlias

from gpuaudit.attester.answer import MakeEvidence, SealedEvidence
from gpuaudit.attester.attest import probe
from gpuaudit.attester.machine import this_machine
from gpuaudit.catalogue.compiled import load_catalogue
from gpuaudit.catalogue.model import Catalogue
from gpuaudit.challenge.answering_evidence import kind_of
from gpuaudit.challenge.assumption import Assumptions, LoadedAssumptions, load_assumptions
from gpuaudit.challenge.channel import Channel
from gpuaudit.challenge.conclude import Setting, conclude, sentence
from gpuaudit.challenge.hostkey import host_digest
from gpuaudit.challenge.issue import Conducted, Greeting, Order, conduct, greet
from gpuaudit.challenge.matrix import MakeMatrix
from gpuaudit.challenge.meeting import Alone, Meeting
from gpuaudit.challenge.messages import DeviceKind
from gpuaudit.challenge.result import Accepted, AnsweringHost, Attempt, ChallengeResult, KnownBy, Place
from gpuaudit.challenge.sizes import Sizes
from gpuaudit.challenge.sizing import Wish, expect, rehearsal, size_challenge
from gpuaudit.challenge.stopwatch import BootStopwatch, Stopwatch
from gpuaudit.challenge.target import Target, target_of_product, target_of_tender
from gpuaudit.cli import console
from gpuaudit.cli.collect import SIMULATED_HEAD, Collection, collect
from gpuaudit.cli.exits import Exit
from gpuaudit.cli.format import Format
from gpuaudit.cli.signing import load_signer
from gpuaudit.clock import WallClock
from gpuaudit.envelope import PredicateType, Subject, seal, seal_evidence
from gpuaudit.envelope.keys import public_pem
from gpuaudit.envelope.keystore import LoadedSigner
from gpuaudit.errors import UsageError
from gpuaudit.evidence.bundle import EvidenceBundle
from gpuaudit.evidence.codec import dump
from gpuaudit.tender.parse import load_tender
from gpuaudit.units import Seconds
from gpuaudit.workload.torch_bench import TorchBench

# As many as the protocol has numbers for.
_MOST_ATTEMPTS: Final = 1000
CHALLENGE_NAME: Final = "challenge.json"
EVIDENCE_NAME: Final = "evidence.json"
MACHINE_KEY_NAME: Final = "machine.pub"
Tell: TypeAlias = Callable[[str], None]
"""Tells a person one line of what goes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What was asked for on the command line. `seconds` is how long the fill should take."""

    seconds: float
    rung: int
    rehearsal: bool
    suite: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Footing:
    """What a challenge is reckoned by: the products, what is assumed of them, and the verifier's clock."""

    catalogue: Catalogue
    assumed: LoadedAssumptions
    stopwatch: Stopwatch

    @property
    def assumptions(self) -> Assumptions:
        """Return what is assumed, without the digest of its file."""
        return self.assumed.assumptions


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """One attempt: its number, what was said before, how it went, and on which sizes."""

    number: int
    greeting: Greeting
    conducted: Conducted
    sizes: Sizes


def usual_footing() -> Footing:
    """Return the catalogue and the assumptions that come with gpuaudit, and this machine's clock."""
    return Footing(catalogue=load_catalogue(), assumed=load_assumptions(), stopwatch=BootStopwatch(WallClock()))


def target_of(tender: str, product: str, slots: int, footing: Footing) -> Target:
    """Find out what is challenged.

    Raises:
        UsageError: Neither tender nor product is given, or what is given cannot be challenged.
    """
    if tender:
        return target_of_tender(load_tender(tender), product, slots, footing.catalogue, footing.assumptions)
    if product:
        return target_of_product(product, slots, footing.catalogue, footing.assumptions)
    raise UsageError("challenge: nothing is claimed; give --tender T or --product ID")


def sizes_of(target: Target, wanted: Wanted, slots: int, footing: Footing) -> Sizes:
    """Size a challenge for so many slots."""
    if wanted.rehearsal:
        return rehearsal(slots, footing.assumptions)
    round_trip = Seconds(footing.assumptions.walk.round_trip_seconds)
    wish = Wish(slots=slots, seconds=Seconds(wanted.seconds), rung=wanted.rung, round_trip=round_trip)
    return size_challenge(target.figures, wish, footing.assumptions)


def ordered(
    target: Target,
    wanted: Wanted,
    footing: Footing,
    *,
    host: AnsweringHost,
    greeting: Greeting,
    verifier: str,
    number: int,
    tell: Tell = console.say,
) -> Order:
    """Work out what an attempt asks for, after the greeting, and `tell` it. The prover sets nothing but a lower rung of the ladder.

    Raises:
        UsageError: There have been too many.
    """
    if number > _MOST_ATTEMPTS:
        raise UsageError(
            f"challenge: this would be attempt {number}, expected at most {_MOST_ATTEMPTS}: so many leave no odds; challenge "
            "another machine"
        )
    slots = target.slots or len(greeting.hello.slots)
    lowest = min(slot.largest_rung for slot in greeting.hello.slots)
    if lowest < wanted.rung and not wanted.rehearsal:
        tell(f"the machine can give {lowest} % of its memory, not {wanted.rung} %: the challenge is smaller, and proves less")
    sizes = sizes_of(target, replace(wanted, rung=min(wanted.rung, lowest)), slots, footing)
    expected = expect(sizes, target.figures, footing.assumptions)
    tell(
        f"challenging {slots} x {target.figures.title}: fill about {expected.fill:.0f} s, walk {expected.walk:.0f} s, "
        f"check {expected.check:.0f} s"
    )
    return Order(
        sizes=sizes,
        expected=expected,
        tender=target.tender_sha256,
        verifier=verifier,
        host=host_digest(host),
        attempt=number,
    )


def attempt(
    channel: Channel,
    greeting: Greeting,
    order: Order,
    footing: Footing,
    make: MakeMatrix,
    meeting: Meeting = Alone(),  # noqa: B008 - it has no state
) -> Made:
    """Make one attempt, in a `meeting` or alone; `make` recomputes. Never raises for what the other side does."""
    conducted = conduct(
        channel,
        greeting,
        order,
        deadlines=footing.assumptions.deadlines,
        stopwatch=footing.stopwatch,
        draw=secrets.token_bytes,
        make=make,
        meeting=meeting,
    )
    return Made(number=order.attempt, greeting=greeting, conducted=conducted, sizes=order.sizes)


def greeted(channel: Channel, target: Target, wanted: Wanted, footing: Footing) -> Greeting:
    """Greet the prover: a fresh seed, its commitment, evidence under it."""
    deadlines = footing.assumptions.deadlines
    return greet(channel, suite=wanted.suite, slots=target.slots, deadlines=deadlines, draw=secrets.token_bytes)


def result_of(
    made: Sequence[Made],
    target: Target,
    wanted: Wanted,
    footing: Footing,
    *,
    place: Place,
    host: AnsweringHost,
    verifier: str,
    earlier: Sequence[Attempt] = (),
) -> ChallengeResult:
    """Put the result of all attempts together; `earlier` are those of other calls, with the numbers that `made` leaves free."""
    last = made[-1]
    setting = Setting(
        place=place,
        device=kind_of(last.greeting.hello, last.greeting.opened),
        rehearsal=wanted.rehearsal,
        figures=target.figures,
        claimed=target.claimed,
        tender_sha256=target.tender_sha256,
        verifier=verifier,
        host=host,
        sizes=last.sizes,
    )
    attempts = [
        Attempt(
            number=one.number,
            nonce=one.greeting.nonce,
            evidence_sha256=one.greeting.hello.evidence,
            transcript_sha256=one.conducted.transcript.sha256(),
            outcome=one.conducted.outcome,
        )
        for one in made
    ]
    return conclude(setting, sorted([*earlier, *attempts], key=lambda one: one.number), footing.catalogue, footing.assumed)


def files_of(made: Sequence[Made], result: ChallengeResult, signer: LoadedSigner) -> dict[str, bytes]:
    """Return everything that a third party needs, by file name: the sealed result, evidence with its key, the transcripts."""
    last = made[-1]
    transcripts = {transcript_name(one.number): one.conducted.transcript.encode() for one in made}
    subjects = [
        Subject(name=EVIDENCE_NAME, sha256=last.greeting.hello.evidence),
        *(Subject(name=transcript_name(one.number), sha256=one.conducted.transcript.sha256()) for one in made),
    ]
    return {
        CHALLENGE_NAME: seal(PredicateType.CHALLENGE, subjects, dump(ChallengeResult, result), signer.signer),
        EVIDENCE_NAME: last.greeting.evidence,
        MACHINE_KEY_NAME: last.greeting.public_key,
        **transcripts,
    }


def transcript_name(number: int) -> str:
    """Return the file name of an attempt's transcript."""
    return f"transcript-{number}.bin"


def shown(result: ChallengeResult) -> str:
    """Write a result for people: the sentence, how often it was tried, and on which basis it may be read."""
    basis = f"Basis: {result.basis}: {result.basis_reason}."
    return "\n".join([*_head_of(result), sentence(result), *_tries_of(result), basis])


def _head_of(result: ChallengeResult) -> list[str]:
    return [f"{SIMULATED_HEAD}; memory and rates are those of a miniature"] if result.device is DeviceKind.SIMULATED else []


def _tries_of(result: ChallengeResult) -> list[str]:
    earlier = sum(1 for one in result.attempts if one.known_by is KnownBy.RECORD)
    if len(result.attempts) == 1:
        return []
    return [
        f"Attempts: {len(result.attempts)}, {earlier} of them in earlier calls; {result.assumed.attempts} had a seed and share the odds."
    ]


def exit_of(result: ChallengeResult, *, allow_simulated: bool) -> Exit:
    """Return the exit status of a challenge; an answer that holds but is simulated has its own."""
    if not isinstance(result.attempts[-1].outcome, Accepted):
        return Exit.INCONCLUSIVE
    return Exit.SIMULATED if result.device is DeviceKind.SIMULATED and not allow_simulated else Exit.DONE


def show(result: ChallengeResult, form: Format) -> None:
    """Print the result to stdout."""
    console.result(dump(ChallengeResult, result).decode() if form is Format.JSON else shown(result))


def make_evidence(*, busy_ok: bool) -> MakeEvidence:
    """Return what seals this machine's evidence under a nonce, with one's own key."""

    def made(nonce: str, suite: str) -> SealedEvidence:
        if suite:
            bundle = collect(Collection(simulate="", nonce=nonce, suite=suite, busy_ok=busy_ok))
        else:
            bundle = probe(this_machine(TorchBench()), nonce=nonce, clock=WallClock())
        return sealed_evidence(bundle)

    return made


def sealed_evidence(bundle: EvidenceBundle) -> SealedEvidence:
    """Seal evidence with one's own key."""
    signer = load_signer("", None).signer
    return SealedEvidence(sealed=seal_evidence(bundle, signer), public_key=public_pem(signer.public_key))


def device_kind(device: str) -> DeviceKind:
    """Read `--device`.

    Raises:
        UsageError: It is neither.
    """
    if device not in {DeviceKind.CUDA.value, DeviceKind.CPU.value}:
        raise UsageError(f"--device: got {device!r}, expected cuda or cpu")
    return DeviceKind(device)


def written(folder: Path, names: Sequence[str]) -> str:
    """Name the files that were written."""
    return f"wrote {', '.join(names)} to {folder}"
