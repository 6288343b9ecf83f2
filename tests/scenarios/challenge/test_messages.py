"""What a hostile prover can send instead of the honest bytes, each beside the step that refuses it."""

from __future__ import annotations

import hashlib
import json
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest

from gpuaudit.challenge.issue import Conducted
from gpuaudit.challenge.messages import Abort, Armed, Walked, read, write
from gpuaudit.challenge.result import Accepted, Failed
from gpuaudit.challenge.transcript import Transcript
from gpuaudit.errors import AuthenticityError
from tests.challenge.rounds import TINY, Answer, Round, sealed

Change = Callable[[bytes], bytes]


def answering(kind: str, change: Change) -> Callable[[Answer], Answer]:
    """Change the reply to one kind of message."""

    def tampered(answer: Answer) -> Answer:
        def changed(line: bytes) -> bytes:
            reply = answer(line)
            return change(reply) if f'"type":"{kind}"'.encode() in line else reply

        return changed

    return tampered


def outcome(kind: str, change: Change, slots: int = 1) -> Failed:
    got = Round(slots=slots, tamper=answering(kind, change)).run().outcome
    assert isinstance(got, Failed), got
    return got


def line_of(reply: bytes) -> tuple[dict[str, object], bytes]:
    line, _, rest = reply.partition(b"\n")
    return json.loads(line), rest


def edited(**values: object) -> Change:
    def change(reply: bytes) -> bytes:
        message, rest = line_of(reply)
        return json.dumps({**message, **values}, separators=(",", ":")).encode() + b"\n" + rest

    return change


def flip(at: int) -> Change:
    return lambda reply: reply[:at] + bytes([reply[at] ^ 1]) + reply[at + 1 :]


def test_the_untouched_answer_is_accepted() -> None:
    assert isinstance(Round(tamper=answering("seed", lambda reply: reply)).run().outcome, Accepted)


@pytest.mark.parametrize(
    ("kind", "change", "step"),
    [
        pytest.param("prepare", lambda _: b"", 2, id="nothing-instead-of-hello"),
        pytest.param("prepare", lambda reply: reply[:-40], 2, id="key-cut-off"),
        pytest.param("prepare", lambda reply: reply.replace(b'"version":1', b'"version":2'), 2, id="another-version"),
        pytest.param("prepare", edited(evidence="0" * 64), 2, id="other-evidence-than-the-hello-names"),
        pytest.param("prepare", flip(600), 2, id="evidence-changed-after-it-was-sealed"),
        pytest.param("prepare", edited(evidenceBytes=8 * 1024 * 1024), 2, id="more-evidence-than-comes"),
        pytest.param("challenge", lambda _: b"", 3, id="not-armed"),
        pytest.param("challenge", lambda _: write(Abort(reason="out of memory")), 3, id="gives-up-before-the-seed"),
        pytest.param("seed", lambda _: b"", 6, id="gone-after-the-seed"),
        pytest.param("seed", lambda reply: reply[:-1], 6, id="one-byte-of-the-lists-missing"),
        pytest.param("seed", flip(-1), 6, id="list-changed-after-the-commitment"),
        pytest.param("seed", flip(40), 6, id="commitment-changed"),
        pytest.param("seed", edited(slots=[]), 6, id="no-commitment"),
        pytest.param("seed", edited(slots=["0" * 64] * 64), 6, id="more-commitments-than-slots"),
        pytest.param("second-seed", lambda _: b"", 8, id="gone-before-the-walk"),
        pytest.param("second-seed", edited(slots=[["0" * 64]]), 8, id="fewer-epochs"),
        pytest.param("second-seed", lambda reply: reply.replace(b"]]}", b',"%s"]]}' % (b"0" * 64)), 8, id="more-epochs"),
        pytest.param("open", lambda reply: reply[:-1], 9, id="opening-cut-off"),
        pytest.param("open", flip(0), 9, id="fold-changed-after-the-commitment"),
        pytest.param("open", flip(-1), 9, id="result-changed-after-its-digest"),
        pytest.param("open", lambda reply: reply[8:] + reply[:8], 9, id="folds-moved"),
    ],
)
def test_a_changed_answer_is_refused_at_its_step(kind: str, change: Change, step: int) -> None:
    got = outcome(kind, change)
    assert got.step == step, got
    assert got.seed_revealed == (step > 3)


