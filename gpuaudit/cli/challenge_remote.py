"""Both ends of a challenge over ssh."""

from __future__ import annotations

import os
from contextlib import nullcontext
from pathlib import Path

from gpuaudit.attester.answer import Answerer, serve
from gpuaudit.challenge.channel import PipeChannel
from gpuaudit.challenge.check import RefusedError
from gpuaudit.challenge.crew import ChallengeCrew
from gpuaudit.challenge.result import Accepted, AnsweringHost, Place
from gpuaudit.challenge.ssh import Destination, connected
from gpuaudit.challenge.stopwatch import BootStopwatch
from gpuaudit.challenge.target import Target
from gpuaudit.cli import console
from gpuaudit.cli.challenging import (
    Made,
    Wanted,
    attempt,
    files_of,
    greeted,
    make_evidence,
    result_of,
    show,
    written,
)
from gpuaudit.cli.format import Format
from gpuaudit.cli.output import claimed
from gpuaudit.cli.signing import load_signer
from gpuaudit.errors import AuthenticityError, MachineError

_STDOUT = 1
_STDERR = 2


def challenge_over_ssh(
    destination: Destination,
    target: Target,
    wanted: Wanted,
    *,
    attempts: int,
    out: Path | None,
    key: tuple[str, Path | None],
    form: Format,
) -> bool:
    """Challenge a machine until an answer holds or the attempts are used up, and write what came of it.

    Returns:
        Whether an answer held.

    Raises:
        MachineError: The machine cannot be reached, or said something that is no greeting.
        AuthenticityError: Another host key answered than was expected.
    """
    signer = load_signer(*key)
    with claimed(out) if out else nullcontext() as folder:
        first, host = _once(destination, target, wanted, signer.keyid, number=1)
        made = [first]
        while len(made) < attempts and not isinstance(made[-1].conducted.outcome, Accepted):
            again, key_again = _once(destination, target, wanted, signer.keyid, number=len(made) + 1)
            if key_again != host:
                raise AuthenticityError(f"{destination.host}: another host key answered attempt {len(made) + 1}")
            made.append(again)
        result = result_of(made, target, wanted, place=Place.REMOTE, host=host, verifier=signer.keyid)
        if folder:
            files = files_of(made, result, signer)
            folder.write(files)
            console.say(written(folder.path, tuple(files)))
    show(result, form)
    return isinstance(made[-1].conducted.outcome, Accepted)


def answer_over_stdio(crew: ChallengeCrew, *, busy_ok: bool) -> None:
    """Answer the verifier at the other end of stdin and stdout."""
    # What anything else prints must not get between the messages.
    protocol = os.dup(_STDOUT)
    os.dup2(_STDERR, _STDOUT)
    serve(Answerer(crew, make_evidence(busy_ok=busy_ok)), PipeChannel(0, protocol, BootStopwatch()))


def _once(
    destination: Destination, target: Target, wanted: Wanted, verifier: str, *, number: int
) -> tuple[Made, AnsweringHost]:
    with connected(destination, BootStopwatch()) as connection:
        try:
            greeting = greeted(connection.channel, target, wanted)
        except RefusedError as error:
            raise MachineError(f"{destination.host}: {error.reason}; nothing was challenged") from None
        host = connection.host_key()
        console.say(f"host key {host.algorithm} {host.fingerprint}")
        made = attempt(connection.channel, target, wanted, host=host, greeting=greeting, verifier=verifier, number=number)
    return made, host
