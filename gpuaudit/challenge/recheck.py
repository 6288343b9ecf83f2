"""Checking a signed challenge again, by anybody, from its transcripts: everything but the times."""

from __future__ import annotations

from collections.abc import Mapping

from gpuaudit.catalogue.model import Catalogue
from gpuaudit.challenge.answering_evidence import kind_of, open_answering_evidence
from gpuaudit.challenge.assumption import Assumptions, LoadedAssumptions
from gpuaudit.challenge.check import RefusedError, check_answer, parsed
from gpuaudit.challenge.conclude import last_times, rivals_of
from gpuaudit.challenge.domain import DIGEST_BYTES, SEED_BYTES, seed_commitment
from gpuaudit.challenge.figures import require_figures
from gpuaudit.challenge.floors import assumed_of, work_floors
from gpuaudit.challenge.hostkey import host_digest
from gpuaudit.challenge.matrix import FloatMatrix, MakeMatrix
from gpuaudit.challenge.messages import Challenge, DeviceKind, Hello
from gpuaudit.challenge.result import Attempt, ChallengeResult, Failed, KnownBy, Place, Proved, basis_of, reveals_seed
from gpuaudit.challenge.second_seed import second_seed_of_file
from gpuaudit.challenge.transcript import Transcript
from gpuaudit.errors import AuthenticityError


def recheck(result: ChallengeResult, transcripts: Mapping[str, Transcript], make: MakeMatrix = FloatMatrix) -> None:
    """See that a result follows from its transcripts.

    Recomputes the sampled rows and walks of every accepted attempt, and the floors. Takes as long as the first check did. Of the
    times it says nothing: they are the word of who signed.

    Args:
        result: What was signed.
        transcripts: By the digest that the result names.
        make: What to multiply with.

    Raises:
        AuthenticityError: Something in it does not follow from the transcripts.
    """
    _check_shape(result)
    for attempt in result.attempts:
        if attempt.known_by is KnownBy.RECORD:
            continue
        transcript = transcripts.get(attempt.transcript_sha256)
        if transcript is None or transcript.sha256() != attempt.transcript_sha256:
            raise AuthenticityError(
                f"attempt {attempt.number}: no transcript of digest {attempt.transcript_sha256[:16]}… was given"
            )
        try:
            _check_attempt(result, attempt, transcript, make)
        except RefusedError as error:
            raise AuthenticityError(f"attempt {attempt.number}: what was signed does not follow from it: {error}") from None
    _check_floors(result)


def assumed_is_of_the_catalogue(result: ChallengeResult, catalogue: Catalogue, assumptions: LoadedAssumptions) -> bool:
    """See that what the floors rest on is what the catalogue has of the product.

    Returns:
        Whether it is. False where it cannot be told: another catalogue or other assumptions, a simulation, a processor.

    Raises:
        AuthenticityError: It is not.
    """
    versions = (result.catalogue_version, result.sizing_sha256) == (catalogue.version, assumptions.sha256)
    products = [product for product in catalogue.products if product.id == result.product]
    if not versions or not products or result.device is DeviceKind.SIMULATED:
        return False
    figures = require_figures(products[0], assumptions.assumptions)
    expected = assumed_of(figures, alpha=assumptions.assumptions.samples.alpha, attempts=result.assumed.attempts)
    if result.assumed != expected:
        raise AuthenticityError(f"challenge: what is assumed of {result.product} is not what the catalogue has of it")
    return True


def check_evidence(result: ChallengeResult, transcript: Transcript, evidence: bytes, public_key: bytes) -> None:
    """(1, 2) See that a result's devices are of the kind that its evidence says, and that it is the evidence that was greeted with.

    Args:
        result: What was signed.
        transcript: Of the last attempt, as `recheck` saw it.
        evidence: As a sealed file.
        public_key: By which it opens, in PEM.

    Raises:
        AuthenticityError: It is other evidence, or of other devices.
    """
    try:
        hello = parsed(transcript.hello, Hello, step=2)
        opened = open_answering_evidence(evidence, public_key, hello, result.attempts[-1].nonce)
    except RefusedError as error:
        raise AuthenticityError(f"evidence: not what the machine greeted with: {error}") from None
    kind = kind_of(hello, opened)
    if kind is not result.device:
        raise AuthenticityError(f"evidence: says that the devices are {kind}, the result that they are {result.device}")


