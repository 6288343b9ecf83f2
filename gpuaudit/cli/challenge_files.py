"""Challenges by files, and sealed ones checked again."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Final

from gpuaudit.attester.answer import Answerer
from gpuaudit.catalogue.compiled import load_catalogue
from gpuaudit.challenge.assumption import load_assumptions
from gpuaudit.challenge.by_file import (
    MAX_FILE_BYTES,
    NOT_YET,
    FileAnswer,
    Request,
    answer_by_file,
    check_by_file,
    read_request,
    write_request,
)
from gpuaudit.challenge.check import RefusedError
from gpuaudit.challenge.crew import ChallengeCrew
from gpuaudit.challenge.direct import DirectChannel
from gpuaudit.challenge.domain import SEED_BYTES
from gpuaudit.challenge.hostkey import NOBODY
from gpuaudit.challenge.messages import MAX_EVIDENCE_BYTES, MAX_KEY_BYTES, Challenge
from gpuaudit.challenge.recheck import assumed_is_of_the_catalogue, check_evidence, recheck, taken_as_claimed
from gpuaudit.challenge.result import ChallengeResult, KnownBy, NoHostKey, Place
from gpuaudit.challenge.sample import Draw
from gpuaudit.challenge.stopwatch import BootStopwatch
from gpuaudit.challenge.target import Target
from gpuaudit.challenge.transcript import Transcript, decode_transcript
from gpuaudit.cli import console
from gpuaudit.cli.challenging import (
    EVIDENCE_NAME,
    MACHINE_KEY_NAME,
    Made,
    Wanted,
    files_of,
    make_evidence,
    result_of,
    show,
    shown,
    sizes_of,
    transcript_name,
    usual_footing,
    written,
)
from gpuaudit.cli.format import Format
from gpuaudit.cli.output import claimed, write_file
from gpuaudit.cli.signing import load_signer
from gpuaudit.clock import WallClock, rfc3339
from gpuaudit.envelope import PredicateType, load_keyring, open_sealed, read_bounded
from gpuaudit.envelope.keystore import own_keys
from gpuaudit.errors import AuthenticityError, MachineError, UsageError
from gpuaudit.evidence.codec import load
from gpuaudit.workload.fastest_matrix import fastest_matrix

ANSWER_NAME: Final = "answer.bin"


def issue_to_file(request: Path, target: Target, wanted: Wanted, *, draw: Draw) -> None:
    """Write a request, seed included: who reads it can begin at once, and no clock will run.

    Raises:
        UsageError: Its answer would not fit into a file, or there is such a file, or no such folder.
    """
    if request.exists() or not request.parent.is_dir():
        raise UsageError(
            f"{request}: {'exists' if request.exists() else 'no such folder'}; expected a file that is new; give another REQUEST"
        )
    signer = load_signer("", None)
    challenge = Challenge(
        version=1,
        sizes=sizes_of(target, wanted, max(1, target.slots), usual_footing()),
        hello=NOT_YET,
        evidence=NOT_YET,
        tender=target.tender_sha256,
        verifier=signer.keyid,
        host=NOBODY,
        attempt=1,
        issued_at=rfc3339(WallClock().now()),
    )
    write_file(request, write_request(Request(challenge=challenge, seed=draw(SEED_BYTES))))
    console.say(f"wrote {request}; keep it: the answer is checked against it")


def answer_to_folder(request: Path, out: Path, crew: ChallengeCrew, *, busy_ok: bool) -> None:
    """Do what a request asks for and write the answer.

    Raises:
        AuthenticityError: The file is not a request.
        MachineError: A device failed, or the work is more than is done here.
    """
    asked = read_request(read_bounded(request, refusal=AuthenticityError), place=str(request))
    answerer = Answerer(crew, make_evidence(busy_ok=busy_ok))
    with claimed(out) as folder:
        try:
            answered = answer_by_file(DirectChannel(answerer.answer, BootStopwatch()), asked)
        except RefusedError as error:
            raise MachineError(f"challenge: {error.reason}") from None
        finally:
            answerer.close()
        files = {
            ANSWER_NAME: answered.transcript.encode(),
            EVIDENCE_NAME: answered.evidence,
            MACHINE_KEY_NAME: answered.public_key,
        }
        folder.write(files)
    console.say(written(out, tuple(files)))


def check_answer_folder(
    request: Path,
    answered: Path,
    target: Target,
    *,
    rehearsal: bool,
    out: Path | None,
    key: tuple[str, Path | None],
    form: Format,
) -> ChallengeResult:
    """Check an answer that came as files, and write what came of it.

    Returns:
        What came of it.

    Raises:
        AuthenticityError: These are not a request and its answer.
        UsageError: The request was for another tender, or was issued with another key.
    """
    signer = load_signer(*key)
    asked = read_request(read_bounded(request, refusal=AuthenticityError), place=str(request))
    _require_same(asked.challenge, target, signer.keyid, place=request)
    answer = FileAnswer(
        evidence=read_bounded(answered / EVIDENCE_NAME, refusal=AuthenticityError, limit=MAX_EVIDENCE_BYTES),
        public_key=read_bounded(answered / MACHINE_KEY_NAME, refusal=AuthenticityError, limit=MAX_KEY_BYTES),
        transcript=_transcript(answered / ANSWER_NAME),
    )
    try:
        greeting, conducted = check_by_file(asked, answer, secrets.token_bytes, fastest_matrix())
    except RefusedError as error:
        raise AuthenticityError(f"{answered}: {error}") from None
    made = Made(number=1, greeting=greeting, conducted=conducted, sizes=asked.challenge.sizes)
    wanted = Wanted(seconds=0.0, rung=0, rehearsal=rehearsal, suite="")
    result = result_of([made], target, wanted, usual_footing(), place=Place.FILES, host=NoHostKey(), verifier=signer.keyid)
    with claimed(out) if out else nullcontext() as folder:
        if folder:
            files = files_of([made], result, signer)
            folder.write(files)
            console.say(written(folder.path, tuple(files)))
    show(result, form)
    return result


def _require_same(challenge: Challenge, target: Target, verifier: str, *, place: Path) -> None:
    for what, issued, given, option in (
        ("tender", challenge.tender, target.tender_sha256, "--tender or --product"),
        ("key", challenge.verifier, verifier, "--key"),
    ):
        if issued != given:
            raise UsageError(
                f"{place}: issued with another {what}: got {given[:16]}…, expected {issued[:16]}…; give {option} as for issue"
            )


def recheck_file(file: Path, keyring: Sequence[Path]) -> str:
    """Open a sealed challenge, check it against the transcripts and the evidence beside it, and return what it says.

    Raises:
        AuthenticityError: No trusted key signed it, or it does not follow from its transcripts, or the evidence is other evidence.
    """
    result = open_challenge(file, keyring)
    transcripts = {}
    for attempt in result.attempts:
        if attempt.known_by is KnownBy.RECORD:
            continue
        found = _transcript(file.parent / transcript_name(attempt.number))
        transcripts[found.sha256()] = found
    recheck(result, transcripts, make=fastest_matrix())
    last = transcripts[result.attempts[-1].transcript_sha256]
    return "\n".join([shown(result), _of_signer(result), _of_evidence(result, last, file.parent), *_of_catalogue(result)])


def _of_signer(result: ChallengeResult) -> str:
    earlier = ", and attempts of earlier calls," if any(one.known_by is KnownBy.RECORD for one in result.attempts) else ""
    return f"Checked again from its transcripts; the times{earlier} are the word of who signed."


def _of_evidence(result: ChallengeResult, last: Transcript, folder: Path) -> str:
    evidence, key = folder / EVIDENCE_NAME, folder / MACHINE_KEY_NAME
    if missing := [file.name for file in (evidence, key) if not file.exists()]:
        return (
            f"The evidence was not opened: no {' and no '.join(missing)} beside it. That it answered this challenge, and that the devices "
            "are not simulated, is the word of who signed."
        )
    check_evidence(
        result,
        last,
        read_bounded(evidence, refusal=AuthenticityError, limit=MAX_EVIDENCE_BYTES),
        read_bounded(key, refusal=AuthenticityError, limit=MAX_KEY_BYTES),
    )
    return f"The evidence beside it is what the machine greeted with, before anything was timed; devices: {result.device}."


def _of_catalogue(result: ChallengeResult) -> list[str]:
    catalogue, assumed = load_catalogue(), load_assumptions()
    if not assumed_is_of_the_catalogue(result, catalogue, assumed):
        return ["What is assumed of the product was not compared: this catalogue is another, or has no such product."]
    left_out = taken_as_claimed(result, catalogue, assumed.assumptions)
    return [f"Not named above, because who signed took them for what is claimed: {', '.join(left_out)}."] if left_out else []


def open_challenge(file: Path, keyring: Sequence[Path]) -> ChallengeResult:
    """Open a sealed challenge that a trusted key signed.

    Raises:
        AuthenticityError: It is not one.
    """
    data = read_bounded(file, refusal=AuthenticityError)
    opened = open_sealed(data, load_keyring(own_keys(), keyring), PredicateType.CHALLENGE, place=str(file))
    return load(ChallengeResult, opened.predicate, place=str(file))


def _transcript(file: Path) -> Transcript:
    return decode_transcript(read_bounded(file, refusal=AuthenticityError, limit=MAX_FILE_BYTES), place=str(file))
