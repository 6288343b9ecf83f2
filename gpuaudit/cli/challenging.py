"""What the commands of `gpuaudit challenge` share: who is challenged for what, how an attempt is made, and what is written."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from gpuaudit.attester.answer import MakeEvidence, SealedEvidence
from gpuaudit.attester.attest import probe
from gpuaudit.attester.machine import this_machine
from gpuaudit.catalogue.compiled import load_catalogue
from gpuaudit.challenge.assumption import load_assumptions
from gpuaudit.challenge.channel import Channel
from gpuaudit.challenge.conclude import Setting, conclude, sentence
from gpuaudit.challenge.hostkey import host_digest
from gpuaudit.challenge.issue import Conducted, Greeting, Order, conduct, greet
from gpuaudit.challenge.messages import DeviceKind
from gpuaudit.challenge.result import AnsweringHost, Attempt, ChallengeResult, Place
from gpuaudit.challenge.sizes import Sizes
from gpuaudit.challenge.sizing import Wish, expect, rehearsal, size_challenge
from gpuaudit.challenge.stopwatch import BootStopwatch
from gpuaudit.challenge.target import Target, target_of_product, target_of_tender
from gpuaudit.cli import console
from gpuaudit.cli.collect import Collection, collect
from gpuaudit.cli.format import Format
from gpuaudit.cli.signing import load_signer
from gpuaudit.clock import WallClock
from gpuaudit.envelope import PredicateType, Subject, seal, seal_evidence
from gpuaudit.envelope.keys import public_pem
from gpuaudit.envelope.keystore import LoadedSigner
from gpuaudit.errors import UsageError
from gpuaudit.evidence.codec import dump
from gpuaudit.tender.parse import load_tender
from gpuaudit.units import Seconds
from gpuaudit.workload.torch_bench import TorchBench

CHALLENGE_NAME: Final = "challenge.json"
EVIDENCE_NAME: Final = "evidence.json"
MACHINE_KEY_NAME: Final = "machine.pub"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What was asked for on the command line. `seconds` is how long the fill should take."""

    seconds: float
    rung: int
    rehearsal: bool
    suite: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """One attempt: what was said before, how it went, and on which sizes."""

    greeting: Greeting
    conducted: Conducted
    sizes: Sizes


def target_of(tender: str, product: str, slots: int) -> Target:
    """Find out what is challenged.

    Raises:
        UsageError: Neither tender nor product is given, or what is given cannot be challenged.
    """
    assumptions = load_assumptions().assumptions
    if tender:
        return target_of_tender(load_tender(tender), product, slots, load_catalogue(), assumptions)
    if product:
        return target_of_product(product, slots, load_catalogue(), assumptions)
    raise UsageError("challenge: nothing is claimed; give --tender T or --product ID")


def sizes_of(target: Target, wanted: Wanted, slots: int) -> Sizes:
    """Size a challenge for so many slots."""
    assumptions = load_assumptions().assumptions
    if wanted.rehearsal:
        return rehearsal(slots, assumptions)
    round_trip = Seconds(assumptions.walk.round_trip_seconds)
    wish = Wish(slots=slots, seconds=Seconds(wanted.seconds), rung=wanted.rung, round_trip=round_trip)
    return size_challenge(target.figures, wish, assumptions)


def attempt(
    channel: Channel,
    target: Target,
    wanted: Wanted,
    *,
    host: AnsweringHost,
    greeting: Greeting,
    verifier: str,
    number: int,
) -> Made:
    """Make one attempt after the greeting. The prover sets nothing but a lower rung of the memory ladder."""
    assumptions = load_assumptions().assumptions
    slots = target.slots or len(greeting.hello.slots)
    lowest = min(slot.largest_rung for slot in greeting.hello.slots)
    if lowest < wanted.rung and not wanted.rehearsal:
        console.say(
            f"the machine can give {lowest} % of its memory, not {wanted.rung} %: the challenge is smaller, and proves less"
        )
    sizes = sizes_of(target, replace(wanted, rung=min(wanted.rung, lowest)), slots)
    expected = expect(sizes, target.figures, assumptions)
    console.say(
        f"challenging {slots} x {target.figures.title}: fill about {expected.fill:.0f} s, walk {expected.walk:.0f} s, "
        f"check {expected.check:.0f} s"
    )
    order = Order(
        sizes=sizes,
        expected=expected,
        tender=target.tender_sha256,
        verifier=verifier,
        host=host_digest(host),
        attempt=number,
    )
    conducted = conduct(
        channel,
        greeting,
        order,
        deadlines=assumptions.deadlines,
        stopwatch=BootStopwatch(WallClock()),
        draw=secrets.token_bytes,
    )
    return Made(greeting=greeting, conducted=conducted, sizes=sizes)


def greeted(channel: Channel, target: Target, wanted: Wanted) -> Greeting:
    """Greet the prover: a fresh seed, its commitment, evidence under it."""
    deadlines = load_assumptions().assumptions.deadlines
    return greet(channel, suite=wanted.suite, slots=target.slots, deadlines=deadlines, draw=secrets.token_bytes)


def result_of(
    made: Sequence[Made], target: Target, wanted: Wanted, *, place: Place, host: AnsweringHost, verifier: str
) -> ChallengeResult:
    """Put the result of all attempts together."""
    last = made[-1]
    setting = Setting(
        place=place,
        device=last.greeting.hello.device,
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
            number=number,
            nonce=one.greeting.nonce,
            evidence_sha256=one.greeting.hello.evidence,
            transcript_sha256=one.conducted.transcript.sha256(),
            outcome=one.conducted.outcome,
        )
        for number, one in enumerate(made, start=1)
    ]
    return conclude(setting, attempts, load_catalogue(), load_assumptions())


def files_of(made: Sequence[Made], result: ChallengeResult, signer: LoadedSigner) -> dict[str, bytes]:
    """Return everything that a third party needs, by file name: the sealed result, evidence with its key, the transcripts."""
    last = made[-1]
    transcripts = {transcript_name(number): one.conducted.transcript.encode() for number, one in enumerate(made, start=1)}
    subjects = [
        Subject(name=EVIDENCE_NAME, sha256=last.greeting.hello.evidence),
        *(
            Subject(name=transcript_name(number), sha256=one.conducted.transcript.sha256())
            for number, one in enumerate(made, start=1)
        ),
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
    """Write a result for people: the sentence, and on which basis it may be read."""
    return f"{sentence(result)}\nBasis: {result.basis}: {result.basis_reason}."


def show(result: ChallengeResult, form: Format) -> None:
    """Print the result to stdout."""
    console.result(dump(ChallengeResult, result).decode() if form is Format.JSON else shown(result))


def make_evidence(*, busy_ok: bool) -> MakeEvidence:
    """Return what seals this machine's evidence under a nonce, with one's own key."""

    def made(nonce: str, suite: str) -> SealedEvidence:
        signer = load_signer("", None)
        if suite:
            bundle = collect(Collection(simulate="", nonce=nonce, suite=suite, busy_ok=busy_ok))
        else:
            bundle = probe(this_machine(TorchBench()), nonce=nonce, clock=WallClock())
        return SealedEvidence(sealed=seal_evidence(bundle, signer.signer), public_key=public_pem(signer.signer.public_key))

    return made


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
