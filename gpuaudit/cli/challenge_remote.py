"""Both ends of a challenge over ssh."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Final

from gpuaudit.attester.answer import Answerer, serve
from gpuaudit.challenge.channel import PipeChannel
from gpuaudit.challenge.crew import ChallengeCrew
from gpuaudit.challenge.ledger import own_ledger
from gpuaudit.challenge.meeting import Alone, Meeting
from gpuaudit.challenge.result import Accepted, AnsweringHost, Attempt, ChallengeResult, Failed, NoHostKey, Place
from gpuaudit.challenge.ssh import Connection, Destination, connected
from gpuaudit.challenge.stopwatch import BootStopwatch
from gpuaudit.challenge.target import Target
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
    usual_footing,
    written,
)
from gpuaudit.cli.format import Format
from gpuaudit.cli.output import OutputFolder, claimed
from gpuaudit.cli.signing import load_signer
from gpuaudit.clock import WallClock, rfc3339
from gpuaudit.envelope.keystore import LoadedSigner
from gpuaudit.errors import AuthenticityError, GpuauditError, MachineError
from gpuaudit.workload.fastest_matrix import fastest_matrix

_STDOUT = 1
_STDERR = 2
# The step before the one at which a seed is revealed.
_AGREEING_STEP: Final = 3


def challenge_over_ssh(
    destination: Destination,
    target: Target,
    wanted: Wanted,
    *,
    attempts: int,
    out: Path | None,
    key: tuple[str, Path | None],
    form: Format,
) -> ChallengeResult:
    """Challenge a machine until an answer holds or the attempts are used up, and write what came of it.

    Whatever ends a later attempt, those before it are written.

    Returns:
        What came of it.

    Raises:
        UsageError: There have been too many attempts.
        MachineError: The machine cannot be reached, or said something that is no greeting.
        AuthenticityError: Another host key answered than was expected, or than before.
    """
    signer = load_signer(*key)
    series = Series(destination, target, wanted, signer.keyid, footing=usual_footing())
    with claimed(out) if out else nullcontext() as folder:
        try:
            _until_accepted(series, attempts)
        except GpuauditError:
            if series.made:
                _keep_and_show(series, folder, signer, form)
            raise
        return _keep_and_show(series, folder, signer, form)


def _keep_and_show(series: Series, folder: OutputFolder | None, signer: LoadedSigner, form: Format) -> ChallengeResult:
    result = series.result()
    if folder:
        files = files_of(series.made, result, signer)
        folder.write(files)
        console.say(written(folder.path, tuple(files)))
    show(result, form)
    return result


def _until_accepted(series: Series, attempts: int) -> None:
    series.attempt()
    while len(series.made) < attempts and not isinstance(series.made[-1].conducted.outcome, Accepted):
        try:
            series.attempt()
        except MachineError as error:
            # That it is gone by now is no news: what was tried before it went says more.
            console.complain(str(error))
            return


def answer_over_stdio(crew: ChallengeCrew, *, busy_ok: bool) -> None:
    """Answer the verifier at the other end of stdin and stdout."""
    # What anything else prints must not get between the messages.
    protocol = os.dup(_STDOUT)
    os.dup2(_STDERR, _STDOUT)
    serve(Answerer(crew, make_evidence(busy_ok=busy_ok)), PipeChannel(0, protocol, BootStopwatch()))


class Series:
    """The attempts of one call, and those of earlier calls that share their odds."""

    def __init__(
        self,
        destination: Destination,
        target: Target,
        wanted: Wanted,
        verifier: str,
        *,
        footing: Footing,
        meeting: Meeting = Alone(),  # noqa: B008 - it has no state
        reached: Callable[[Connection], None] = lambda _connection: None,
        tell: Tell = console.say,
    ) -> None:
        """Challenge `destination`, in a `meeting` with others or alone.

        Args:
            destination: The machine.
            target: What is claimed of it.
            wanted: How it is to be challenged.
            verifier: The id of one's own key.
            footing: What the challenge is reckoned by.
            meeting: Others who are challenged at the same time.
            reached: Is given each connection, to hang it up from elsewhere.
            tell: Is told what happens.
        """
        self._destination = destination
        self._target = target
        self._wanted = wanted
        self._verifier = verifier
        self._footing = footing
        self._meeting = meeting
        self._reached = reached
        self._tell = tell
        self._ledger = own_ledger()
        self._make = fastest_matrix()
        self._host: AnsweringHost = NoHostKey()
        self._earlier: tuple[Attempt, ...] = ()
        self.made: list[Made] = []

    def attempt(self) -> None:
        """Make one attempt; what becomes of it is recorded before and after.

        Raises:
            MachineError: The machine cannot be reached, or said something that is no greeting, or attempts cannot be recorded.
            AuthenticityError: Another host key answered than was expected, or than before.
            UsageError: There have been too many attempts.
        """
        recorded = self._ledger.begin(
            at=rfc3339(WallClock().now()),
            destination=self._destination.host,
            rehearsal=self._wanted.rehearsal,
            verifier=self._verifier,
        )
        with connected(self._destination, self._footing.stopwatch) as connection:
            self._reached(connection)
            greeting = greeted(connection.channel, self._target, self._wanted, self._footing)
            host = connection.host_key()
            self._tell(f"host key {host.algorithm} {host.fingerprint}")
            if self.made and host != self._host:
                raise AuthenticityError(f"{self._destination.host}: another host key answered attempt {len(self.made) + 1}")
            self._ledger.greeted(recorded, host=host, nonce=greeting.nonce, evidence_sha256=greeting.hello.evidence)
            self._host = host
            try:
                earlier = self._others(recorded)
                order = ordered(
                    self._target,
                    self._wanted,
                    self._footing,
                    host=host,
                    greeting=greeting,
                    verifier=self._verifier,
                    number=len(earlier) + len(self.made) + 1,
                    tell=self._tell,
                )
            except GpuauditError as error:
                before_the_seed = Failed(step=_AGREEING_STEP, reason=str(error), seed_revealed=False)
                self._ledger.ended(recorded, transcript_sha256="", outcome=before_the_seed)
                raise
            made = attempt(connection.channel, greeting, order, self._footing, self._make, self._meeting)
        self._earlier = earlier
        self.made.append(made)
        conducted = made.conducted
        self._ledger.ended(recorded, transcript_sha256=conducted.transcript.sha256(), outcome=conducted.outcome)

    def _others(self, recorded: str) -> tuple[Attempt, ...]:
        # Read anew for each attempt: another call may have challenged the machine in between.
        known = {one.nonce for one in self._earlier} | {one.greeting.nonce for one in self.made}
        new = [one for one in self._ledger.earlier(recorded) if one.nonce not in known]
        return (*self._earlier, *(replace(one, number=number) for number, one in enumerate(new, start=len(known) + 1)))

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
