"""Less work than was asked for, beside the honest machine of the same size."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest
from typing_extensions import override

from gpuaudit.challenge.channel import Arrival
from gpuaudit.challenge.crew import ChallengeCrew
from gpuaudit.challenge.direct import DirectChannel
from gpuaudit.challenge.domain import device_key, seed_commitment
from gpuaudit.challenge.messages import DeviceKind, SlotOffer, SlotOpening
from gpuaudit.challenge.result import Accepted, Failed
from gpuaudit.challenge.sizes import Sizes
from gpuaudit.challenge.slot import ChallengeDevice, NumpyDevice
from gpuaudit.challenge.stopwatch import Stamp
from gpuaudit.challenge.walk import next_walk_seed
from gpuaudit.units import Seconds
from tests.challenge.rounds import Answer, Round
from tests.scenarios.challenge import cheats


def refusal(round_: Round, sizes: Sizes | None = None) -> Failed:
    outcome = round_.run(sizes).outcome
    assert isinstance(outcome, Failed)
    return outcome


@pytest.mark.parametrize("slots", [1, 2])
def test_an_honest_machine_is_accepted(slots: int) -> None:
    assert isinstance(Round(slots=slots).run().outcome, Accepted)


@pytest.mark.parametrize(
    ("cheat", "words"),
    [
        pytest.param(cheats.FewerRows, "wrong arithmetic", id="80-percent-of-the-rows"),
        pytest.param(cheats.OneStepShort, "wrong arithmetic", id="one-step-short"),
        pytest.param(cheats.MergedSteps, "wrong arithmetic", id="two-steps-merged"),
        pytest.param(cheats.Approximate, "wrong arithmetic", id="approximate-products"),
        pytest.param(cheats.OneBadByte, "dishonest or defective", id="one-faulty-byte"),
        pytest.param(cheats.Forgetful, "wrong lookups", id="a-tenth-of-the-memory-dropped"),
        pytest.param(cheats.SharedCoefficients, "wrong lookups", id="coefficients-shared-between-epochs"),
        pytest.param(cheats.ChainedOnlyBySeed, "wrong lookups", id="epochs-that-need-nothing-of-each-other"),
        pytest.param(cheats.OneWalker, "wrong lookups", id="one-walker-for-all"),
        pytest.param(cheats.InventedEpochs, "wrong lookups", id="invented-epochs"),
    ],
)
def test_recomputing_samples_catches(cheat: Callable[[], ChallengeDevice], words: str) -> None:
    failed = refusal(Round(devices=[cheat()]))
    assert (failed.step, failed.seed_revealed) == (10, True)
    assert words in failed.reason


class SameForAll(ChallengeCrew):
    """Works slot 0 out and gives its folds for every slot, hashed as each slot must."""

    def __init__(self, inner: ChallengeCrew) -> None:
        self._inner = inner

    @property
    @override
    def kind(self) -> DeviceKind:
        return self._inner.kind

    @override
    def offers(self) -> tuple[SlotOffer, ...]:
        return self._inner.offers()

    @override
    def prepare(self, sizes: Sizes) -> None:
        self._inner.prepare(sizes)

    @override
    def fill(self, keys: Sequence[bytes]) -> tuple[tuple[bytes, ...], ...]:
        return self._inner.fill([keys[0]] * len(keys))

    @override
    def walk_epoch(self, seeds: Sequence[bytes]) -> tuple[bytes, ...]:
        return self._inner.walk_epoch(seeds)

    @override
    def open(self, openings: Sequence[SlotOpening]) -> tuple[bytes, ...]:
        return self._inner.open(openings)

    @override
    def release(self) -> None:
        self._inner.release()


def test_one_slots_answer_for_two_is_wrong_arithmetic_in_the_second() -> None:
    failed = refusal(Round(slots=2, wrap=SameForAll))
    assert (failed.step, "wrong arithmetic: slot 1" in failed.reason) == (10, True)


class SlotAfterSlot(SameForAll):
    """Walks all epochs of one slot before any of the next, so that one device could hold them in turn."""

    @override
    def prepare(self, sizes: Sizes) -> None:
        super().prepare(sizes)
        self._epochs: list[list[bytes]] = []
        self._count = sizes.epochs

    @override
    def fill(self, keys: Sequence[bytes]) -> tuple[tuple[bytes, ...], ...]:
        return self._inner.fill(keys)

    @override
    def walk_epoch(self, seeds: Sequence[bytes]) -> tuple[bytes, ...]:
        if not self._epochs:
            own = list(seeds)
            for _ in range(self._count):
                digests = self._inner.walk_epoch(own)
                # Of its own digest alone: that of the other slots is not there yet.
                own = [next_walk_seed(seed, [digest]) for seed, digest in zip(own, digests, strict=True)]
                self._epochs.append(list(digests))
        return tuple(self._epochs.pop(0))


def test_slots_that_are_walked_one_after_the_other_are_wrong_lookups() -> None:
    assert isinstance(Round(slots=1, wrap=SlotAfterSlot).run().outcome, Accepted)
    failed = refusal(Round(slots=2, wrap=SlotAfterSlot))
    assert (failed.step, "wrong lookups" in failed.reason) == (10, True)


class PredictedSeed(NumpyDevice):
    """Has worked everything out before the clock starts, from the only thing that it knows: the commitment."""

    @override
    def fill(self, key: bytes) -> bytes:
        return super().fill(device_key(bytes.fromhex(seed_commitment(b"guess")), bytes(32), 0))


def test_work_done_before_the_seed_is_known_is_worthless() -> None:
    assert refusal(Round(devices=[PredictedSeed()])).step == 10


def test_neither_seed_nor_sample_leaves_the_verifier_before_its_time() -> None:
    sent: list[bytes] = []

    def listening(answer: Answer) -> Answer:
        def heard(line: bytes) -> bytes:
            sent.append(line)
            return answer(line)

        return heard

    transcript = Round(tamper=listening).run().transcript
    kinds = [line.split(b'"')[3].decode() for line in sent]
    assert kinds == ["prepare", "challenge", "seed", "second-seed", "open"]
    first, second = transcript.seed.hex().encode(), transcript.second_seed.hex().encode()
    assert not any(first in line for line in sent[:2])
    assert not any(second in line for line in sent[:3])


def test_seeds_and_samples_do_not_exist_before_their_time() -> None:
    """The second seed is drawn after the commitment came (step 7), all samples after the last line came (step 9)."""
    events: list[str] = []

    class Watched(DirectChannel):
        @override
        def send(self, data: bytes, *, within: Seconds) -> Stamp:
            events.append(data.split(b'"')[3].decode())
            return super().send(data, within=within)

        @override
        def receive_line(self, longest: int, *, within: Seconds) -> Arrival:
            arrival = super().receive_line(longest, within=within)
            events.append(arrival.line.split(b'"')[3].decode())
            return arrival

    randbytes = random.Random(0).randbytes

    def draw(length: int) -> bytes:
        events.append("draw")
        return randbytes(length)

    round_ = Round(draw=draw, channel=Watched)
    sizes = round_.sizes()
    assert isinstance(round_.run().outcome, Accepted)
    samples = ["draw"] * (sizes.row_samples + 2 * sizes.walk_samples + 1)
    greeted = ["draw", "prepare", "hello", "challenge", "armed"]
    assert events == [*greeted, "seed", "committed", "draw", "second-seed", "walked", *samples, "open"]


class KeepsTheSample(NumpyDevice):
    """Works out the rows that will be asked for and makes the others up; has to be told which those are."""

    def __init__(self, rows: Sequence[int]) -> None:
        super().__init__()
        self._rows = sorted({*rows})

    @override
    def fill(self, key: bytes) -> bytes:
        folds = np.frombuffer(super().fill(key), dtype="<u8").copy()
        made_up = np.ones(len(folds), dtype=bool)
        made_up[self._rows] = False
        folds[made_up] = 0
        return folds.tobytes()


@pytest.mark.parametrize(("told", "accepted"), [(True, True), (False, False)], ids=["told", "not-told"])
def test_a_cheat_passes_only_if_it_is_told_the_sample_before_it_commits(told: bool, accepted: bool) -> None:
    """Why step 9 comes last: with the same work, the same lines and the sample known, nothing would be noticed."""
    samples = Round().run().outcome
    assert isinstance(samples, Accepted)
    known = samples.samples[0].rows if told else [row + 1 for row in samples.samples[0].rows[:-1]]
    outcome = Round(devices=[KeepsTheSample(known)]).run().outcome
    assert isinstance(outcome, Accepted) == accepted
    assert accepted or (isinstance(outcome, Failed) and outcome.step == 10)


CHANGES = [
    pytest.param(b'"steps":', id="another-number-of-steps"),
    pytest.param(b'"jumps":', id="another-length-of-walks"),
    pytest.param(b'"rowSamples":', id="another-number-of-samples"),
    pytest.param(b'"attempt":', id="another-attempt"),
    pytest.param(b'"tender":"', id="another-tender"),
    pytest.param(b'"verifier":"', id="another-verifier"),
    pytest.param(b'"host":"', id="another-host-key"),
    pytest.param(b'"issuedAt":"202', id="another-time"),
]


def told_another(key: bytes) -> Callable[[Answer], Answer]:
    """Let the prover work for a challenge that differs in the digit after `key`."""

    def misled(answer: Answer) -> Answer:
        def heard(line: bytes) -> bytes:
            if b'"type":"challenge"' not in line:
                return answer(line)
            at = line.index(key) + len(key)
            return answer(line[:at] + (b"2" if line[at : at + 1] != b"2" else b"3") + line[at + 1 :])

        return heard

    return misled


@pytest.mark.parametrize("key", CHANGES)
def test_work_for_another_challenge_under_the_same_seed_is_worth_nothing(key: bytes) -> None:
    """Step 4: the key of all work follows from the whole challenge line, so none of it can be prepared, sold or said again."""
    failed = refusal(Round(tamper=told_another(key)))
    assert failed.step == 10
    assert "wrong arithmetic" in failed.reason


@pytest.mark.parametrize(
    ("sizes", "words"),
    [
        pytest.param({"walkers": 10_000}, "walkers hold", id="walkers-that-are-the-memory"),
        pytest.param({"width": 320 + 8}, "multiple of 64", id="odd-width"),
        pytest.param({"block_bytes": 260}, "multiple of 64", id="odd-blocks"),
    ],
)
def test_sizes_that_bound_nothing_are_refused_before_anything_is_sent(sizes: dict[str, int], words: str) -> None:
    failed = refusal(Round(), replace(Round().sizes(), **sizes))
    assert (failed.step, failed.seed_revealed) == (3, False)
    # Said by the verifier: the prover refuses them too, and would be said to have given up.
    assert failed.reason.startswith("sizes: ")
    assert words in failed.reason


@pytest.mark.parametrize(
    "sizes",
    [
        pytest.param({"steps": 1}, id="first-states-that-can-be-made-again"),
        pytest.param({"width": 192}, id="rows-that-are-not-uniform"),
    ],
)
def test_sizes_below_what_was_analysed_cannot_even_be_written(sizes: dict[str, int]) -> None:
    """At one step a state is made again as fast as memory is read; below 256 columns rows were seen not to be uniform."""
    with pytest.raises(ValueError, match=f"sizes.{next(iter(sizes))}"):
        Round().run(replace(Round().sizes(), **sizes))


def test_a_cheat_that_sees_which_groups_are_opened_cannot_tell_the_rows() -> None:
    """Whole groups and epochs are asked for, so the question is the same for every row of a group and every walker."""
    asked = []
    for seed in range(3):
        round_ = Round(seed=seed)
        sizes = round_.sizes()
        opening = round_.run().transcript.open
        asked.append(opening)
        assert len(opening) < 40 * (sizes.groups + sizes.epochs)
    assert b"rows" not in asked[0]
    assert b"walker" not in asked[0]
