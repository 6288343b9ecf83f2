"""The answering side: a hostile verifier gets nothing, and holds nobody's devices."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace

import pytest

from gpuaudit.attester.answer import DEFAULT_BOUNDS, Answerer, Bounds
from gpuaudit.challenge.crew import SameProcessCrew
from gpuaudit.challenge.domain import seed_commitment
from gpuaudit.challenge.hostkey import NOBODY
from gpuaudit.challenge.messages import (
    Challenge,
    DeviceKind,
    Open,
    Prepare,
    SecondSeed,
    Seed,
    SlotOffer,
    SlotOpening,
    write,
)
from gpuaudit.challenge.sizes import Sizes
from gpuaudit.challenge.sizing import Wish, size_challenge
from gpuaudit.challenge.slot import NumpyDevice
from gpuaudit.units import Seconds
from tests.challenge.rounds import FULL, TINY, full_figures, sealed

SEED = bytes(32)
OFFER = SlotOffer(uuid="CPU", bus_id="", largest_rung=95)


def answerer(bounds: Bounds = DEFAULT_BOUNDS) -> Answerer:
    return Answerer(SameProcessCrew(DeviceKind.CPU, [NumpyDevice()], (OFFER,)), sealed, bounds)


def line(message: object) -> bytes:
    return write(message)[:-1]  # type: ignore[arg-type]


def greeted(bounds: Bounds = DEFAULT_BOUNDS) -> tuple[Answerer, bytes]:
    one = answerer(bounds)
    reply = one.answer(line(Prepare(version=1, nonce=seed_commitment(SEED), suite="", slots=0)))
    return one, reply.partition(b"\n")[0]


def challenge(hello: bytes, sizes: Sizes = TINY) -> Challenge:
    return Challenge(
        version=1,
        sizes=sizes,
        hello=hashlib.sha256(hello).hexdigest(),
        evidence=json.loads(hello)["evidence"],
        tender=NOBODY,
        verifier="1" * 64,
        host=NOBODY,
        attempt=1,
        issued_at="2026-01-01T00:00:00Z",
    )


def kind(reply: bytes) -> str:
    return str(json.loads(reply.partition(b"\n")[0])["type"])


def reason(reply: bytes) -> str:
    return str(json.loads(reply)["reason"])


def test_an_honest_verifier_is_answered_to_the_end() -> None:
    one, hello = greeted()
    assert kind(one.answer(line(challenge(hello)))) == "armed"
    assert kind(one.answer(line(Seed(seed=SEED.hex())))) == "committed"
    assert kind(one.answer(line(SecondSeed(seed=SEED.hex())))) == "walked"
    opened = one.answer(line(Open(slots=(SlotOpening(groups=(1,), epochs=(0, 3)),))))
    assert len(opened) == 8 * (TINY.group_rows + 2 * TINY.walkers)
    assert one.finished


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        pytest.param(replace(TINY, slots=2), "2 slots", id="more-slots-than-there-are"),
        pytest.param(replace(TINY, steps=100_000, rows=2**30, width=16384), "operations", id="hours-of-work"),
        pytest.param(
            replace(TINY, walkers=1, epochs=100_000, jumps=4096, block_bytes=256, rows=2**30), "look up", id="hours-of-lookups"
        ),
        pytest.param(replace(TINY, walkers=65_536), "walkers hold", id="walkers-that-are-the-memory"),
        pytest.param(replace(TINY, width=320 + 8), "multiple of 64", id="odd-width"),
    ],
)
def test_a_challenge_beyond_bounds_is_refused_before_any_memory_is_taken(sizes: Sizes, words: str) -> None:
    one, hello = greeted(Bounds(operations=1e15, looked_up_bytes=1e10))
    reply = one.answer(line(challenge(hello, sizes)))
    assert kind(reply) == "abort"
    assert words in reason(reply)
    assert one.finished


@pytest.mark.parametrize("product", ["a100-sxm4-80gb", "h100-sxm5-80gb", "h200-sxm", "b200"])
def test_every_honest_challenge_is_within_the_bounds(product: str) -> None:
    wish = Wish(slots=8, seconds=Seconds(60), rung=95, round_trip=Seconds(0.1))
    sizes = size_challenge(full_figures(product), wish, FULL)
    assert sizes.slot_operations < DEFAULT_BOUNDS.operations
    assert sizes.walk_bytes < DEFAULT_BOUNDS.looked_up_bytes


def test_a_seed_that_the_nonce_does_not_commit_to_is_refused() -> None:
    one, hello = greeted()
    one.answer(line(challenge(hello)))
    reply = one.answer(line(Seed(seed="11" * 32)))
    assert "commits to" in reason(reply)


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param(SlotOpening(groups=(10,), epochs=()), id="no-such-group"),
        pytest.param(SlotOpening(groups=(), epochs=(4,)), id="no-such-epoch"),
        pytest.param(SlotOpening(groups=(1, 1), epochs=()), id="twice"),
        pytest.param(SlotOpening(groups=(2, 1), epochs=()), id="out-of-order"),
    ],
)
def test_what_cannot_be_opened_is_refused(asked: SlotOpening) -> None:
    one, hello = greeted()
    for message in (challenge(hello), Seed(seed=SEED.hex()), SecondSeed(seed=SEED.hex())):
        one.answer(line(message))
    assert "does not have" in reason(one.answer(line(Open(slots=(asked,)))))


@pytest.mark.parametrize(
    "message",
    [
        pytest.param(Seed(seed="00" * 32), id="seed"),
        pytest.param(SecondSeed(seed="00" * 32), id="second-seed"),
        pytest.param(Open(slots=(SlotOpening(groups=(), epochs=()),)), id="open"),
    ],
)
def test_nothing_is_answered_out_of_order(message: object) -> None:
    assert kind(answerer().answer(line(message))) == "abort"
    one, _ = greeted()
    assert kind(one.answer(line(message))) == "abort"
    assert kind(one.answer(line(message))) == "abort"


def test_a_challenge_about_another_hello_is_refused() -> None:
    one, hello = greeted()
    assert "another hello" in reason(one.answer(line(replace(challenge(hello), hello=NOBODY))))


@pytest.mark.parametrize("junk", [b"", b"\xff", b"[" * 1000, b'{"type":"prepare"}', b"1e999"], ids=repr)
def test_junk_is_answered_with_an_abort(junk: bytes) -> None:
    assert kind(answerer().answer(junk)) == "abort"