def taken_as_claimed(result: ChallengeResult, catalogue: Catalogue, assumptions: Assumptions) -> tuple[str, ...]:
    """See that the products named as not excluded are those that the floors leave, and return the ones that were left out.

    A signer leaves out what would meet the claim anyway. Which products those are stands in the tender, of which the result has only
    the digest; so a reader is told.

    Args:
        result: One of which `assumed_is_of_the_catalogue`.
        catalogue: The same.
        assumptions: The same.

    Returns:
        Titles of those left out, besides the product by which the challenge was sized.

    Raises:
        AuthenticityError: One is named that could not have answered, or in other words than it could.
    """
    if not isinstance(result.conclusion, Proved):
        return ()
    possible = rivals_of(result.conclusion.floors, result.sizes, frozenset({result.product}), catalogue, assumptions)
    if any(rival not in possible for rival in result.conclusion.rivals):
        raise AuthenticityError("challenge: the products named as not excluded are not those that the floors leave")
    return tuple(rival.title for rival in possible if rival not in result.conclusion.rivals)


def _check_shape(result: ChallengeResult) -> None:
    if [attempt.number for attempt in result.attempts] != list(range(1, len(result.attempts) + 1)) or not result.attempts:
        raise AuthenticityError("challenge: attempts: expected all of them, numbered from 1")
    if result.attempts[-1].known_by is KnownBy.RECORD:
        raise AuthenticityError("challenge: attempts: expected a transcript of the last one")
    for attempt in result.attempts:
        # One with a transcript could be relabelled, and its seed with it.
        if attempt.known_by is KnownBy.RECORD and not reveals_seed(attempt.outcome):
            raise AuthenticityError(
                f"attempt {attempt.number}: known by the record, without a seed; expected only those that share the odds"
            )
    revealed = [one for one in result.attempts if reveals_seed(one.outcome)]
    if result.assumed.attempts != max(1, len(revealed)):
        raise AuthenticityError(f"challenge: odds for {result.assumed.attempts} attempts, expected {len(revealed)}")
    basis, _ = basis_of(result.place, result.device, rehearsal=result.rehearsal)
    if result.basis != basis:
        raise AuthenticityError(f"challenge: basis {result.basis}, expected {basis}")


def _check_attempt(result: ChallengeResult, attempt: Attempt, transcript: Transcript, make: MakeMatrix) -> None:
    if reveals_seed(attempt.outcome) != bool(transcript.seed):
        raise RefusedError(4, f"{'a' if transcript.seed else 'no'} seed was revealed, and the result says otherwise")
    if isinstance(attempt.outcome, Failed):
        if transcript.challenge:
            _check_subject(result, attempt, transcript)
        return
    if _check_subject(result, attempt, transcript).sizes != result.sizes:
        raise RefusedError(3, "the result speaks of other sizes than the challenge")
    # Step 1: the seed is the one to which the evidence was tied before anything was timed.
    if len(transcript.seed) != SEED_BYTES or seed_commitment(transcript.seed) != attempt.nonce:
        raise RefusedError(1, "the seed is not the one that the evidence's nonce commits to")
    if result.place is Place.FILES and transcript.second_seed != second_seed_of_file(transcript.seed, transcript.committed):
        raise RefusedError(7, "the second seed does not follow from the commitments")
    if len(transcript.second_seed) != DIGEST_BYTES:
        raise RefusedError(7, "the second seed has not its length")
    check_answer(transcript, attempt.outcome.samples, make)


def _check_subject(result: ChallengeResult, attempt: Attempt, transcript: Transcript) -> Challenge:
    """(2, 3) See that the attempt was about what the result is about."""
    hello, challenge = parsed(transcript.hello, Hello, step=2), parsed(transcript.challenge, Challenge, step=3)
    # Devices may turn out to be simulated by the evidence, whatever the hello calls them.
    if result.device not in {hello.device, DeviceKind.SIMULATED}:
        raise RefusedError(2, f"the hello says that the devices are {hello.device}, the result that they are {result.device}")
    agreed = (challenge.evidence, challenge.tender, challenge.verifier, challenge.host, challenge.attempt)
    stated = (
        attempt.evidence_sha256,
        result.tender_sha256,
        result.verifier,
        host_digest(result.host),
        attempt.number,
    )
    if agreed != stated:
        raise RefusedError(3, "the result speaks of other evidence, tender, verifier or host than the challenge")
    return challenge


def _check_floors(result: ChallengeResult) -> None:
    if not isinstance(result.conclusion, Proved):
        return
    try:
        times = last_times(result)
        floors = work_floors(result.sizes, result.assumed, fill=times.fill_seconds, walk=times.walk_seconds)
    except ValueError as error:
        raise AuthenticityError(f"challenge: floors without a timed answer: {error}") from None
    if floors != result.conclusion.floors or result.rehearsal:
        raise AuthenticityError("challenge: the floors do not follow from sizes, times and assumptions")
