"""A challenge of this machine by itself."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

from gpuaudit.attester.answer import Answerer, MakeEvidence
from gpuaudit.challenge.assumption import Assumptions
from gpuaudit.challenge.check import RefusedError
from gpuaudit.challenge.crew import ChallengeCrew
from gpuaudit.challenge.direct import DirectChannel
from gpuaudit.challenge.figures import host_figures
from gpuaudit.challenge.meeting import Alone, Meeting
from gpuaudit.challenge.messages import DeviceKind
from gpuaudit.challenge.result import ChallengeResult, NoHostKey, Place
from gpuaudit.challenge.target import NO_TENDER, Target
from gpuaudit.cli import console
from gpuaudit.cli.challenging import (
    Footing,
    Made,
    Tell,
    Wanted,
    attempt,
    files_of,
    greeted,
    make_evidence,
    ordered,
    result_of,
    show,
    target_of,
    usual_footing,
    written,
)
from gpuaudit.cli.format import Format
from gpuaudit.cli.output import claimed
from gpuaudit.cli.signing import load_signer
from gpuaudit.errors import MachineError
from gpuaudit.units import Seconds
from gpuaudit.workload.challenge_crew import ProcessCrew
from gpuaudit.workload.fastest_matrix import fastest_matrix


@dataclass(frozen=True, slots=True, kw_only=True)
class Answering:
    """What answers on this machine, with its evidence, and what is claimed of it."""

    crew: ChallengeCrew
    evidence: MakeEvidence
    target: Target
    footing: Footing


def this_machine(device: DeviceKind, claim: tuple[str, str, int], *, busy_ok: bool, limit: Seconds) -> Answering:
    """Let this machine's own devices answer; `claim` is tender, product and slots.

    Raises:
        UsageError: Nothing is claimed of a device that is not the processor, or nothing that can be challenged.
    """
    crew, footing = ProcessCrew(device, busy_ok=busy_ok, limit=limit), usual_footing()
    unclaimed = device is DeviceKind.CPU and not any(claim[:2])
    target = _processor(crew, footing.assumptions) if unclaimed else target_of(*claim, footing)
    return Answering(crew=crew, evidence=make_evidence(busy_ok=busy_ok), target=target, footing=footing)


def challenge_locally(
    answering: Answering, wanted: Wanted, *, out: Path | None, key: tuple[str, Path | None], form: Format
) -> ChallengeResult:
    """Let what is on this machine be challenged by it.

    Returns:
        What came of it.

    Raises:
        MachineError: No device can answer.
    """
    signer = load_signer(*key)
    with claimed(out) if out else nullcontext() as folder:
        try:
            made, result = attempted_here(answering, wanted, signer.keyid)
        except RefusedError as error:
            raise MachineError(f"challenge: {error.reason}") from None
        if folder:
            files = files_of([made], result, signer)
            folder.write(files)
            console.say(written(folder.path, tuple(files)))
    show(result, form)
    return result


def attempted_here(
    answering: Answering,
    wanted: Wanted,
    verifier: str,
    *,
    meeting: Meeting = Alone(),  # noqa: B008 - it has no state
    tell: Tell = console.say,
) -> tuple[Made, ChallengeResult]:
    """Make one attempt in this process, in a `meeting` or alone, and give the devices back.

    Raises:
        RefusedError: The greeting is not what it has to be.
        MachineError: No device can answer.
    """
    target, footing, host = answering.target, answering.footing, NoHostKey()
    make = fastest_matrix()
    answerer = Answerer(answering.crew, answering.evidence)
    try:
        channel = DirectChannel(answerer.answer, footing.stopwatch)
        greeting = greeted(channel, target, wanted, footing)
        order = ordered(target, wanted, footing, host=host, greeting=greeting, verifier=verifier, number=1, tell=tell)
        made = attempt(channel, greeting, order, footing, make, meeting)
    finally:
        answerer.close()
    return made, result_of([made], target, wanted, footing, place=Place.LOCAL, host=host, verifier=verifier)


def _processor(crew: ProcessCrew, assumptions: Assumptions) -> Target:
    operations = crew.product_rate(assumptions.shape.width)
    console.say(f"the processor multiplies bytes at {operations / 1e12:.3g} x 10^12 operations a second")
    figures = host_figures(assumptions, operations=operations, memory_bytes=assumptions.host.memory_bytes)
    return Target(figures=figures, claimed=frozenset(), slots=1, tender_sha256=NO_TENDER)
