"""What `gpuaudit fleet run --together` does: one verifier, many machines, all of them at the same time."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextvars import copy_context
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from gpuaudit import __version__
from gpuaudit.challenge.meeting import Gate
from gpuaudit.challenge.result import Accepted, ChallengeResult, Failed, Outcome
from gpuaudit.challenge.stopwatch import Interval, Stamp, seconds_between
from gpuaudit.cli import console
from gpuaudit.cli.challenging import CHALLENGE_NAME, EVIDENCE_NAME, files_of
from gpuaudit.cli.collect import SIMULATED_HEAD
from gpuaudit.cli.fleet_in_simulation import simulated_nodes
from gpuaudit.cli.fleet_members import Came, NotReached, Party, Round, Try
from gpuaudit.cli.fleet_over_ssh import nodes_over_ssh
from gpuaudit.cli.output import OutputFolder, claimed
from gpuaudit.cli.signing import load_signer
from gpuaudit.clock import rfc3339
from gpuaudit.envelope.keys import PUBLIC_SUFFIX
from gpuaudit.envelope.keystore import LoadedSigner
from gpuaudit.errors import GpuauditError, MachineError, UsageError
from gpuaudit.evidence.bundle import Tool
from gpuaudit.fleet.folder import KEYS_FOLDER
from gpuaudit.fleet.ledger import Ledger
from gpuaudit.fleet.simultaneity import Answer, Window
from gpuaudit.fleet.together import ROUND_NAME, Answered, LeftOut, Member, ReadRound, TogetherRecord, load_waits, seal_round
from gpuaudit.fleet.together_words import round_told
from gpuaudit.workload.suite import load_suite


def run_together(out: Path, round_: Round, *, elsewhere: bool, key: tuple[str, Path | None]) -> bool:
    """Challenge all nodes at the same time and write what came of it into a new folder.

    Args:
        out: The folder.
        round_: Who is challenged, and how.
        elsewhere: Whether an engine or a nonce was given too, with which this cannot be.
        key: To sign with, as `load_signer` takes it.

    Returns:
        Whether a node was left out.

    Raises:
        UsageError: There is nobody to challenge, not in this way, or the suite is none.
        MachineError: The folder cannot be written, or attempts cannot be recorded.
    """
    if elsewhere:
        raise UsageError(
            "--together: the verifier speaks to every node itself, each with a nonce of its own; leave out --address and --nonce"
        )
    if round_.wanted.seconds > load_waits().longest_work:
        raise UsageError(
            f"--seconds: got {round_.wanted.seconds:g}, expected at most {load_waits().longest_work:g} with --together"
        )
    load_suite(round_.wanted.suite)
    signer = load_signer(*key)
    party = simulated_nodes(round_, signer.keyid) if round_.fleet.spec else nodes_over_ssh(round_, signer.keyid)
    if round_.fleet.spec:
        console.say(SIMULATED_HEAD)
    with claimed(out) as folder:
        desk = _Desk(folder=folder, signer=signer)
        kept = _all_at_once(party, desk)
        made = _record(party, kept, signer)
        # Last: where it is, everything that it names is there.
        folder.write({ROUND_NAME: seal_round(made, signer.signer)})
    return _tell(out, made, kept)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    """What is still held of a node when its files are written; the digests are those of its challenge and its evidence."""

    result: ChallengeResult
    intervals: tuple[Interval, ...]
    challenge_sha256: str
    evidence_sha256: str


_Told: TypeAlias = _Kept | NotReached


@dataclass(frozen=True, slots=True, kw_only=True)
class _Desk:
    """Writes what came of each node, as soon as it came: an answer is fifty megabytes, and there may be hundreds."""

    folder: OutputFolder
    signer: LoadedSigner

    def write(self, node: str, came: Came) -> _Told:
        """Write the node's files, or why there are none.

        Raises:
            MachineError: They cannot be written.
        """
        try:
            (self.folder.path / KEYS_FOLDER).mkdir(exist_ok=True)
            if isinstance(came, NotReached):
                Ledger(folder=self.folder.path).fail(node, came.reason, attempts=1)
                return came
            (self.folder.path / node).mkdir()
        except OSError as error:
            raise MachineError(f"{self.folder.path}: cannot be written: {error.strerror}; give another --out") from None
        files = files_of(came.made, came.result, self.signer)
        last = came.made[-1]
        OutputFolder(path=self.folder.path / node).write(files)
        OutputFolder(path=self.folder.path / KEYS_FOLDER).write({f"{node}{PUBLIC_SUFFIX}": last.greeting.public_key})
        return _Kept(
            result=came.result,
            intervals=last.conducted.intervals,
            challenge_sha256=hashlib.sha256(files[CHALLENGE_NAME]).hexdigest(),
            evidence_sha256=hashlib.sha256(files[EVIDENCE_NAME]).hexdigest(),
        )


def _all_at_once(party: Party, desk: _Desk) -> dict[str, _Told]:
    with ThreadPoolExecutor(max_workers=len(party.tries)) as pool:
        try:
            # Each with its own copy of the context, in which stands whether anything is to be said.
            running = {
                node: pool.submit(copy_context().run, _tried, party.gate, desk, node, try_)
                for node, try_ in party.tries.items()
            }
            for future in as_completed(running.values()):
                future.result()
        except BaseException:
            # An interrupt, a full disk, or a fault of ours: nobody is waited for.
            party.gate.close()
            party.break_off()
            raise
    return {node: future.result() for node, future in running.items()}


def _tried(gate: Gate, desk: _Desk, node: str, try_: Try) -> _Told:
    try:
        came = try_()
    except GpuauditError as error:
        came = NotReached(reason=" ".join(str(error).split()))
    finally:
        gate.leave(node)
    return desk.write(node, came)


def _record(party: Party, kept: Mapping[str, _Told], signer: LoadedSigner) -> TogetherRecord:
    accepted = [one for one in kept.values() if isinstance(one, _Kept) and isinstance(_outcome(one), Accepted)]
    first = min((one.intervals[0].began for one in accepted), key=lambda at: at.elapsed_nanoseconds, default=party.began)
    figures, margin = party.target.figures, party.footing.assumptions.ceiling.margin
    return TogetherRecord(
        schema_version=1,
        scope="together",
        tool=Tool(name="gpuaudit", version=__version__),
        verifier=signer.keyid,
        product=figures.product,
        began_at=rfc3339(first.wall),
        lookup_ceiling_bytes_per_second=figures.bandwidth * margin,
        members=tuple(Member(node=node, destination=party.places[node], part=_part(one, first)) for node, one in kept.items()),
    )


def _part(one: _Told, first: Stamp) -> Answered | LeftOut:
    if isinstance(one, NotReached):
        return LeftOut(reason=one.reason, seed_revealed=False)
    match _outcome(one):
        case Failed(step=step, reason=reason, seed_revealed=revealed):
            return LeftOut(reason=f"step {step}: {reason}", seed_revealed=revealed)
        case Accepted():
            return _answered(one, first)


def _outcome(one: _Kept) -> Outcome:
    return one.result.attempts[-1].outcome


def _answered(one: _Kept, first: Stamp) -> Answered | LeftOut:
    fill, walk = one.intervals
    try:
        # What is added up over machines lies between these two moments: the clock has to be right from one to the other.
        seconds_between(first, walk.ended)
    except MachineError as error:
        return LeftOut(reason=str(error), seed_revealed=True)
    return Answered(
        challenge_sha256=one.challenge_sha256,
        evidence_sha256=one.evidence_sha256,
        fill=_window(fill, first),
        walk=_window(walk, first),
    )


def _window(interval: Interval, first: Stamp) -> Window:
    return Window(
        began_nanoseconds=interval.began.elapsed_nanoseconds - first.elapsed_nanoseconds,
        ended_nanoseconds=interval.ended.elapsed_nanoseconds - first.elapsed_nanoseconds,
    )


def _tell(out: Path, made: TogetherRecord, kept: Mapping[str, _Told]) -> bool:
    results = {node: one.result for node, one in kept.items() if isinstance(one, _Kept)}
    answered = {one.node: one.part for one in made.members if isinstance(one.part, Answered)}
    told = round_told(
        ReadRound(
            record=made,
            answers=tuple(
                Answer(
                    node=node,
                    sizes=results[node].sizes,
                    assumed=results[node].assumed,
                    fill=part.fill,
                    walk=part.walk,
                )
                for node, part in answered.items()
            ),
            results={node: results[node] for node in answered},
            left_out={one.node: one.part.reason for one in made.members if isinstance(one.part, LeftOut)},
        )
    )
    console.result(f"{told.statement}\nwrote {out}")
    for left in told.left_out:
        console.complain(f"{left.node}: {left.reason}")
    return bool(told.left_out)
