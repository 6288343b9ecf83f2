"""That a result follows from what it was made of: transcripts, evidence, catalogue; whoever signed it."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace

import pytest

from gpuaudit.attester.answer import SealedEvidence
from gpuaudit.catalogue.compiled import load_catalogue
from gpuaudit.challenge.assumption import load_assumptions
from gpuaudit.challenge.check import parsed
from gpuaudit.challenge.conclude import last_times
from gpuaudit.challenge.floors import work_floors
from gpuaudit.challenge.messages import DeviceKind, Hello, write
from gpuaudit.challenge.recheck import assumed_is_of_the_catalogue, check_evidence, recheck, taken_as_claimed
from gpuaudit.challenge.result import Accepted, Attempt, ChallengeResult, Failed, KnownBy, Proved
from gpuaudit.challenge.rivals import Rival
from gpuaudit.challenge.sample import SlotSample
from gpuaudit.envelope import seal_evidence
from gpuaudit.envelope.keys import public_pem
from gpuaudit.errors import AuthenticityError
from gpuaudit.evidence.bundle import Origin
from gpuaudit.units import Bytes
from tests.challenge.results import FAILED, full_size
from tests.challenge.rounds import FULL, Round, concluded, sealed, signer
from tests.envelope.bundles import small_bundle


def rechecked(change: object = None) -> None:
    round_ = Round()
    conducted = round_.run()
    result = concluded(round_, conducted)
    transcript = conducted.transcript
    recheck(change(result) if callable(change) else result, {transcript.sha256(): transcript})


def test_an_honest_result_follows_from_its_transcript() -> None:
    rechecked()


def floors(result: ChallengeResult, **changes: object) -> ChallengeResult:
    assert isinstance(result.conclusion, Proved)
    return replace(
        result,
        conclusion=replace(result.conclusion, floors=replace(result.conclusion.floors, **changes)),  # type: ignore[arg-type]
    )


def attempt(result: ChallengeResult, **changes: object) -> ChallengeResult:
    return replace(result, attempts=(replace(result.attempts[0], **changes),))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda one: floors(one, resident_bytes=Bytes(10**12)), id="more-memory-than-follows"),
        pytest.param(lambda one: floors(one, cards=8), id="more-cards-than-follow"),
        pytest.param(lambda one: replace(one, basis="challenged"), id="a-better-basis"),
        pytest.param(lambda one: replace(one, assumed=replace(one.assumed, attempts=2)), id="other-odds"),
        pytest.param(lambda one: replace(one, sizes=replace(one.sizes, steps=9)), id="other-sizes"),
        pytest.param(lambda one: replace(one, verifier="2" * 64), id="another-verifier"),
        pytest.param(lambda one: replace(one, tender_sha256="2" * 64), id="another-tender"),
        pytest.param(lambda one: replace(one, attempts=()), id="no-attempts"),
        pytest.param(lambda one: attempt(one, number=2), id="an-attempt-left-out"),
        pytest.param(lambda one: attempt(one, nonce="2" * 64), id="another-nonce"),
        pytest.param(lambda one: attempt(one, evidence_sha256="2" * 64), id="other-evidence"),
        pytest.param(lambda one: attempt(one, transcript_sha256="2" * 64), id="another-transcript"),
        pytest.param(
            lambda one: attempt(one, outcome=replace(one.attempts[0].outcome, samples=one.attempts[0].outcome.samples * 2)),
            id="other-samples",
        ),
    ],
)
def test_a_result_that_says_more_than_its_transcript_is_not_authentic(change: object) -> None:
    with pytest.raises(AuthenticityError):
        rechecked(change)


def earlier(result: ChallengeResult, **changes: object) -> ChallengeResult:
    """Put an attempt of an earlier call before the one that there is, with the odds that follow."""
    before = Attempt(
        number=1, nonce="2" * 64, evidence_sha256="3" * 64, transcript_sha256="", outcome=FAILED, known_by=KnownBy.RECORD
    )
    this = replace(result.attempts[0], **changes)  # type: ignore[arg-type]
    return replace(result, attempts=(before, this), assumed=replace(result.assumed, attempts=2))


def with_floors_that_follow(result: ChallengeResult) -> ChallengeResult:
    times = last_times(result)
    assert isinstance(result.conclusion, Proved)
    follow = work_floors(result.sizes, result.assumed, fill=times.fill_seconds, walk=times.walk_seconds)
    return replace(result, conclusion=replace(result.conclusion, floors=follow))


def more_steps(result: ChallengeResult) -> ChallengeResult:
    return with_floors_that_follow(replace(result, sizes=replace(result.sizes, steps=9)))


def relabelled(result: ChallengeResult) -> ChallengeResult:
    two = earlier(result, number=2)
    quiet = replace(two.attempts[0], outcome=replace(FAILED, seed_revealed=False))
    return replace(two, attempts=(quiet, two.attempts[1]), assumed=replace(two.assumed, attempts=1))


def undivided(result: ChallengeResult) -> ChallengeResult:
    two = earlier(result, number=2)
    return replace(two, assumed=replace(two.assumed, attempts=1))


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param(more_steps, "other sizes than the challenge", id="more-work-than-was-done"),
        pytest.param(undivided, "odds for 1 attempts, expected 2", id="an-earlier-attempt-that-costs-nothing"),
        pytest.param(lambda one: replace(one, device=DeviceKind.CUDA, basis="challenged"), "hello", id="simulated-as-cuda"),
        pytest.param(lambda one: attempt(one, known_by=KnownBy.RECORD), "transcript", id="nothing-but-the-signers-record"),
        pytest.param(relabelled, "known by the record, without a seed", id="a-seed-kept-quiet-by-the-record"),
        pytest.param(lambda one: earlier(one, number=2), "tender, verifier or host", id="another-number-than-was-challenged"),
        pytest.param(
            lambda one: attempt(one, outcome=replace(FAILED, seed_revealed=False)), "odds|seed", id="a-seed-kept-quiet"
        ),
    ],
)
def test_what_a_signer_could_leave_unsaid_is_in_the_transcript(change: object, words: str) -> None:
    with pytest.raises(AuthenticityError, match=words):
        rechecked(change)


def flipped(part: bytes) -> bytes:
    return bytes([part[0] ^ 1]) + part[1:]


@pytest.mark.parametrize(
    ("part", "change"),
    [
        pytest.param("hello", lambda part: part.replace(b"SIMULATED-0", b"SIMULATED-1"), id="another-device-greeted"),
        pytest.param("hello", lambda part: part.replace(b'KeyBytes":', b'KeyBytes":1'), id="another-key-greeted"),
        pytest.param("open", lambda part: part.replace(b'"groups":[', b'"groups":[7000,'), id="something-else-asked-for"),
        pytest.param("opened", lambda part: part + b"0", id="a-byte-more-opened"),
        pytest.param("opened", lambda part: part[:-1], id="a-byte-fewer-opened"),
        pytest.param("seed", flipped, id="another-seed"),
        pytest.param("second_seed", flipped, id="another-second-seed"),
        pytest.param("second_seed", lambda part: part[:-1], id="half-a-second-seed"),
    ],
)
def test_a_transcript_of_which_one_part_is_another_does_not_fit_together(part: str, change: Callable[[bytes], bytes]) -> None:
    """Its digest is signed anew: who signs can write anything, and it has to hold all the same."""
    round_ = Round()
    conducted = round_.run()
    changed = replace(conducted.transcript, **{part: change(getattr(conducted.transcript, part))})
    assert changed != conducted.transcript
    with pytest.raises(AuthenticityError, match="step"):
        recheck(
            attempt(concluded(round_, conducted), transcript_sha256=changed.sha256()),
            {changed.sha256(): changed},
        )


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda one: replace(one, rows=one.rows[:-1]), id="a-row-fewer"),
        pytest.param(lambda one: replace(one, walks=one.walks[1:]), id="a-walk-fewer"),
        pytest.param(lambda one: replace(one, walks=one.walks[::-1]), id="not-the-last-epoch-last"),
    ],
)
def test_fewer_samples_than_the_odds_are_worked_out_for_are_not_enough(change: Callable[[SlotSample], SlotSample]) -> None:
    """The groups and epochs that were opened are the same: only the signer would have looked at less of them."""

    def fewer(result: ChallengeResult) -> ChallengeResult:
        outcome = result.attempts[0].outcome
        assert isinstance(outcome, Accepted)
        return attempt(result, outcome=replace(outcome, samples=tuple(change(one) for one in outcome.samples)))

    with pytest.raises(AuthenticityError, match="step 9: samples"):
        rechecked(fewer)


def with_evidence(change: Callable[[ChallengeResult], ChallengeResult], evidence: bytes = b"", key: bytes = b"") -> None:
    """Check an honest round's result, changed, against its evidence and key, or others."""
    round_ = Round()
    conducted = round_.run()
    result = change(concluded(round_, conducted))
    check_evidence(result, conducted.transcript, evidence or round_.greeting.evidence, key or round_.greeting.public_key)


