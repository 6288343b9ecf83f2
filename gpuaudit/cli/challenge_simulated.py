"""A challenge of simulated devices: the real protocol and real arithmetic, in miniature, on a clock that is moved by hand."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from gpuaudit.attester.answer import SealedEvidence
from gpuaudit.attester.attest import probe
from gpuaudit.challenge.figures import require_figures
from gpuaudit.cli.challenge_local import Answering
from gpuaudit.cli.challenging import sealed_evidence, target_of, usual_footing
from gpuaudit.clock import WallClock
from gpuaudit.simulated.machine import simulated_machine
from gpuaudit.simulated.prover import PacedCrew, SmallDevice, VirtualStopwatch, miniature_of, slowest_pace
from gpuaudit.simulated.spec import parse_spec


def simulated_answering(
    spec: str,
    claim: tuple[str, str, int],
    clock: Callable[[], VirtualStopwatch] = lambda: VirtualStopwatch(WallClock().now()),
) -> Answering:
    """Let the cards of `--simulate` answer, each at its own product's pace; `claim` is tender, product and slots.

    The verifier's `clock` is moved by hand, and begins now.

    Raises:
        UsageError: There are no such devices, nothing is claimed, or the catalogue lacks figures of either.
    """
    usual = usual_footing()
    claimed = target_of(*claim, usual)
    small = miniature_of(claimed.figures, usual.catalogue, usual.assumptions)
    stopwatch = clock()
    footing = replace(
        usual,
        catalogue=small.catalogue,
        assumed=replace(usual.assumed, assumptions=small.assumptions),
        stopwatch=stopwatch,
    )
    devices = parse_spec(spec)
    answering = devices[: claimed.slots] if claimed.slots else devices
    cards = [require_figures(small.catalogue.product(device.physical.id), small.assumptions) for device in answering]
    crew = PacedCrew([SmallDevice(card.memory_bytes) for card in cards], slowest_pace(cards, small.assumptions), stopwatch)
    tender, _, slots = claim
    target = target_of(tender, claimed.figures.product, slots, footing)
    return Answering(crew=crew, evidence=lambda nonce, _: _evidence(spec, nonce), target=target, footing=footing)


def _evidence(spec: str, nonce: str) -> SealedEvidence:
    with simulated_machine(parse_spec(spec)) as machine:
        return sealed_evidence(probe(machine, nonce=nonce, clock=WallClock()))