@pytest.mark.parametrize(
    ("field", "length"),
    [
        pytest.param("evidenceBytes", 8 * 1024 * 1024 + 1, id="more-evidence-than-is-ever-taken"),
        pytest.param("evidenceBytes", 10**15, id="evidence-of-a-petabyte"),
        pytest.param("evidenceBytes", -1, id="evidence-of-less-than-nothing"),
        pytest.param("publicKeyBytes", 4097, id="a-key-too-long"),
        pytest.param("publicKeyBytes", 0, id="no-key"),
    ],
)
def test_a_forged_length_is_refused_before_a_byte_of_it_is_waited_for(field: str, length: int) -> None:
    got = outcome("prepare", edited(**{field: length}))
    assert (got.step, got.seed_revealed) == (2, False)
    assert got.reason.startswith(f"malformed: message: {field}: ")


def test_one_commitment_for_two_slots_is_refused_at_step_6() -> None:
    one = outcome("seed", edited(slots=["0" * 64]), slots=2)
    assert (one.step, one.reason) == (6, "1 commitments, expected 2")


def test_evidence_that_was_sealed_for_another_nonce_is_refused_at_step_1() -> None:
    def replayed(answer: Answer) -> Answer:
        old = sealed("ab" * 32)

        def changed(line: bytes) -> bytes:
            if b'"type":"prepare"' not in line:
                return answer(line)
            message, _ = line_of(answer(line))
            new = {
                **message,
                "evidence": hashlib.sha256(old.sealed).hexdigest(),
                "evidenceBytes": len(old.sealed),
                "publicKeyBytes": len(old.public_key),
            }
            return json.dumps(new, separators=(",", ":")).encode() + b"\n" + old.sealed + old.public_key

        return changed

    got = Round(tamper=replayed).run().outcome
    assert isinstance(got, Failed)
    assert (got.step, got.seed_revealed) == (1, False)


def test_a_replayed_answer_is_wrong_arithmetic() -> None:
    """Everything of an accepted attempt is said again in another: the hello of the new, the work of the old."""
    old = Round(seed=1).run().transcript

    def replayed(answer: Answer) -> Answer:
        def changed(line: bytes) -> bytes:
            if b'"type":"seed"' in line:
                return old.committed + b"\n" + old.group_hashes
            if b'"type":"second-seed"' in line:
                return old.walked + b"\n"
            reply = answer(line)
            return b"" if b'"type":"open"' in line else reply

        return changed

    got = Round(seed=2, tamper=replayed).run().outcome
    assert isinstance(got, Failed)
    assert got.step in {9, 10}


def test_the_same_seed_and_context_would_be_accepted_again() -> None:
    """The replay fails for what is new in each attempt, and for nothing else."""
    assert Round(seed=1).run().transcript == Round(seed=1).run().transcript


HOSTILE = [
    pytest.param(b"[" * 100_000 + b"\n", id="nested-lists"),
    pytest.param(b'{"type":' * 20 + b"1" + b"}" * 20 + b"\n", id="nested-objects"),
    pytest.param(b'{"type":"armed","x":NaN}\n', id="nan"),
    pytest.param(b'{"type":"armed","x":1e999}\n', id="1e999"),
    pytest.param(b'{"type":"armed","x":' + b"9" * 5_000 + b"}\n", id="5000-digits"),
    pytest.param(b'{"type":"armed","x":' + b"9" * 4_000 + b"}\n", id="4000-digits"),
    pytest.param(b'{"type":"armed","x":' + b"9" * 400 + b"}\n", id="400-digits"),
    pytest.param(b'{"type":"armed","type":"armed"}\n', id="duplicate-keys"),
    pytest.param(b'{"type":"armed","more":1}\n', id="unknown-key"),
    pytest.param(b'{"type": "armed"}\n', id="blanks"),
    pytest.param(b'{"type":"\\u0061rmed"}\n', id="escapes"),
    pytest.param(b'{"type":"armed"}\r\n', id="carriage-return"),
    pytest.param(b'{"type":"ar\x1b]52;c;AAAA\x07med"}\n', id="escape-sequence"),
    pytest.param('{"type":"arm\u0435d"}\n'.encode(), id="cyrillic"),
    pytest.param(b'{"type":"\\ud800"}\n', id="lone-surrogate"),
    pytest.param(b"\xff\xfe\n", id="not-utf-8"),
    pytest.param(b"\n", id="empty-line"),
    pytest.param(b"true\n", id="a-boolean"),
    pytest.param(b"0" * 10_000_000, id="ten-megabytes-without-a-newline"),
    pytest.param(b'{"type":"walked","slots":[["' + b"0" * 63 + b'"]]}\n', id="short-hex"),
    pytest.param(b'{"type":"walked","slots":[["' + b"A" * 64 + b'"]]}\n', id="upper-case-hex"),
    pytest.param(b'{"type":"walked","slots":[["' + b"00 " * 21 + b'0"]]}\n', id="hex-with-blanks"),
    pytest.param(b'{"type":"committed","slots":["' + b"A" * 42 + b'B=="]}\n', id="base64"),
    pytest.param(b'{"type":"committed","slots":true}\n', id="true-is-no-list"),
]