def test_the_evidence_that_was_greeted_with_belongs_to_the_result() -> None:
    with_evidence(lambda one: one)


def simulated_evidence(nonce: str) -> SealedEvidence:
    bundle = replace(small_bundle(nonce=nonce), origin=Origin.SIMULATED)
    return SealedEvidence(sealed=seal_evidence(bundle, signer()), public_key=public_pem(signer().public_key))


def resealed_under(nonce: str) -> tuple[bytes, bytes]:
    made = sealed(nonce)
    return made.sealed, made.public_key


@pytest.mark.parametrize(
    ("change", "other", "words"),
    [
        pytest.param(lambda one: one, resealed_under("2" * 64), "not the one that the hello names", id="another-machines"),
        pytest.param(lambda one: attempt(one, nonce="2" * 64), (b"", b""), "commitment", id="sealed-for-something-else"),
        pytest.param(lambda one: one, (b"{}", b""), "not what the machine greeted with", id="no-evidence"),
        pytest.param(lambda one: one, (b"", b"no key"), "not what the machine greeted with", id="no-key"),
        pytest.param(
            lambda one: replace(one, device=DeviceKind.CUDA),
            (b"", b""),
            "the devices are simulated, the result that they are cuda",
            id="simulated-as-cuda",
        ),
    ],
)
def test_other_evidence_does_not_belong_to_the_result(
    change: Callable[[ChallengeResult], ChallengeResult], other: tuple[bytes, bytes], words: str
) -> None:
    with pytest.raises(AuthenticityError, match=words):
        with_evidence(change, *other)


