"""Hear a whole folder, on all cores: a file at a time in each process, and of each only what the fold needs."""

from __future__ import annotations

import gc
import multiprocessing
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from typing import Final

from gpuaudit.appraisal.appraise import Question
from gpuaudit.appraisal.reference import prepare
from gpuaudit.appraisal.threshold import load_thresholds
from gpuaudit.catalogue.compiled import load_catalogue
from gpuaudit.envelope import Keyring
from gpuaudit.errors import MachineError
from gpuaudit.fleet.aggregate import Assembly, Drawing
from gpuaudit.fleet.folder import Candidate, Folder
from gpuaudit.fleet.outliers import RateBook
from gpuaudit.fleet.result import FleetTrust
from gpuaudit.fleet.testimony import Heard, NoTestimony, Testimony
from gpuaudit.fleet.trust import Trust
from gpuaudit.fleet.witness import Ear, hear_failure

CHANGED_KEY: Final = "changed-key"
# Starting a process costs as much as appraising a dozen files.
_WORTH_A_PROCESS: Final = 12
_CHUNK: Final = 4
_COLLECT_AFTER: Final = 50_000
_EARS: Final[list[Ear]] = []


@dataclass(frozen=True, slots=True, kw_only=True)
class Hearing:
    """What is asked of each file, in a form that can be sent to another process. `nonce` as in `Ear`."""

    question: Question
    trust: Trust
    nonce: str
    appraised_at: str


def gather(folder: Folder, hearing: Hearing, drawing: Drawing, *, workers: int) -> Assembly:
    """Hear every file of a folder.

    Args:
        folder: What lies in it.
        hearing: What is asked.
        drawing: The plan by which servers were drawn, or none.
        workers: How many processes to use; with one, or with few files, this one does it.
    """
    if min(workers, len(folder.candidates) // _WORTH_A_PROCESS) <= 1:
        return assemble(_here(folder.candidates, hearing), folder, hearing, drawing)
    # Started anew rather than forked: a fork copies the locks of whatever threads the caller has.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_begin, initargs=(hearing,)) as pool:
        try:
            return assemble(pool.map(_hear, folder.candidates, chunksize=_CHUNK), folder, hearing, drawing)
        except BrokenProcessPool:
            raise MachineError(
                "fleet: a process was killed while it appraised; is there memory enough? see --workers"
            ) from None
        finally:
            pool.shutdown(cancel_futures=True)


def assemble(answers: Iterable[Heard], folder: Folder, hearing: Hearing, drawing: Drawing) -> Assembly:
    """Sort what was heard as it comes, in any order, into what the fold needs; the rates leave their testimony at once."""
    rates = RateBook()
    heard: list[Testimony] = []
    silent = [hear_failure(candidate) for candidate in folder.failures]
    for answer in answers:
        believed = _believed(answer, hearing)
        if isinstance(believed, Testimony):
            rates.add(believed.rates)
            heard.append(replace(believed, rates=()))
        else:
            silent.append(believed)
    return Assembly(
        heard=sorted(heard, key=lambda one: one.file),
        silent=sorted(silent, key=lambda one: one.file),
        rates=rates,
        drawing=drawing,
        trust=FleetTrust(kind=hearing.trust.kind.value, detail=hearing.trust.detail),
    )


def known_key(tender: str, node: str) -> str:
    """Return under which name a node's key is kept in the file of known nodes."""
    return f"{tender}/{node}"


def make_ear(question: Question, keyring: Keyring, *, nonce: str, appraised_at: str) -> Ear:
    """Prepare to hear files in this process: the catalogue is laid out for all rules, which takes longer than a file."""
    yardstick = prepare(load_catalogue(), load_thresholds().thresholds)
    return Ear(keyring=keyring, question=question, yardstick=yardstick, nonce=nonce, appraised_at=appraised_at)


def available_cores() -> int:
    """Return on how many cores this process may run."""
    return len(os.sched_getaffinity(0))


def _believed(answer: Heard, hearing: Hearing) -> Heard:
    if isinstance(answer, NoTestimony):
        return answer
    before = hearing.trust.known.get(known_key(hearing.question.tender.slug, answer.node), "")
    if not before or before in answer.signed_by:
        return answer
    signed = ", ".join(f"{keyid[:16]}…" for keyid in answer.signed_by)
    reason = f"signed by {signed}, but this node was seen before with key {before[:16]}…"
    return NoTestimony(node=answer.node, file=answer.file, state=CHANGED_KEY, reason=reason)


def _here(candidates: Sequence[Candidate], hearing: Hearing) -> Iterator[Heard]:
    ear = make_ear(hearing.question, hearing.trust.keyring, nonce=hearing.nonce, appraised_at=hearing.appraised_at)
    return map(ear.hear, candidates)


def _begin(hearing: Hearing) -> None:
    """Prepare a process of the pool."""
    _EARS[:] = [make_ear(hearing.question, hearing.trust.keyring, nonce=hearing.nonce, appraised_at=hearing.appraised_at)]
    # Evidence has no cycles, and the collector would walk through all of it again and again.
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER)


def _hear(candidate: Candidate) -> Heard:
    return _EARS[0].hear(candidate)
