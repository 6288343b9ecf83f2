"""The verifier's own record of its attempts, kept from one call of the command to the next.

Whoever may try again until an answer holds has to share the odds among all tries. So every attempt is written down before the first
message leaves, again before its seed can be revealed, and again when it has ended; one of which no end is known counts as if its seed
had been revealed. Nothing is ever removed from the record.
"""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field

from gpuaudit.challenge.result import (
    Accepted,
    AnsweringHost,
    Attempt,
    Failed,
    HostKey,
    KnownBy,
    Outcome,
    reveals_seed,
)
from gpuaudit.envelope.keys import require_private
from gpuaudit.envelope.keystore import own_keys
from gpuaudit.errors import AuthenticityError, MachineError
from gpuaudit.evidence.codec import dump, load
from gpuaudit.evidence.record import record

FILE_NAME: Final = "attempts.jsonl"
# The step at which a seed is revealed.
_SEED_STEP: Final = 4


@record
class Begun:
    """An attempt is about to be made: nothing has been sent."""

    kind: Literal["begun"] = "begun"
    attempt: str
    at: str
    destination: str
    rehearsal: bool
    verifier: str


@record
class Greeted:
    """The machine greeted, and has this host key; from here on its seed may be revealed."""

    kind: Literal["greeted"] = "greeted"
    attempt: str
    host: AnsweringHost
    nonce: str
    evidence_sha256: str


@record
class Ended:
    """The attempt ended so. Samples are left out; `transcript_sha256` is empty where nothing was said."""

    kind: Literal["ended"] = "ended"
    attempt: str
    transcript_sha256: str
    outcome: Outcome


@record
class _Line:
    event: Annotated[Begun | Greeted | Ended, Field(discriminator="kind")]