@pytest.mark.parametrize("kind", ["prepare", "challenge", "seed", "second-seed"])
@pytest.mark.parametrize("junk", HOSTILE)
def test_hostile_lines_end_the_attempt_and_nothing_else(kind: str, junk: bytes) -> None:
    got = outcome(kind, lambda _: junk)
    assert got.step == {"prepare": 2, "challenge": 3, "seed": 6, "second-seed": 8}[kind]
    assert got.reason.isascii()
    assert got.reason.isprintable()
    assert len(got.reason) < 1000


@pytest.mark.parametrize(
    ("slots", "text"),
    [
        pytest.param('[{"uuid":"\\u001b]52;c;AAAA","busId":"","largestRung":95}]', "escape", id="terminal-escape-in-a-uuid"),
        pytest.param('[{"uuid":"[red]","busId":"","largestRung":95}]', "markup", id="markup-in-a-uuid"),
        pytest.param('[{"uuid":"a","busId":"","largestRung":94}]', "rung", id="a-rung-that-is-none"),
        pytest.param('[{"uuid":"a","busId":"","largestRung":true}]', "true", id="true-is-no-number"),
        pytest.param("[]", "none", id="no-slot"),
    ],
)
def test_a_hello_with_hostile_fields_is_refused_at_step_2(slots: str, text: str) -> None:
    def change(reply: bytes) -> bytes:
        begin, end = reply.index(b'"slots":') + 8, reply.index(b',"evidence"')
        return reply[:begin] + slots.encode() + reply[end:]

    got = outcome("prepare", change)
    assert (got.step, got.seed_revealed) == (2, False)


def test_a_prover_that_offers_fewer_slots_gets_no_seed() -> None:
    got = Round(slots=1).run(Round(slots=2).sizes()).outcome
    assert isinstance(got, Failed)
    assert (got.step, got.seed_revealed) == (3, False)
    assert got.reason == "1 slots were offered, expected 2"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        pytest.param(b"[[[[[1]]]]]", "at most 4 levels", id="depth-before-anything-is-parsed"),
        pytest.param(b"[" * 100_000, "at most 4 levels", id="nested-lists"),
        pytest.param(b'{"type":"armed","x":' + b"9" * 17 + b"}", "more than 16 digits", id="digits-before-anything-is-parsed"),
        pytest.param(b'{"type":"armed","x":' + b"9" * 5_000 + b"}", "more than 16 digits", id="5000-digits"),
        pytest.param(b'{"type":"armed","x":NaN}', "NaN is not a JSON number", id="nan"),
        pytest.param(b'{"type":"armed","x":1e999}', "too large for a finite number", id="1e999"),
        pytest.param(b'{"type":"armed","type":"armed"}', "occurs twice", id="duplicate-keys"),
        pytest.param(b'{"type":"armed","more":1}', "more: Unexpected keyword", id="unknown-key"),
        pytest.param(b'{"type": "armed"}', "not in the one form", id="blanks"),
        pytest.param(b'{"type":"\\u0061rmed"}', "not in the one form", id="escapes"),
        pytest.param(b'{"type":"armed"}\r', "printable ASCII", id="carriage-return"),
        pytest.param(b'{"type":"ar\x1b]52;c;AAAA\x07med"}', "printable ASCII", id="escape-sequence"),
        pytest.param('{"type":"arm\u0435d"}'.encode(), "printable ASCII", id="cyrillic"),
    ],
)
def test_each_is_refused_for_its_own_reason(line: bytes, words: str) -> None:
    """Several checks would stop most of these; each has to be there."""
    with pytest.raises(AuthenticityError, match=words):
        read(line, Armed, place="here")


