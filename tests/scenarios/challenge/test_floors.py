"""What an accepted answer is worth (step 11): a machine that did less, or did it slower, gets lower floors and no more."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gpuaudit.catalogue.model import Span
from gpuaudit.challenge.conclude import sentence
from gpuaudit.challenge.crew import ChallengeCrew
from gpuaudit.challenge.figures import Figures
from gpuaudit.challenge.floors import Floors, assumed_of, work_floors
from gpuaudit.challenge.result import Accepted, Failed, NotProved, Place, Proved
from gpuaudit.challenge.rivals import lookup_ceiling, remaining
from gpuaudit.evidence.measurement import Dtype
from gpuaudit.simulated.prover import Pace, PacedCrew, honest_pace, pool_pace, simulated_devices
from gpuaudit.units import Seconds
from tests.challenge.rounds import A100, SMALL, Round, concluded, figures, shrunk
from tests.scenarios.challenge.cheats import Parking

H100 = "h100-sxm5-80gb"
PRODUCTS = (A100, "a100-sxm4-40gb", "a100-pcie-80gb", H100, "h100-pcie-80gb", "h200-sxm", "l40s", "rtx-4090", "t4")


def floors_of(round_: Round) -> Floors:
    conducted = round_.run()
    assert isinstance(conducted.outcome, Accepted), conducted.outcome
    conclusion = concluded(round_, conducted).conclusion
    assert isinstance(conclusion, Proved)
    return conclusion.floors


def at_pace(round_: Round, pace: Pace) -> Round:
    def paced(_: ChallengeCrew) -> ChallengeCrew:
        return PacedCrew(round_.devices or simulated_devices(round_.slots), pace, round_.stopwatch)

    round_.wrap = paced
    return round_


@pytest.mark.parametrize("product", PRODUCTS)
def test_every_product_reaches_its_own_floors(product: str) -> None:
    claimed = figures(product, claimed=product)
    floors = floors_of(Round(claimed=claimed))
    assert floors.operations_per_second > 0.9 * claimed.expected_operations
    assert floors.operations_per_second < claimed.ceiling
    assert floors.resident_bytes > 0.9 * 0.95 * claimed.memory_bytes
    assert floors.lookup_bytes_per_second < claimed.bandwidth
    assert floors.cards == 1


def test_four_honest_cards_are_four_by_capacity() -> None:
    floors = floors_of(Round(slots=4))
    assert floors.cards == 4


def one_behind(slots: int) -> Round:
    """One device: its share of everything is at hand, the rest comes over the link each time it is looked up."""
    round_ = Round(slots=slots)
    one = honest_pace(round_.claimed, 1, SMALL)
    crossing = round_.claimed.link / ((slots - 1) / slots) / slots
    return at_pace(round_, replace(one, lookup_bytes_per_second=crossing))


def test_one_device_behind_four_slots_is_one_device() -> None:
    """Rates do not add up: one line for all slots stops the clock, so every slot pays for the last of them."""
    round_ = one_behind(4)
    floors = floors_of(round_)
    assert floors.operations_per_second < round_.claimed.expected_operations
    assert floors.cards <= 1


def test_one_device_behind_eight_slots_is_too_late_for_any_floor() -> None:
    outcome = one_behind(8).run().outcome
    assert isinstance(outcome, Failed)
    assert (outcome.step, "late" in outcome.reason) == (8, True)


def test_eight_honest_cards_are_eight_and_in_time() -> None:
    assert floors_of(Round(slots=8)).cards == 8


def test_seven_devices_behind_eight_slots_are_not_eight() -> None:
    """A rate cannot tell them apart: seven cards are 14 % slower, and honest cards differ by more. Capacity can."""
    round_ = Round(slots=8)
    pace = honest_pace(round_.claimed, 7, SMALL)
    # The bytes of the eighth are looked up over the links of the seven.
    crossing = replace(pace, lookup_bytes_per_second=7 * round_.claimed.link)
    assert floors_of(at_pace(round_, crossing)).cards < 8


def in_turns(cards: int, slots: int) -> Round:
    """Few devices: in every epoch each holds and walks one slot after the other, whose rows come from the host in one piece."""
    round_ = Round(slots=slots)
    sizes, card, turns = round_.sizes(), round_.claimed, slots / cards
    moved = sizes.epochs * (turns - 1) * sizes.memory_bytes / card.link
    walk = turns * sizes.walk_bytes / lookup_ceiling(card, 1) + moved
    one = honest_pace(card, cards, SMALL)
    return at_pace(round_, replace(one, lookup_bytes_per_second=sizes.walk_bytes / walk))


@pytest.mark.parametrize(("cards", "slots"), [(1, 2), (1, 4), (2, 4), (3, 4), (5, 8), (7, 8)])
def test_devices_that_take_turns_are_not_counted_for_more_than_they_are(cards: int, slots: int) -> None:
    conducted = (round_ := in_turns(cards, slots)).run()
    if isinstance(conducted.outcome, Failed):
        assert (conducted.outcome.step, "late" in conducted.outcome.reason) == (8, True)
    else:
        conclusion = concluded(round_, conducted).conclusion
        assert isinstance(conclusion, Proved)
        assert conclusion.floors.cards <= cards


def test_few_epochs_bound_less_than_many_with_as_many_lookups() -> None:
    """A slot that is moved in for a long epoch costs less than its lookups over the link would."""
    round_ = Round(slots=4)
    sizes = round_.sizes()
    long = replace(sizes, epochs=1, jumps=sizes.jumps * sizes.epochs)
    assumed = assumed_of(round_.claimed, alpha=0.05, attempts=1)
    many, few = (work_floors(one, assumed, fill=Seconds(10), walk=Seconds(5)) for one in (sizes, long))
    assert many.cards == 4
    assert few.resident_bytes < many.resident_bytes / 2


@pytest.mark.parametrize("share", [0.1, 0.3, 0.6])
def test_bytes_parked_behind_a_link_cross_it_and_are_not_counted(share: float) -> None:
    round_ = Round()
    parking = Parking(share, round_.claimed.link, round_.stopwatch)
    round_.devices = [parking]
    floors = floors_of(round_)
    looked_up = round_.sizes().walk_bytes
    assert parking.crossed == pytest.approx(share * looked_up, rel=0.03)
    assert floors.resident_bytes <= round_.sizes().memory_bytes * (1 - share)


def test_the_same_memory_at_hand_is_counted() -> None:
    round_ = Round()
    round_.devices = [Parking(0.0, round_.claimed.link, round_.stopwatch)]
    assert floors_of(round_).resident_bytes > 0.95 * round_.sizes().memory_bytes


@pytest.mark.parametrize("attempts", [2, 10])
def test_every_attempt_costs_certainty(attempts: int) -> None:
    round_ = Round()
    conducted = round_.run()
    first, later = (concluded(round_, conducted, attempts=number).conclusion for number in (1, attempts))
    assert isinstance(first, Proved)
    assert isinstance(later, Proved)
    assert later.floors.wrong_rows > first.floors.wrong_rows
    assert later.floors.wrong_walks > first.floors.wrong_walks
    assert later.floors.resident_bytes < first.floors.resident_bytes


def rivals(claim: Figures, others: list[Figures], floors: Floors, slots: int) -> dict[str, int]:
    found = remaining(
        others,
        resident_bytes_per_slot=floors.resident_bytes / slots,
        lookup_bytes_per_second=floors.lookup_bytes_per_second,
        most_cards=SMALL.pools.most_cards,
    )
    return {one.product: one.cards for one in found}


@pytest.mark.parametrize(
    ("other", "cards"),
    [
        pytest.param("a100-sxm4-40gb", 4, id="a-pool-over-nvlink-remains"),
        pytest.param("rtx-pro-6000-server", 1, id="rtx-pro-6000-remains"),
        pytest.param("a800-sxm4-80gb", 1, id="a800-remains"),
        pytest.param("l40s", 0, id="l40s-pools-are-bound-by-pcie"),
        pytest.param("rtx-4090", 0, id="4090-pools-are-bound-by-pcie"),
        pytest.param("h20-96gb", 1, id="h20-with-helpers-remains"),
    ],
)
def test_who_remains_behind_an_a100_claim(other: str, cards: int) -> None:
    round_ = Round()
    found = rivals(round_.claimed, [figures(other)], floors_of(round_), 1)
    assert found.get(other, 0) == cards


@pytest.mark.parametrize(("other", "cards"), [("a100-sxm4-40gb", 4), ("rtx-pro-6000-server", 1), ("a800-sxm4-80gb", 1)])
def test_whoever_is_said_to_remain_is_really_accepted_with_these_floors(other: str, cards: int) -> None:
    """The pool answers the challenge and reaches every floor of an honest machine: the list of rivals is no fiction."""
    honest = floors_of(Round())
    round_ = Round()
    pool = floors_of(at_pace(round_, pool_pace(figures(other), cards, 1, SMALL)))
    assert pool.lookup_bytes_per_second >= 0.95 * honest.lookup_bytes_per_second
    assert pool.resident_bytes >= 0.99 * honest.resident_bytes


def test_whoever_is_excluded_cannot_reach_the_floors_even_as_a_pool() -> None:
    honest = floors_of(Round())
    for cards in range(2, SMALL.pools.most_cards + 1):
        round_ = Round()
        pool = floors_of(at_pace(round_, pool_pace(figures("l40s"), cards, 1, SMALL)))
        assert pool.lookup_bytes_per_second < honest.lookup_bytes_per_second
    assert lookup_ceiling(figures("l40s"), 1) < honest.lookup_bytes_per_second


@pytest.mark.parametrize("product", ["b300", "v100-sxm2-16gb"])
def test_a_ceiling_is_that_of_the_fastest_exact_path_not_of_the_int8_figure(product: str) -> None:
    """Both give the same bytes faster by a floating-point product with exact sums, and faster yet by two levels of Strassen."""
    known = shrunk().catalogue.product(product)
    int8 = known.rate(Dtype.INT8)
    floating = max(rate.largest for dtype in (Dtype.BF16, Dtype.FP16) if isinstance(rate := known.rate(dtype), Span))
    assert not isinstance(int8, Span) or floating > 2 * int8.smallest
    assert figures(product).ceiling >= 1.3 * floating


def test_a_failed_attempt_proves_nothing_and_says_so() -> None:
    round_ = Round()
    round_.tamper = lambda answer: lambda line: answer(line)[:-1] if b'"type":"open"' in line else answer(line)
    conducted = round_.run()
    result = concluded(round_, conducted)
    assert isinstance(result.conclusion, NotProved)
    assert sentence(result).startswith("Nothing is proved: step 9")


@pytest.mark.parametrize("place", [Place.LOCAL, Place.FILES, Place.REMOTE])
def test_a_simulation_is_never_read_at_basis_challenged(place: Place) -> None:
    round_ = Round()
    result = concluded(round_, round_.run(), place=place)
    assert result.basis == "measured"
    assert "simulated" in result.basis_reason
