"""What `gpuaudit fleet appraise` does."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from gpuaudit.appraisal.appraise import Question
from gpuaudit.appraisal.result import Digest
from gpuaudit.cli.exits import Exit
from gpuaudit.cli.judging import Terms
from gpuaudit.cli.output import RESULT_NAME, claimed
from gpuaudit.cli.progress import counted
from gpuaudit.cli.signing import load_signer
from gpuaudit.clock import WallClock, rfc3339
from gpuaudit.envelope.keystore import own_keys
from gpuaudit.errors import CouldNotAuthenticateError, UsageError
from gpuaudit.fleet.aggregate import NoPlan, fold_fleet
from gpuaudit.fleet.folder import read_folder
from gpuaudit.fleet.gather import Hearing, Listeners, LocalListeners, gather, known_key
from gpuaudit.fleet.plan import read_plan
from gpuaudit.fleet.pool import available_cores
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
    folder: Path, asked: Asked, *, address: str, workers: int, out: Path | None, key: tuple[str, Path | None]
) -> FleetResult:
    """Appraise all evidence in a folder, seal the result into `out`, and remember keys that were seen for the first time.

    Args:
        folder: With the evidence.
        asked: What is asked.
        address: Of a Ray cluster to send the files to; empty for this machine.
        workers: Processes of this machine to use; 0 for one a core.
        out: A new or empty folder for the sealed result.
        key: To seal it with, as `load_signer` takes it.

    Raises:
        UsageError: There is no evidence in the folder, or the plan or the keys are not such.
        CouldNotAuthenticateError: No file is authentic.
        MachineError: There is no such cluster, a process died, or `out` cannot be written.
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
    with counted("files") as told:
        assembly = gather(files, hearing, drawing, _listeners(address, workers), told=told)
    result = fold_fleet(
        assembly,
        hearing.question,
        catalogue_version=terms.yardstick.catalogue.version,
        appraised_at=hearing.appraised_at,
    )
    if not assembly.heard and assembly.silent:
        first = assembly.silent[0]
        raise CouldNotAuthenticateError(
            f"{folder}: none of {len(assembly.silent)} files is authentic; {first.file}: {first.reason}"
        )
    if asked.first_use:
        seen = {known_key(result.tender.name, row.node): row.signed_by[0] for row in result.rows if row.signed_by}
        remember(known, hearing.trust.known, seen)
    if out is not None:
        signer = load_signer(*key)
        with claimed(out) as target:
            target.write({RESULT_NAME: seal_fleet_result(result, signer.signer)})
    return result


def exit_of(result: FleetResult) -> Exit:
    """Return the exit status of a fleet's verdict; a confirmed simulation that nobody allowed has its own."""
    if result.verdict.name == Exit.CONFIRMED.name and not result.accepted:
        return Exit.SIMULATED
    return Exit[result.verdict.name]


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
