"""Hear a whole folder, wherever there is room: a file at a time in each process, and of each only what the fold needs."""

from __future__ import annotations

import gc
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, replace
from functools import partial
from typing import Final, Protocol

from gpuaudit.appraisal.appraise import Question
from gpuaudit.appraisal.reference import prepare
from gpuaudit.appraisal.threshold import load_thresholds
from gpuaudit.catalogue.compiled import load_catalogue
from gpuaudit.errors import MachineError
from gpuaudit.fleet.aggregate import Assembly, Drawing
from gpuaudit.fleet.archive import Archive
from gpuaudit.fleet.folder import Candidate, Folder
from gpuaudit.fleet.outliers import RateBook
from gpuaudit.fleet.pool import process_pool
from gpuaudit.fleet.result import FleetTrust
from gpuaudit.fleet.testimony import Heard, NoTestimony
from gpuaudit.fleet.trust import Trust
from gpuaudit.fleet.witness import Ear, hear_failure, keys_by_id

CHANGED_KEY: Final = "changed-key"
# Starting a process costs as much as appraising a dozen files.
_WORTH_A_PROCESS: Final = 12
_BATCH: Final = 4
# Batches for each process: enough to keep it at work while another's is waited for.
_AHEAD: Final = 3
_COLLECT_AFTER: Final = 50_000
_EARS: Final[list[Ear]] = []


@dataclass(frozen=True, slots=True, kw_only=True)
class Hearing:
    """What is asked of each file, in a form that can be sent to another process. `nonce` as in `Ear`."""

    question: Question
    trust: Trust
    nonce: str
    appraised_at: str


class Listeners(Protocol):
    """Hear files somewhere.

    Implemented by `LocalListeners` and `ray_runner.RayListeners`. An implementation gives one answer for each file, in any order;
    what is wrong with a file is an answer. It raises MachineError where a file was not heard at all.
    """

    def hear(self, candidates: Sequence[Candidate], hearing: Hearing) -> Iterator[Heard]:
        """Hear all files."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalListeners:
    """Hear files in `workers` processes of this machine, or in this one where that is 1, or where there are few."""

    workers: int

    def hear(self, candidates: Sequence[Candidate], hearing: Hearing) -> Iterator[Heard]:
        """Hear all files, in their order."""
        workers = min(self.workers, len(candidates) // _WORTH_A_PROCESS)
        if workers <= 1:
            yield from map(ear_for(hearing).hear, candidates)
            return
        with process_pool(workers, prepare=partial(_begin, hearing)) as pool:
            running: deque[Future[list[Heard]]] = deque()
            try:
                for batch in batches(candidates):
                    running.append(pool.submit(_hear, batch))
                    if len(running) > _AHEAD * workers:
                        yield from running.popleft().result()
                while running:
                    yield from running.popleft().result()
            except BrokenProcessPool:
                raise MachineError(
                    "fleet: a process was killed while it appraised; is there memory enough? see --workers"
                ) from None
            finally:
                pool.shutdown(cancel_futures=True)


def gather(
    folder: Folder,
    hearing: Hearing,
    drawing: Drawing,
    listeners: Listeners,
    *,
    told: Callable[[int, int], None] = lambda _done, _all: None,
) -> Assembly:
    """Hear every file of a folder.

    Args:
        folder: What lies in it.
        hearing: What is asked.
        drawing: The plan by which servers were drawn, or none.
        listeners: Who hears.
        told: Is called with how many of how many are heard.
    """
    return assemble(listeners.hear(folder.candidates, hearing), folder, hearing, drawing, told=told)


def assemble(
    answers: Iterable[Heard],
    folder: Folder,
    hearing: Hearing,
    drawing: Drawing,
    *,
    told: Callable[[int, int], None] = lambda _done, _all: None,
) -> Assembly:
    """Put what was heard on disk as it comes, in any order; the rates leave their testimony at once."""
    rates = RateBook()
    heard = Archive()
    silent = [hear_failure(candidate) for candidate in folder.failures]
    for count, answer in enumerate(answers, start=1):
        believed = _believed(answer, hearing)
        if isinstance(believed, NoTestimony):
            silent.append(believed)
        else:
            rates.add(believed.rates)
            heard.add(replace(believed, rates=()))
        told(count, len(folder.candidates))
    return Assembly(
        heard=heard,
        silent=sorted(silent, key=lambda one: one.file),
        rates=rates,
        drawing=drawing,
        trust=FleetTrust(kind=hearing.trust.kind.value, detail=hearing.trust.detail),
    )


def batches(candidates: Sequence[Candidate]) -> Iterator[Sequence[Candidate]]:
    """Cut a list of files into what is sent to another process at a time."""
    return (candidates[first : first + _BATCH] for first in range(0, len(candidates), _BATCH))


def known_key(tender: str, node: str) -> str:
    """Return under which name a node's key is kept in the file of known nodes."""
    return f"{tender}/{node}"


def ear_for(hearing: Hearing) -> Ear:
    """Prepare to hear files in this process: the catalogue is laid out for all rules, which takes as long as a few files."""
    return Ear(
        keys=keys_by_id(hearing.trust.keyring),
        question=hearing.question,
        yardstick=prepare(load_catalogue(), load_thresholds().thresholds),
        nonce=hearing.nonce,
        appraised_at=hearing.appraised_at,
    )


def _believed(answer: Heard, hearing: Hearing) -> Heard:
    if isinstance(answer, NoTestimony):
        return answer
    before = hearing.trust.known.get(known_key(hearing.question.tender.slug, answer.node), "")
    if not before or before in answer.signed_by:
        return answer
    signed = ", ".join(f"{keyid[:16]}…" for keyid in answer.signed_by)
    reason = f"signed by {signed}, but this node was seen before with key {before[:16]}…"
    return NoTestimony(node=answer.node, file=answer.file, state=CHANGED_KEY, reason=reason)


def _begin(hearing: Hearing) -> None:
    """Prepare a process of the pool."""
    _EARS[:] = [ear_for(hearing)]
    # Evidence has no cycles, and the collector would walk through all of it again and again.
    gc.freeze()
    gc.set_threshold(_COLLECT_AFTER)


def _hear(batch: Sequence[Candidate]) -> list[Heard]:
    return [_EARS[0].hear(candidate) for candidate in batch]
