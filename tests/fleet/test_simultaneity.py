"""What answers prove together: never more cards than there were, however few of them serve all nodes, and in whatever order."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuaudit.challenge.floors import assumed_of
from gpuaudit.challenge.sizing import Wish, expect, size_challenge
from gpuaudit.challenge.stopwatch import NANOSECONDS
from gpuaudit.fleet.simultaneity import APART, LATE, Answer, Window, at_one_moment, simultaneity_of, weigh
from gpuaudit.units import Seconds
from tests.challenge.rounds import FULL, full_figures

SLOTS = 8
A100 = full_figures()
LOOKUP_CEILING = A100.bandwidth * FULL.ceiling.margin
SIZES = size_challenge(A100, Wish(slots=SLOTS, seconds=Seconds(10), rung=95, round_trip=Seconds(0.1)), FULL)
EXPECTED = expect(SIZES, A100, FULL)
# A server of eight genuine cards at the pace that sizing expects.
FILL, WALK = EXPECTED.fill, EXPECTED.walk
# Between the line of commitments and the second seed.
PAUSE = 1.0


def window(began: float, seconds: float) -> Window:
    return Window(began_nanoseconds=round(began * NANOSECONDS), ended_nanoseconds=round((began + seconds) * NANOSECONDS))


def server(number: int, *, began: float = 0.0, slower: float = 1.0) -> Answer:
    walk_began = began + FILL * slower + PAUSE
    return Answer(
        node=f"node-{number:03}",
        sizes=SIZES,
        assumed=assumed_of(A100, alpha=0.05, attempts=1),
        fill=window(began, FILL * slower),
        walk=window(walk_began, WALK * slower),
    )


def shown(answers: Sequence[Answer]) -> tuple[int, int, int]:
    """Return how many nodes count, and how many cards and machines it takes at least."""
    found = simultaneity_of(answers, seeds=len(answers), lookup_ceiling=LOOKUP_CEILING)
    return len(found.nodes), found.pools[0].cards, found.pools[0].machines


def test_genuine_servers_that_answer_at_once_are_shown_to_be_many() -> None:
    nodes, cards, machines = shown([server(number) for number in range(500)])
    assert nodes == 500
    # An honest card is not at its ceiling: the rest is what the ceilings leave open.
    assert 0.6 * 4000 < cards <= 4000
    assert machines == math.ceil(cards / SLOTS)


def test_one_server_shown_after_another_is_one_server() -> None:
    answers = [server(number, began=100.0 * number) for number in range(20)]
    found = simultaneity_of(answers, seeds=20, lookup_ceiling=LOOKUP_CEILING)
    assert len(found.nodes) == 1
    assert found.pools[0].machines == 1
    assert set(found.left_out.values()) == {APART}
    assert len(found.left_out) == 19


def test_one_server_that_answers_for_many_at_once_is_slow_and_counted_once() -> None:
    """Eight cards behind twenty nodes: everything takes twenty times as long, and windows overlap all the same."""
    nodes, cards, machines = shown([server(number, slower=20.0) for number in range(20)])
    assert nodes == 20
    assert (cards <= SLOTS, machines) == (True, 1)


def test_one_server_that_takes_turns_is_counted_once_though_every_window_holds_one_moment() -> None:
    """It holds the answers of all back, and answers one after another at full speed: the windows only grow."""
    answers = [
        replace(
            server(number),
            fill=window(0.0, FILL * (number + 1)),
            walk=window(20 * FILL + PAUSE, WALK * (number + 1)),
        )
        for number in range(20)
    ]
    _, cards, machines = shown(answers)
    assert (cards <= SLOTS, machines) == (True, 1)


def test_windows_that_only_touch_are_not_at_one_time() -> None:
    assert len(at_one_moment([window(0, 10), window(10, 10)])) == 1
    assert len(at_one_moment([window(0, 10), window(9.999, 10)])) == 2


def test_fills_at_one_time_do_not_make_up_for_walks_apart() -> None:
    late = replace(server(1), walk=window(500.0, WALK))
    found = simultaneity_of([server(0), late], seeds=2, lookup_ceiling=LOOKUP_CEILING)
    assert len(found.nodes) == 1
    assert list(found.left_out.values()) == [APART]


def test_one_that_is_very_late_does_not_take_the_proof_from_the_others() -> None:
    straggler = replace(server(99), fill=window(0.0, 30 * FILL), walk=window(30 * FILL + PAUSE, WALK))
    others = [replace(server(number), walk=window(30 * FILL + PAUSE, WALK)) for number in range(10)]
    found = simultaneity_of([*others, straggler], seeds=11, lookup_ceiling=LOOKUP_CEILING)
    assert found.left_out == {"node-099": LATE}
    assert len(found.nodes) == 10


def test_nodes_that_had_a_seed_and_failed_share_the_odds() -> None:
    """Who may leave failures out chooses: with more seeds revealed the same answers prove less."""
    answers = [server(number) for number in range(10)]
    few, many = (weigh(answers, seeds=seeds, lookup_ceiling=LOOKUP_CEILING) for seeds in (10, 1000))
    assert many.operations_per_second < few.operations_per_second
    assert many.lookup_bytes_per_second < few.lookup_bytes_per_second


def test_nobody_who_answered_proves_nothing() -> None:
    found = simultaneity_of([], seeds=3, lookup_ceiling=LOOKUP_CEILING)
    assert (found.nodes, found.pools) == ((), ())


def test_a_window_without_length_is_refused() -> None:
    instant = replace(server(0), fill=window(0.0, 0.0))
    with pytest.raises(ValueError, match="longer than 0 s"):
        weigh([instant], seeds=1, lookup_ceiling=LOOKUP_CEILING)


def test_memory_counts_where_links_could_not_have_brought_it() -> None:
    """A walk so short that nobody's link could fill another memory meanwhile: every server's rows lay there at one moment."""
    quick = [replace(server(number), walk=window(FILL + PAUSE, 0.1)) for number in range(4)]
    slow = [server(number) for number in range(4)]
    held, none = (weigh(one, seeds=4, lookup_ceiling=LOOKUP_CEILING) for one in (quick, slow))
    rows = 4 * SLOTS * SIZES.memory_bytes
    assert 0.8 * rows < held.held_bytes < rows
    assert none.held_bytes < held.held_bytes


@given(
    st.lists(
        st.tuples(st.floats(0, 100), st.floats(0.1, 50), st.floats(0, 100), st.floats(0.1, 50)),
        min_size=1,
        max_size=12,
    )
)
def test_whoever_counts_lies_at_one_moment_in_both_windows(times: list[tuple[float, float, float, float]]) -> None:
    answers = [
        replace(server(number), fill=window(*one[:2]), walk=window(200 + one[2], one[3])) for number, one in enumerate(times)
    ]
    found = simultaneity_of(answers, seeds=len(answers), lookup_ceiling=LOOKUP_CEILING)
    assert {*found.nodes} | {*found.left_out} == {one.node for one in answers}
    assert not {*found.nodes} & {*found.left_out}
    counted = [one for one in answers if one.node in found.nodes]
    for windows in ([one.fill for one in counted], [one.walk for one in counted]):
        assert max(one.began_nanoseconds for one in windows) < min(one.ended_nanoseconds for one in windows)


@given(st.integers(1, 40), st.integers(2, 60), st.lists(st.floats(0.0, 1.0), min_size=2, max_size=60))
def test_never_are_more_cards_counted_than_did_the_work(cards: int, nodes: int, shares: list[float]) -> None:
    """Some cards at the highest speed serve all nodes in whatever order: each answer ends when so much of all work is done."""
    total = nodes * SLOTS
    fill = total * SIZES.slot_operations / (cards * A100.ceiling)
    walk = total * SIZES.walk_bytes / (cards * LOOKUP_CEILING)
    answers = []
    for number in range(nodes):
        # The last one ends with the work; who is done earlier may say so or hold it back.
        share = 1.0 if number == 0 else (number + (nodes - number) * shares[number % len(shares)]) / nodes
        answers.append(replace(server(number), fill=window(0.0, fill * share), walk=window(fill + PAUSE, walk * share)))
    pool = weigh(answers, seeds=nodes, lookup_ceiling=LOOKUP_CEILING)
    assert pool.cards <= cards


@given(st.lists(st.floats(0, 20), min_size=1, max_size=10), st.lists(st.floats(0.5, 20), min_size=10, max_size=10))
def test_the_moment_that_most_windows_hold_is_found(begins: list[float], lengths: list[float]) -> None:
    windows = [window(began, seconds) for began, seconds in zip(begins, lengths, strict=False)]
    moments = {one.began_nanoseconds for one in windows} | {one.ended_nanoseconds - 1 for one in windows}
    most = max(sum(one.began_nanoseconds <= at < one.ended_nanoseconds for one in windows) for at in moments)
    assert len(at_one_moment(windows)) == most
