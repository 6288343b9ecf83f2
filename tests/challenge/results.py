"""Results of full-size challenges, as if a real machine had answered at a given speed: nothing was computed for them."""

from __future__ import annotations

from gpuaudit.catalogue.compiled import load_catalogue
from gpuaudit.challenge.assumption import load_assumptions
from gpuaudit.challenge.conclude import Setting, conclude
from gpuaudit.challenge.hostkey import NOBODY
from gpuaudit.challenge.messages import DeviceKind
from gpuaudit.challenge.result import (
    Accepted,
    Attempt,
    ChallengeResult,
    Failed,
    HostKey,
    Outcome,
    Place,
    Timed,
    Times,
    Untimed,
)
from gpuaudit.challenge.sizing import Wish, expect, size_challenge
from gpuaudit.units import Seconds
from tests.challenge.rounds import A100, FULL, full_figures

EVIDENCE = "0" * 64
HOST = HostKey(algorithm="ssh-ed25519", fingerprint="SHA256:" + "a" * 43)


def answered(fill: float, walk: float) -> Outcome:
    times = Times(
        seed_sent_at="2026-01-01T00:00:00Z",
        walked_at="2026-01-01T00:00:15Z",
        fill_seconds=Seconds(fill),
        walk_seconds=Seconds(walk),
    )
    return Accepted(timing=Timed(times=times), samples=())


def full_size(
    product: str = A100,
    *,
    slots: int = 8,
    slower: float = 1.0,
    place: Place = Place.REMOTE,
    device: DeviceKind = DeviceKind.CUDA,
    rehearsal: bool = False,
    outcome: Outcome | None = None,
    evidence: str = EVIDENCE,
    tender: str = NOBODY,
) -> ChallengeResult:
    """A machine of genuine cards, `slower` times slower in the walk."""
    figures = full_figures(product)
    sizes = size_challenge(figures, Wish(slots=slots, seconds=Seconds(10), rung=95, round_trip=Seconds(0.1)), FULL)
    expected = expect(sizes, figures, FULL)
    setting = Setting(
        place=place,
        device=device,
        rehearsal=rehearsal,
        figures=figures,
        claimed=frozenset({product}),
        tender_sha256=tender,
        verifier="1" * 64,
        host=HOST,
        sizes=sizes,
    )
    attempt = Attempt(
        number=1,
        nonce="2" * 64,
        evidence_sha256=evidence,
        transcript_sha256="3" * 64,
        outcome=outcome or answered(expected.fill + 0.1, (expected.walk + 0.1) * slower),
    )
    return conclude(setting, [attempt], load_catalogue(), load_assumptions())


UNTIMED = Accepted(timing=Untimed(), samples=())
FAILED = Failed(step=10, reason="wrong arithmetic: slot 0: row 5: dishonest or defective", seed_revealed=True)
