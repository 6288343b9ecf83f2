"""Cards seen twice: which pairs are named, and what is left of the machines."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gpuaudit.fleet import testimony
from gpuaudit.fleet.duplicates import Counted, Sighting, keys_shown_twice
from gpuaudit.fleet.duplicates import count_machines as counted_of
from gpuaudit.fleet.duplicates import find_duplicates as found_in
from tests.fleet.heard import BAD, OPEN, card, cards, holding, machine, renamed


def find_duplicates(heard: testimony.Testimonies) -> tuple[Sighting, ...]:
    return found_in(heard, keys_shown_twice(heard))


def count_machines(heard: testimony.Testimonies, line: str) -> Counted:
    return counted_of(heard, line, keys_shown_twice(heard))


@pytest.mark.parametrize(
    ("first", "second", "at_once"),
    [
        pytest.param(("10:00", "10:05"), ("10:04", "10:09"), True, id="overlap"),
        pytest.param(("10:00", "10:05"), ("10:01", "10:02"), True, id="inside"),
        pytest.param(("10:00", "10:05"), ("10:05", "10:09"), False, id="one-after-the-other"),
        pytest.param(("10:00", "10:05"), ("10:03", "10:03"), True, id="a-moment-inside"),
        pytest.param(("10:00", "10:00"), ("10:00", "10:00"), False, id="the-same-second-is-not-certain"),
    ],
)
def test_times_overlap_only_if_that_is_certain(first: tuple[str, str], second: tuple[str, str], at_once: bool) -> None:
    heard = [machine(0, times=first), renamed(machine(0, times=second), "node-500")]
    (found,) = find_duplicates(heard)
    assert found.at_once is at_once


def test_an_overlap_is_found_with_others_between() -> None:
    """The clash is with the third that shows the card, not with the first."""
    heard = [
        renamed(machine(0, times=times), f"node-{number}")
        for number, times in enumerate([("08:00", "08:05"), ("09:00", "12:00"), ("10:00", "10:05"), ("11:00", "11:05")])
    ]
    at_once = {(one.first.node, one.second.node) for one in find_duplicates(heard) if one.at_once}
    assert at_once == {("node-1", "node-2"), ("node-1", "node-3")}


def test_a_serial_alone_tells_a_card() -> None:
    """A host that makes up new UUIDs and forgets the serials."""
    both = [
        holding(node, [replace(card(node), keys=frozenset({f"uuid {node}", "serial 1650522012345"}))], times=times)
        for node, times in (("a", ("10:00", "10:05")), ("b", ("10:01", "10:06")))
    ]
    (found,) = find_duplicates(both)
    assert (found.keys, found.at_once) == (("serial 1650522012345",), True)


def test_machines_of_their_own_share_nothing() -> None:
    assert find_duplicates([machine(number) for number in range(50)]) == ()


def test_each_card_is_counted_once_and_where_it_stands_best() -> None:
    heard = [machine(0, BAD), renamed(machine(0, OPEN, times=("11:00", "11:05")), "b"), renamed(machine(0), "c")]
    (tally,) = count_machines(heard, "a100").overall
    assert (tally.name, tally.good, tally.all_seen) == ("c", 8, True)


def test_who_lost_a_card_has_not_been_seen_whole() -> None:
    heard = [machine(0), holding("node-001", [*cards(1, count=7), card("0-0")])]
    first, second = count_machines(heard, "a100").overall
    assert (first.good, first.all_seen) == (8, True)
    assert (second.good, second.all_seen) == (7, False)


def test_a_machine_without_cards_is_a_machine() -> None:
    tallies = count_machines([machine(0, count=0), machine(1, count=0)], "a100").overall
    assert [tally.seen for tally in tallies] == [0, 0]


def test_cards_that_nothing_identifies_are_all_counted() -> None:
    """Scrubbed UUIDs are all alike and tell nothing apart."""
    bare = tuple(replace(one, keys=frozenset()) for one in cards(0))
    heard = [holding("a", bare), holding("b", bare)]
    assert [tally.good for tally in count_machines(heard, "a100").overall] == [8, 8]
    assert find_duplicates(heard) == ()
