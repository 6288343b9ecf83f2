"""What `gpuaudit fleet appraise` does."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from gpuaudit.appraisal.appraise import Question
from gpuaudit.appraisal.result import Digest
from gpuaudit.cli.judging import Terms
from gpuaudit.cli.output import RESULT_NAME, OutputFolder, claimed
from gpuaudit.cli.progress import counted
from gpuaudit.cli.signing import load_signer
from gpuaudit.clock import WallClock, rfc3339
from gpuaudit.cores import available_cores
from gpuaudit.envelope import load_keyring
from gpuaudit.envelope.keystore import LoadedSigner, own_keys
from gpuaudit.errors import CouldNotAuthenticateError, MachineError, UsageError
from gpuaudit.fleet.aggregate import Drawing, NoPlan, fold_fleet
from gpuaudit.fleet.folder import Folder, read_folder
from gpuaudit.fleet.gather import Hearing, Listeners, LocalListeners, gather, known_key
from gpuaudit.fleet.plan import read_plan
from gpuaudit.fleet.result import FleetResult, seal_fleet_result
from gpuaudit.fleet.trust import Trust, remember, trust_first_use, trust_keyring

_KNOWN_NODES: Final = "known-nodes.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is asked of a fleet, and whose keys are believed. `nonce` is empty where none was given out."""

    terms: Terms
    nonce: str
    plan: Path | None
    keyring: tuple[Path, ...]
    first_use: bool
    known_nodes: Path | None


def appraise_fleet(
    folder: Path,
    asked: Asked,
    *,
    address: str,
    workers: int,
    out: Path | None,
    key: tuple[str, Path | None],
    show: Callable[[FleetResult], None],
) -> FleetResult:
    """Appraise all evidence in a folder, seal the result into `out`, and remember keys that were seen for the first time.

    Args:
        folder: With the evidence.
        asked: What is asked.
        address: Of a Ray cluster to send the files to; empty for this machine.
        workers: Processes of this machine to use; 0 for one a core.
        out: A new or empty folder for the sealed result.
        key: To seal it with, as `load_signer` takes it.
        show: Shows the result, also where it cannot be sealed or keys cannot be remembered.

    Raises:
        UsageError: There is no evidence in the folder, or the plan or the keys are not such.
        CouldNotAuthenticateError: No file is authentic.
        MachineError: There is no such cluster, a process died, the temporary folder is full, or the result cannot be sealed
            or written.
    """
    terms = asked.terms
    drawing = read_plan(asked.plan, terms.tender) if asked.plan is not None else NoPlan()
    files = read_folder(folder)
    known = asked.known_nodes or own_keys().folder.parent / _KNOWN_NODES
    hearing = Hearing(
        question=_question(terms, asked.nonce),
        trust=_trust(folder, asked.keyring, known, first_use=asked.first_use),
        nonce=asked.nonce,
        appraised_at=rfc3339(WallClock().now()),
    )
    with _keeping(out, key) as keep:
        with _room_on_disk():
            heard = _appraised(folder, files, hearing, drawing, _listeners(address, workers), terms)
        result = _with_rounds(heard, files, asked)
        try:
            keep(result)
            if asked.first_use:
                seen = {known_key(result.tender.name, row.node): row.signed_by[0] for row in result.rows if row.signed_by}
                remember(known, hearing.trust.known, seen)
        finally:
            show(result)
    return result


def _appraised(
    folder: Path, files: Folder, hearing: Hearing, drawing: Drawing, listeners: Listeners, terms: Terms
) -> FleetResult:
    with counted("files") as told:
        assembly = gather(files, hearing, drawing, listeners, told=told)
    if not assembly.heard and assembly.silent:
        first = assembly.silent[0]
        raise CouldNotAuthenticateError(
            f"{folder}: none of {len(assembly.silent)} files is authentic; {first.file}: {first.reason}"
        )
    return fold_fleet(
        assembly,
        hearing.question,
        catalogue_version=terms.yardstick.catalogue.version,
        appraised_at=hearing.appraised_at,
    )


def _with_rounds(heard: FleetResult, files: Folder, asked: Asked) -> FleetResult:
    if not files.rounds:
        return heard
    from gpuaudit.fleet.together_words import with_rounds

    # Not the keys that came with the evidence: whoever laid it there would vouch for its own times.
    return with_rounds(heard, files, load_keyring(own_keys(), asked.keyring))


@contextmanager
def _room_on_disk() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise MachineError(
            f"the folder for temporary files: what a fleet's files said cannot be kept there: {error}; "
            "make room in /var/tmp, or name another folder in the environment as TMPDIR"
        ) from None


@contextmanager
def _keeping(out: Path | None, key: tuple[str, Path | None]) -> Iterator[Callable[[FleetResult], None]]:
    """Make sure, before the work, that its result can be signed and written; yield what does so, or nothing where `out` is None."""
    if out is None:
        yield lambda _result: None
        return
    signer = load_signer(*key)
    with claimed(out) as target:
        yield partial(_keep, target, signer)


def _keep(target: OutputFolder, signer: LoadedSigner, result: FleetResult) -> None:
    try:
        sealed = seal_fleet_result(result, signer.signer)
    except ValueError as error:
        raise MachineError(
            f"{target.path}: the result of {len(result.rows):,} nodes cannot be sealed: {error}; "
            "split the fleet into several folders and appraise each"
        ) from None
    target.write({RESULT_NAME: sealed})


def _listeners(address: str, workers: int) -> Listeners:
    if not address:
        return LocalListeners(workers=workers or available_cores())
    from gpuaudit.fleet.ray_runner import RayListeners, connect

    connect(address)
    return RayListeners()


def _question(terms: Terms, nonce: str) -> Question:
    return Question(
        tender=terms.tender.tender,
        tender_file=Digest(name=terms.tender.tender.slug, sha256=terms.tender.sha256),
        policy=terms.policy,
        thresholds_sha256=terms.thresholds_sha256,
        nonce_expected=nonce,
        complete=terms.complete,
        allow_simulated=terms.allow_simulated,
    )


def _trust(folder: Path, keyring: tuple[Path, ...], known: Path, *, first_use: bool) -> Trust:
    if not first_use:
        return trust_keyring(own_keys(), keyring)
    if keyring:
        raise UsageError("--trust-on-first-use: trusts the keys beside the evidence; expected it or --keyring, not both")
    return trust_first_use(own_keys(), folder, known)
