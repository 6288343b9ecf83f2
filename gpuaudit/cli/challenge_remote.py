"""Both ends of a challenge over ssh."""

from __future__ import annotations

import os
from contextlib import nullcontext
from pathlib import Path

from gpuaudit.attester.answer import Answerer, serve
from gpuaudit.challenge.channel import PipeChannel
from gpuaudit.challenge.crew import ChallengeCrew
from gpuaudit.challenge.ledger import own_ledger
from gpuaudit.challenge.result import Accepted, AnsweringHost, Attempt, ChallengeResult, NoHostKey, Place
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
    usual_footing,
    written,
)
from gpuaudit.cli.format import Format
from gpuaudit.cli.output import claimed
from gpuaudit.cli.signing import load_signer
from gpuaudit.clock import WallClock, rfc3339
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
    series = _Series(destination, target, wanted, signer.keyid)
    with claimed(out) if out else nullcontext() as folder:
        series.attempt()
        while len(series.made) < attempts and not isinstance(series.made[-1].conducted.outcome, Accepted):
            try:
                series.attempt()
            except MachineError as error:
                # What was tried before is recorded all the same.
                console.complain(str(error))
                break
        result = series.result()
        if folder:
            files = files_of(series.made, result, signer)
            folder.write(files)
            console.say(written(folder.path, tuple(files)))
    show(result, form)
    return isinstance(series.made[-1].conducted.outcome, Accepted)


def answer_over_stdio(crew: ChallengeCrew, *, busy_ok: bool) -> None:
    """Answer the verifier at the other end of stdin and stdout."""
    # What anything else prints must not get between the messages.
    protocol = os.dup(_STDOUT)
    os.dup2(_STDERR, _STDOUT)
    serve(Answerer(crew, make_evidence(busy_ok=busy_ok)), PipeChannel(0, protocol, BootStopwatch()))


class _Series:
    """The attempts of one call, and those of earlier calls that share their odds."""

    def __init__(self, destination: Destination, target: Target, wanted: Wanted, verifier: str) -> None:
        self._destination = destination
        self._target = target
        self._wanted = wanted
        self._verifier = verifier
        self._footing = usual_footing()
        self._ledger = own_ledger()
        self._host: AnsweringHost = NoHostKey()
        self._earlier: tuple[Attempt, ...] = ()
        self.made: list[Made] = []

    def attempt(self) -> None:
        """Make one attempt; what becomes of it is recorded before and after.

        Raises:
            MachineError: The machine cannot be reached, or said something that is no greeting, or attempts cannot be recorded.
            AuthenticityError: Another host key answered than was expected, or than before.
        """
        recorded = self._ledger.begin(
            at=rfc3339(WallClock().now()),
            destination=self._destination.host,
            rehearsal=self._wanted.rehearsal,
            verifier=self._verifier,
        )
        with connected(self._destination, self._footing.stopwatch) as connection:
            greeting = greeted(connection.channel, self._target, self._wanted, self._footing)
            host = connection.host_key()
            console.say(f"host key {host.algorithm} {host.fingerprint}")
            if self.made and host != self._host:
                raise AuthenticityError(f"{self._destination.host}: another host key answered attempt {len(self.made) + 1}")
            self._ledger.greeted(recorded, host=host, nonce=greeting.nonce, evidence_sha256=greeting.hello.evidence)
            if not self.made:
                self._host, self._earlier = host, self._ledger.earlier(recorded)
            made = attempt(
                connection.channel,
                self._target,
                self._wanted,
                self._footing,
                host=host,
                greeting=greeting,
                verifier=self._verifier,
                number=len(self._earlier) + len(self.made) + 1,
            )
        self.made.append(made)
        conducted = made.conducted
        self._ledger.ended(recorded, transcript_sha256=conducted.transcript.sha256(), outcome=conducted.outcome)

    def result(self) -> ChallengeResult:
        """Return what all of them together are worth."""
        return result_of(
            self.made,
            self._target,
            self._wanted,
            self._footing,
            place=Place.REMOTE,
            host=self._host,
            verifier=self._verifier,
            earlier=self._earlier,
        )