def test_the_one_form_is_read() -> None:
    assert read(b'{"type":"armed"}', Armed, place="here") == Armed()


# Hello with evidence and key; armed; commitments with group hashes; digests of epochs; what was opened.
LAST = 4


@dataclass
class Recorded:
    """The replies of an honest prover, one of which is changed."""

    replies: list[bytes]
    at: int = -1
    reply: bytes = b""

    def answer(self, _: bytes) -> bytes:
        self.at += 1
        return self.replies[self.at] if self.at < len(self.replies) else b""


def recorded() -> tuple[Round, list[bytes]]:
    replies: list[bytes] = []

    def listening(answer: Answer) -> Answer:
        def heard(line: bytes) -> bytes:
            replies.append(answer(line))
            return replies[-1]

        return heard

    round_ = Round(tamper=listening)
    assert isinstance(round_.run(TINY).outcome, Accepted)
    return round_, replies


def mutated(data: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(len(data))
    match chance.randrange(6):
        case 0:
            return data[:at] + bytes([data[at] ^ (1 << chance.randrange(8))]) + data[at + 1 :]
        case 1:
            return data[:at] + data[at + 1 :]
        case 2:
            return data[:at] + chance.randbytes(chance.randrange(1, 9)) + data[at:]
        case 3:
            return data[:at]
        case 4:
            length = chance.randrange(1, 64)
            return data[:at] + data[at : at + length] + data[at:]
        case _:
            begin = chance.randrange(len(data))
            piece = data[begin : begin + chance.randrange(1, 64)]
            return data[:at] + piece + data[at + len(piece) :]


def conducted(honest: Round, replies: list[bytes], place: int) -> Conducted:
    """Go through one attempt against recorded replies; through the greeting again only where that was changed."""
    if place == 0:
        return Round(tamper=lambda _: Recorded(replies).answer).run(TINY)
    return Round().resume(Recorded(replies[1:]).answer, honest.greeting, TINY)


@pytest.mark.parametrize("place", [0, 1])
def test_the_recorded_replies_are_accepted_unchanged(place: int) -> None:
    """Without this the ten thousand prove nothing."""
    round_, replies = recorded()
    assert isinstance(conducted(round_, replies, place).outcome, Accepted)


def test_ten_thousand_mutated_messages_are_refused_and_none_is_a_fault() -> None:
    """Whatever is changed in one reply of an accepted attempt, nothing is proved any more, and nothing raises."""
    round_, honest = recorded()
    chance = random.Random(20261123)
    tried: Counter[int] = Counter()
    accepted = []
    while tried.total() < 10_000:
        place = chance.choice((0, 1, 2, 2, 3, 3, 4, 4))
        change = mutated(honest[place], chance)
        if change == honest[place] or (place == LAST and change.startswith(honest[place])):
            # The same after all; and what comes after the last answer is not read.
            continue
        tried[place] += 1
        if isinstance(conducted(round_, [*honest[:place], change, *honest[place + 1 :]], place).outcome, Accepted):
            accepted.append((place, change[:300]))
    assert accepted == []
    assert len(tried) == len(honest) == LAST + 1
    assert min(tried.values()) > 1_000


def test_what_is_written_can_be_read_and_nothing_else_is_written() -> None:
    with pytest.raises(ValueError, match="pattern"):
        write(Abort(reason="\x1b[31m"))
    with pytest.raises(ValueError, match="pattern"):
        write(Walked(slots=(("x",),)))
    assert write(Armed()) == b'{"type":"armed"}\n'
    assert replace(Transcript(), hello=b"a").sha256() != Transcript().sha256()