def test_a_hello_that_hides_a_simulation_is_found_out_by_its_evidence() -> None:
    """The signer and the hello say cuda; what the machine sealed says simulated."""
    made = simulated_evidence("3" * 64)
    round_ = Round()
    conducted = round_.run()
    hello = parsed(conducted.transcript.hello, Hello, step=2)
    hello = replace(hello, device=DeviceKind.CUDA, evidence=hashlib.sha256(made.sealed).hexdigest())
    transcript = replace(conducted.transcript, hello=write(hello)[:-1])
    result = attempt(replace(concluded(round_, conducted), device=DeviceKind.CUDA), nonce="3" * 64)
    with pytest.raises(AuthenticityError, match="the devices are simulated, the result that they are cuda"):
        check_evidence(result, transcript, made.sealed, made.public_key)
    check_evidence(replace(result, device=DeviceKind.SIMULATED), transcript, made.sealed, made.public_key)


def rivals(result: ChallengeResult, change: Callable[[tuple[Rival, ...]], tuple[Rival, ...]]) -> ChallengeResult:
    assert isinstance(result.conclusion, Proved)
    return replace(result, conclusion=replace(result.conclusion, rivals=change(result.conclusion.rivals)))


def left_out(result: ChallengeResult) -> tuple[str, ...]:
    return taken_as_claimed(result, load_catalogue(), FULL)


def test_everybody_who_could_have_answered_is_named() -> None:
    result = full_size()
    assert left_out(result) == ()
    assert left_out(full_size(outcome=FAILED)) == ()


def test_a_rival_that_the_signer_left_out_is_told_to_the_reader() -> None:
    result = rivals(full_size(), lambda all_: tuple(one for one in all_ if one.title != "A800 SXM4 80GB"))
    assert left_out(result) == ("A800 SXM4 80GB",)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda all_: (replace(all_[0], cards=all_[0].cards + 1), *all_[1:]), id="more-cards-than-it-takes"),
        pytest.param(lambda all_: (*all_, replace(all_[0], product="t4", title="T4")), id="one-that-could-not"),
        pytest.param(lambda all_: (replace(all_[0], why="never"), *all_[1:]), id="other-words"),
    ],
)
def test_rivals_that_do_not_follow_from_the_floors_are_not_authentic(
    change: Callable[[tuple[Rival, ...]], tuple[Rival, ...]],
) -> None:
    with pytest.raises(AuthenticityError, match="not those that the floors leave"):
        left_out(rivals(full_size(), change))


@pytest.mark.parametrize(
    ("assumed", "same"),
    [
        pytest.param({}, True, id="as-it-was-made"),
        pytest.param({"link_bytes_per_second": 1e9}, False, id="a-slower-link"),
        pytest.param({"ceiling_operations_per_second": 1e9}, False, id="a-slower-product"),
        pytest.param({"physical_bytes": 10**9}, False, id="smaller-cards"),
        pytest.param({"alpha": 0.5}, False, id="other-odds"),
    ],
)
def test_what_is_assumed_has_to_be_what_the_catalogue_has(assumed: dict[str, float], same: bool) -> None:
    result = full_size()
    changed = replace(result, assumed=replace(result.assumed, **assumed))  # type: ignore[arg-type]
    if same:
        assert assumed_is_of_the_catalogue(changed, load_catalogue(), load_assumptions())
    else:
        with pytest.raises(AuthenticityError, match="not what the catalogue has of it"):
            assumed_is_of_the_catalogue(changed, load_catalogue(), load_assumptions())


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"catalogue_version": "another"}, id="another-catalogue"),
        pytest.param({"sizing_sha256": "0" * 64}, id="other-assumptions"),
        pytest.param({"product": "host"}, id="a-processor"),
        pytest.param({"device": DeviceKind.SIMULATED}, id="simulated"),
    ],
)
def test_what_cannot_be_compared_is_not_said_to_be_the_same(changes: dict[str, object]) -> None:
    result = replace(full_size(), **changes)  # type: ignore[arg-type]
    assert not assumed_is_of_the_catalogue(result, load_catalogue(), load_assumptions())


def test_an_attempt_that_failed_before_the_seed_cannot_hide_that_it_was_after_it() -> None:
    round_ = Round()
    round_.tamper = lambda answer: lambda line: b"" if b'"type":"seed"' in line else answer(line)
    conducted = round_.run()
    result, transcript = concluded(round_, conducted), conducted.transcript
    recheck(result, {transcript.sha256(): transcript})
    assert isinstance(conducted.outcome, Failed)
    lying = attempt(result, outcome=replace(conducted.outcome, seed_revealed=False))
    with pytest.raises(AuthenticityError, match="a seed was revealed"):
        recheck(lying, {transcript.sha256(): transcript})
