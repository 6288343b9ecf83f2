"""One attempt from end to end against a simulated machine: small sizes, real arithmetic, a virtual clock."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache

from securesystemslib.signer import CryptoSigner

from gpuaudit.attester.answer import Answerer, Bounds, SealedEvidence
from gpuaudit.catalogue.compiled import load_catalogue
from gpuaudit.challenge.assumption import Assumptions, load_assumptions
from gpuaudit.challenge.channel import ChannelError
from gpuaudit.challenge.check import RefusedError
from gpuaudit.challenge.conclude import Setting, conclude
from gpuaudit.challenge.crew import ChallengeCrew
from gpuaudit.challenge.direct import DirectChannel
from gpuaudit.challenge.figures import Figures, require_figures
from gpuaudit.challenge.hostkey import NOBODY
from gpuaudit.challenge.issue import Conducted, Greeting, Order, conduct, greet
from gpuaudit.challenge.messages import DeviceKind
from gpuaudit.challenge.result import Attempt, ChallengeResult, Failed, NoHostKey, Place
from gpuaudit.challenge.sample import Draw
from gpuaudit.challenge.sizes import Sizes
from gpuaudit.challenge.sizing import Wish, expect, size_challenge
from gpuaudit.challenge.slot import ChallengeDevice
from gpuaudit.challenge.transcript import Transcript
from gpuaudit.envelope import seal_evidence
from gpuaudit.envelope.keys import public_pem
from gpuaudit.simulated.prover import (
    Miniature,
    PacedCrew,
    VirtualStopwatch,
    honest_pace,
    miniature_of,
    simulated_devices,
)
from gpuaudit.units import Seconds
from tests.envelope.bundles import small_bundle

FULL = load_assumptions().assumptions
TINY = Sizes(
    slots=1,
    width=256,
    seed_bytes=64,
    steps=2,
    rows=320,
    group_rows=32,
    block_bytes=256,
    walkers=5,
    jumps=2,
    epochs=4,
    row_samples=4,
    walk_samples=2,
)
GENEROUS = Bounds(operations=1e18, looked_up_bytes=1e15)
A100 = "a100-sxm4-80gb"


def full_figures(product: str = A100) -> Figures:
    return require_figures(load_catalogue().product(product), FULL)


@cache
def shrunk(claimed: str = A100) -> Miniature:
    return miniature_of(full_figures(claimed), load_catalogue(), FULL)


def figures(product: str = A100, claimed: str = A100) -> Figures:
    return require_figures(shrunk(claimed).catalogue.product(product), shrunk(claimed).assumptions)


_MINIATURE = shrunk().assumptions
SMALL: Assumptions = replace(
    _MINIATURE,
    shape=replace(_MINIATURE.shape, jumps=32),
    samples=replace(_MINIATURE.samples, rows=128, walks=32),
    deadlines=replace(_MINIATURE.deadlines, multiple_of_expected=500),
)
Answer = Callable[[bytes], bytes]


@cache
def signer() -> CryptoSigner:
    return CryptoSigner.generate_ed25519()


def sealed(nonce: str, suite: str = "") -> SealedEvidence:
    return SealedEvidence(sealed=seal_evidence(small_bundle(nonce=nonce), signer()), public_key=public_pem(signer().public_key))


def sizes_for(claimed: Figures, slots: int = 1, *, rung: int = 95, seconds: float = 10.0) -> Sizes:
    wish = Wish(slots=slots, seconds=Seconds(seconds), rung=rung, round_trip=Seconds(0.1))
    return size_challenge(claimed, wish, SMALL)


@dataclass
class Round:
    """Everything of one attempt that a scenario may change before it is run."""

    slots: int = 1
    seed: int = 0
    claimed: Figures = field(default_factory=figures)
    stopwatch: VirtualStopwatch = field(default_factory=VirtualStopwatch)
    devices: Sequence[ChallengeDevice] = ()
    wrap: Callable[[ChallengeCrew], ChallengeCrew] = lambda crew: crew
    tamper: Callable[[Answer], Answer] = lambda answer: answer
    bounds: Bounds = GENEROUS
    draw: Draw | None = None
    channel: type[DirectChannel] = DirectChannel

    def sizes(self) -> Sizes:
        return sizes_for(self.claimed, self.slots)

    def answerer(self) -> Answerer:
        pace = honest_pace(self.claimed, self.slots, SMALL)
        crew = PacedCrew(self.devices or simulated_devices(self.slots), pace, self.stopwatch)
        return Answerer(self.wrap(crew), sealed, self.bounds)

    def run(self, sizes: Sizes | None = None) -> Conducted:
        """Greet and conduct; a refused greeting is a failed attempt of which no seed was revealed."""
        draw = self.draw or random.Random(self.seed).randbytes
        channel = self.channel(self.tamper(self.answerer().answer), self.stopwatch)
        try:
            self.greeting: Greeting = greet(channel, suite="", slots=self.slots, deadlines=SMALL.deadlines, draw=draw)
        except RefusedError as error:
            return failed(error.step, error.reason)
        except ChannelError as error:
            return failed(2, str(error))
        return self._conduct(channel, self.greeting, sizes or self.sizes(), draw)

    def resume(self, answer: Answer, greeting: Greeting, sizes: Sizes) -> Conducted:
        """Conduct only, after a greeting of another round with the same seed."""
        draw = random.Random(self.seed).randbytes
        draw(len(greeting.seed))
        return self._conduct(DirectChannel(answer, self.stopwatch), greeting, sizes, draw)

    def _conduct(self, channel: DirectChannel, greeting: Greeting, sizes: Sizes, draw: Draw) -> Conducted:
        order = Order(
            sizes=sizes,
            expected=expect(sizes, self.claimed, SMALL),
            tender=NOBODY,
            verifier="1" * 64,
            host=NOBODY,
            attempt=1,
        )
        return conduct(channel, greeting, order, deadlines=SMALL.deadlines, stopwatch=self.stopwatch, draw=draw)


def failed(step: int, reason: str) -> Conducted:
    return Conducted(transcript=Transcript(), outcome=Failed(step=step, reason=reason, seed_revealed=False))


def concluded(round_: Round, conducted: Conducted, *, attempts: int = 1, place: Place = Place.REMOTE) -> ChallengeResult:
    """Sign nothing, but put the result together, as if this were the last of so many attempts."""
    earlier = [
        Attempt(
            number=number,
            nonce="0" * 64,
            evidence_sha256="0" * 64,
            transcript_sha256="0" * 64,
            outcome=Failed(step=6, reason="late", seed_revealed=True),
        )
        for number in range(1, attempts)
    ]
    last = Attempt(
        number=attempts,
        nonce=round_.greeting.nonce,
        evidence_sha256=round_.greeting.hello.evidence,
        transcript_sha256=conducted.transcript.sha256(),
        outcome=conducted.outcome,
    )
    setting = Setting(
        place=place,
        device=DeviceKind.SIMULATED,
        rehearsal=False,
        figures=round_.claimed,
        claimed=frozenset({round_.claimed.product}),
        tender_sha256=NOBODY,
        verifier="1" * 64,
        host=NoHostKey(),
        sizes=round_.sizes(),
    )
    return conclude(setting, [*earlier, last], load_catalogue(), load_assumptions())
