"""Less work than was asked for, beside the honest machine of the same size."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from typing_extensions import override

from gpuaudit.challenge.crew import ChallengeCrew
from gpuaudit.challenge.domain import device_key, seed_commitment
from gpuaudit.challenge.messages import DeviceKind, SlotOffer, SlotOpening
from gpuaudit.challenge.result import Accepted, Failed
from gpuaudit.challenge.sizes import Sizes
from gpuaudit.challenge.slot import ChallengeDevice, NumpyDevice
from tests.challenge.rounds import Answer, Round
from tests.scenarios.challenge import cheats


def refusal(round_: Round) -> Failed:
    outcome = round_.run().outcome
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
    def walk(self, seeds: Sequence[bytes]) -> tuple[tuple[bytes, ...], ...]:
        return self._inner.walk(seeds)

    @override
    def open(self, openings: Sequence[SlotOpening]) -> tuple[bytes, ...]:
        return self._inner.open(openings)

    @override
    def release(self) -> None:
        self._inner.release()


def test_one_slots_answer_for_two_is_wrong_arithmetic_in_the_second() -> None:
    failed = refusal(Round(slots=2, wrap=SameForAll))
    assert (failed.step, "wrong arithmetic: slot 1" in failed.reason) == (10, True)


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