class Ledger:
    """A file of one line for each event, to which lines are only added.

    It shows nothing to somebody who does not trust its owner, who could remove it. What it is for is that nobody loses count by
    mistake, and that whoever is challenged twice under one number, by one verifier's key, can show it.
    """

    def __init__(self, folder: Path) -> None:
        """Keep the record in `folder`, which is made when it is needed and which nobody else may open."""
        self._file = folder / FILE_NAME

    def begin(self, *, at: str, destination: str, rehearsal: bool, verifier: str) -> str:
        """Write down that an attempt is about to be made, down to the disk, and return its name in this record.

        Raises:
            MachineError: It cannot be written, or others could have changed it: then no attempt may be made.
        """
        attempt = secrets.token_hex(8)
        self._read()
        self._add(Begun(attempt=attempt, at=at, destination=destination, rehearsal=rehearsal, verifier=verifier))
        return attempt

    def greeted(self, attempt: str, *, host: AnsweringHost, nonce: str, evidence_sha256: str) -> None:
        """Write down who answers, before anything is asked of it that counts.

        Raises:
            MachineError: It cannot be written.
        """
        self._add(Greeted(attempt=attempt, host=host, nonce=nonce, evidence_sha256=evidence_sha256))

    def ended(self, attempt: str, *, transcript_sha256: str, outcome: Outcome) -> None:
        """Write down how it ended.

        Raises:
            MachineError: It cannot be written.
        """
        self._add(Ended(attempt=attempt, transcript_sha256=transcript_sha256, outcome=_without_samples(outcome)))

    def earlier(self, attempt: str) -> tuple[Attempt, ...]:
        """Return the attempts greeted before this one that share its odds, numbered from 1; for an attempt that was greeted.

        The order is that of the greetings, not of the beginnings: of two that overlap, the later greeted sees the other.

        They are those that went to the same machine, with sizes that prove something (or, for a rehearsal, with those that do not), whatever
        was claimed, and whose seed was revealed or may have been. What had one name, or one host key, at two times is one machine, and
        so is what is tied to it by others: x with key 1, x with key 2, y with key 2.

        Raises:
            MachineError: The record cannot be read.
        """
        begun, greeted, ended = self._read()
        this = begun[attempt]
        before = [*greeted][: [*greeted].index(attempt)]
        same = _same_machine(attempt, {one: _names_of(begun[one], greeted[one]) for one in (*before, attempt) if one in begun})
        sharing = [
            (greeted[one], _outcome_of(ended.get(one)))
            for one in before
            if one in same and begun[one].rehearsal == this.rehearsal
        ]
        counting = [(one, ended.get(one.attempt), outcome) for one, outcome in sharing if reveals_seed(outcome)]
        return tuple(
            Attempt(
                number=number,
                nonce=one.nonce,
                evidence_sha256=one.evidence_sha256,
                transcript_sha256=end.transcript_sha256 if end else "",
                outcome=outcome,
                known_by=KnownBy.RECORD,
            )
            for number, (one, end, outcome) in enumerate(counting, start=1)
        )

    def _add(self, event: Begun | Greeted | Ended) -> None:
        line = dump(_Line, _Line(event=event)) + b"\n"
        try:
            self._file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            require_private(self._file.parent)
            new = not self._file.exists()
            descriptor = os.open(self._file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            try:
                if os.write(descriptor, line) != len(line):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            if new:
                _keep_name(self._file.parent)
        except OSError as error:
            raise MachineError(
                f"{self._file}: attempts cannot be recorded: {error.strerror}; expected a folder beside one's keys that can be "
                "written: none is made that is not recorded"
            ) from None

    def _read(self) -> tuple[dict[str, Begun], dict[str, Greeted], dict[str, Ended]]:
        begun: dict[str, Begun] = {}
        greeted: dict[str, Greeted] = {}
        ended: dict[str, Ended] = {}
        for number, line in enumerate(self._lines(), start=1):
            match self._parsed(line, number).event:
                case Begun() as event:
                    begun[event.attempt] = event
                case Greeted() as event:
                    greeted[event.attempt] = event
                case Ended() as event:
                    ended[event.attempt] = event
        return begun, greeted, ended

    def _lines(self) -> list[bytes]:
        data = b""
        try:
            with suppress(FileNotFoundError):
                require_private(self._file)
                data = self._file.read_bytes()
        except OSError as error:
            raise MachineError(f"{self._file}: cannot be read: {error.strerror}; earlier attempts have to be known") from None
        return data.splitlines()

    def _parsed(self, line: bytes, number: int) -> _Line:
        try:
            return load(_Line, line, place=f"{self._file}:{number}")
        except AuthenticityError as error:
            raise MachineError(
                f"{error}; earlier attempts have to be known before another is made: mend the line, or move the file away and say "
                "so with the result"
            ) from None


def own_ledger() -> Ledger:
    """Return the user's record, in a folder beside the one of the user's keys.

    Raises:
        MachineError: The user has no home folder.
    """
    return Ledger(own_keys().folder.with_name("attempts"))


def _keep_name(folder: Path) -> None:
    """Bring the name of a new file to the disk: without it a loss of power loses what is in the file."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _names_of(begun: Begun, greeted: Greeted) -> frozenset[str | HostKey]:
    """Return what the machine of an attempt was known by: its name, whoever logs in and however it is written, and its host key."""
    name = begun.destination.rpartition("@")[2].lower()
    return frozenset({name, greeted.host} if isinstance(greeted.host, HostKey) else {name})


def _same_machine(attempt: str, names: Mapping[str, frozenset[str | HostKey]]) -> frozenset[str]:
    """Return the attempts that are tied to one by names that they have in common, or by others that are."""
    by_name: dict[str | HostKey, list[str]] = {}
    for one, known_by in names.items():
        for name in known_by:
            by_name.setdefault(name, []).append(one)
    found, followed, new = {attempt}, set[str | HostKey](), [attempt]
    while new:
        for name in names[new.pop()] - followed:
            followed.add(name)
            new += [one for one in by_name[name] if one not in found]
            found.update(by_name[name])
    return frozenset(found)


def _outcome_of(ended: Ended | None) -> Outcome:
    if ended is not None:
        return ended.outcome
    return Failed(step=_SEED_STEP, reason="the verifier was interrupted: no end was recorded", seed_revealed=True)


def _without_samples(outcome: Outcome) -> Outcome:
    return replace(outcome, samples=()) if isinstance(outcome, Accepted) else outcome
