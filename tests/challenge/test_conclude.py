"""What a result says, and on which basis."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from gpuaudit.challenge.conclude import sentence
from gpuaudit.challenge.floors import escaping_share, work_floors
from gpuaudit.challenge.messages import DeviceKind
from gpuaudit.challenge.result import ChallengeResult, NotProved, Place, Proved
from gpuaudit.challenge.sizing import expect
from gpuaudit.evidence.codec import dump, load
from gpuaudit.units import Seconds
from tests.challenge.results import FAILED, UNTIMED, full_size
from tests.challenge.rounds import FULL, full_figures


@pytest.mark.parametrize(
    ("place", "device", "rehearsal", "basis", "words"),
    [
        pytest.param(Place.REMOTE, DeviceKind.CUDA, False, "challenged", "elsewhere", id="remote"),
        pytest.param(Place.LOCAL, DeviceKind.CUDA, False, "measured", "owns the clock", id="local"),
        pytest.param(Place.FILES, DeviceKind.CUDA, False, "measured", "no clock ran", id="files"),
        pytest.param(Place.REMOTE, DeviceKind.SIMULATED, False, "measured", "simulated", id="simulated"),
        pytest.param(Place.REMOTE, DeviceKind.CUDA, True, "measured", "rehearsal", id="rehearsal"),
    ],
)
def test_only_a_remote_challenge_of_full_size_is_read_as_challenged(
    place: Place, device: DeviceKind, rehearsal: bool, basis: str, words: str
) -> None:
    result = full_size(place=place, device=device, rehearsal=rehearsal)
    assert result.basis == basis
    assert words in result.basis_reason
    assert isinstance(result.conclusion, NotProved) == rehearsal


def test_eight_a100_say_it_in_words_for_people() -> None:
    said = sentence(full_size())
    for words in (
        "on the verifier's clock",
        "host key SHA256:aaa",
        "2,041 x 10^12 exact 8-bit multiply-adds a second for 8 keys",
        "unpredictable places",
        "if nothing faster than 31.5 GB/s per slot",
        "7 x a100-sxm4-80gb hold 601.3 GB",
        "Not excluded: fewer and larger cards, other cards helping with the arithmetic, a relay",
        "A800 SXM4 80GB (one card for each slot)",
        "RTX PRO 6000",
        "A100 SXM4 40GB (a pool of 4 cards for each slot)",
        "A chance of 0.05 remains",
    ):
        assert words in said
    assert "eight" not in said
    assert "confirmed" not in said


@pytest.mark.parametrize("outcome", [FAILED, UNTIMED], ids=["failed", "untimed"])
def test_without_an_accepted_time_nothing_is_proved(outcome: object) -> None:
    result = full_size(outcome=outcome)  # type: ignore[arg-type]
    assert isinstance(result.conclusion, NotProved)
    assert sentence(result).startswith("Nothing is proved: ")


def test_a_result_survives_being_written_and_read() -> None:
    result = full_size()
    assert load(ChallengeResult, dump(ChallengeResult, result), place="x") == result


@pytest.mark.parametrize(("samples", "share"), [(64, 0.0457), (128, 0.0231), (256, 0.0116)])
def test_the_share_that_escapes_is_the_published_one(samples: int, share: float) -> None:
    assert escaping_share(0.05, samples) == pytest.approx(share, rel=0.01)
    assert (1 - escaping_share(0.05, samples)) ** samples == pytest.approx(0.05)


def test_the_table_of_the_design_comes_out() -> None:
    """A100-80 at 80 % of its bandwidth: 2.6 % elsewhere; at 15 %, as an eager walk is expected to be, five times as much."""
    fused, eager = full_size(), full_size(slower=0.8 / 0.15)
    assert isinstance(fused.conclusion, Proved)
    assert isinstance(eager.conclusion, Proved)
    assert fused.conclusion.floors.elsewhere == pytest.approx(0.026, abs=0.002)
    assert eager.conclusion.floors.elsewhere == pytest.approx(0.137, abs=0.01)
    assert fused.conclusion.floors.cards == 8
    assert eager.conclusion.floors.cards < 8


@pytest.mark.parametrize("factor", [1.0, 2.0, 10.0, 1000.0])
def test_slower_never_proves_more(factor: float) -> None:
    result = full_size()
    one = work_floors(result.sizes, result.assumed, fill=Seconds(10), walk=Seconds(5))
    slower = work_floors(result.sizes, result.assumed, fill=Seconds(10 * factor), walk=Seconds(5 * factor))
    assert slower.operations_per_second <= one.operations_per_second
    assert slower.resident_bytes <= one.resident_bytes
    assert slower.cards <= one.cards
    assert 0 <= slower.elsewhere <= 1


@pytest.mark.parametrize("seconds", [0.0, -1.0])
def test_no_time_is_no_floor(seconds: float) -> None:
    result = full_size()
    with pytest.raises(ValueError, match="above 0"):
        work_floors(result.sizes, result.assumed, fill=Seconds(seconds), walk=Seconds(1))


@pytest.mark.parametrize(("product", "last"), [("a100-sxm4-80gb", 21), ("h100-sxm5-80gb", 12), ("h200-sxm", 32)])
def test_eight_cards_are_told_from_seven_up_to_the_attempt_that_is_published(product: str, last: int) -> None:
    result = full_size(product)
    expected = expect(result.sizes, full_figures(product), FULL)

    def cards(attempts: int) -> int:
        assumed = replace(result.assumed, attempts=attempts)
        walk = Seconds(expected.walk + 0.1)
        return work_floors(result.sizes, assumed, fill=expected.fill, walk=walk).cards

    assert (cards(1), cards(last), cards(last + 1)) == (8, 8, 7)


def test_the_odds_are_not_those_of_a_single_stage() -> None:
    result = full_size()
    assert isinstance(result.conclusion, Proved)
    assert math.isclose(result.conclusion.floors.wrong_rows, 1 - 0.025 ** (1 / 128))
