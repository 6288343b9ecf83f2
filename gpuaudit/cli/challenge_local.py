"""A challenge of this machine by itself."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

from gpuaudit.attester.answer import Answerer
from gpuaudit.challenge.assumption import load_assumptions
from gpuaudit.challenge.check import RefusedError
from gpuaudit.challenge.direct import DirectChannel
from gpuaudit.challenge.figures import host_figures
from gpuaudit.challenge.messages import DeviceKind
from gpuaudit.challenge.result import Accepted, NoHostKey, Place
from gpuaudit.challenge.stopwatch import BootStopwatch
from gpuaudit.challenge.target import NO_TENDER, Target
from gpuaudit.cli import console
from gpuaudit.cli.challenging import Wanted, attempt, files_of, greeted, make_evidence, result_of, show, target_of, written
from gpuaudit.cli.format import Format
from gpuaudit.cli.output import claimed
from gpuaudit.cli.signing import load_signer
from gpuaudit.errors import MachineError
from gpuaudit.units import Seconds
from gpuaudit.workload.challenge_crew import ProcessCrew


def challenge_locally(
    device: DeviceKind,
    claim: tuple[str, str, int],
    wanted: Wanted,
    *,
    busy_ok: bool,
    limit: Seconds,
    out: Path | None,
    key: tuple[str, Path | None],
    form: Format,
) -> bool:
    """Let this machine answer itself; `claim` is tender, product and slots.

    Returns:
        Whether the answer held.

    Raises:
        MachineError: No device can answer.
    """
    crew = ProcessCrew(device, busy_ok=busy_ok, limit=limit)
    target = _processor(crew) if device is DeviceKind.CPU and not any(claim[:2]) else target_of(*claim)
    signer = load_signer(*key)
    stopwatch = BootStopwatch()
    answerer = Answerer(crew, make_evidence(busy_ok=busy_ok))
    host = NoHostKey()
    with claimed(out) if out else nullcontext() as folder:
        try:
            channel = DirectChannel(answerer.answer, stopwatch)
            greeting = greeted(channel, target, wanted)
            made = attempt(channel, target, wanted, host=host, greeting=greeting, verifier=signer.keyid, number=1)
        except RefusedError as error:
            raise MachineError(f"challenge: {error.reason}") from None
        finally:
            answerer.close()
        result = result_of([made], target, wanted, place=Place.LOCAL, host=host, verifier=signer.keyid)
        if folder:
            files = files_of([made], result, signer)
            folder.write(files)
            console.say(written(folder.path, tuple(files)))
    show(result, form)
    return isinstance(made.conducted.outcome, Accepted)


def _processor(crew: ProcessCrew) -> Target:
    assumptions = load_assumptions().assumptions
    operations = crew.product_rate(assumptions.host.width)
    console.say(f"the processor multiplies bytes at {operations / 1e12:.3g} x 10^12 operations a second")
    figures = host_figures(assumptions, operations=operations, memory_bytes=assumptions.host.memory_bytes)
    return Target(figures=figures, claimed=frozenset(), slots=1, tender_sha256=NO_TENDER)
