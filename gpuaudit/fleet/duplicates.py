"""Cards that show up on more than one machine: counted once, and in two places at once a contradiction.

Harmless forms are the same file under two names and one machine audited twice. Times are those of the machines' own clocks, in
whole seconds: two audits overlap only if that is certain.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from gpuaudit.appraisal.count import Tally
from gpuaudit.appraisal.result import Verdict
from gpuaudit.fleet.testimony import Card, LineTestimony, Testimony

_ORDER: Final = (Verdict.CONFIRMED, Verdict.INCONCLUSIVE, Verdict.REFUTED)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """Cards of one file that another file shows too.

    `at_once`: the times of the two overlap. `copied`: both hold the same signed bytes. `keys` are what identifies the cards.
    """

    first: Testimony
    second: Testimony
    keys: tuple[str, ...]
    at_once: bool
    copied: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """The machines of one line after duplicates were removed: a tally per basis, in the order of names."""

    overall: tuple[Tally, ...]
    reported: tuple[Tally, ...]
    measured: tuple[Tally, ...]


def find_duplicates(heard: Iterable[Testimony]) -> tuple[Sighting, ...]:
    """Find the files that show a card which another file shows too, each with the file that it clashes with.

    That is one whose time overlaps, where there is one, and else the earliest.
    """
    shown: defaultdict[str, list[Testimony]] = defaultdict(list)
    for one in heard:
        for key in {key for line in one.lines.values() for card in line.cards for key in card.keys}:
            shown[key].append(one)
    found: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    files: dict[str, Testimony] = {}
    for key, occurrences in shown.items():
        for other, one in _clashes(occurrences):
            found[(other.file, one.file)].append(key)
            files |= {other.file: other, one.file: one}
    return tuple(
        Sighting(
            first=files[first],
            second=files[second],
            keys=tuple(sorted(keys)),
            at_once=_overlap(files[first], files[second]),
            copied=files[first].payload_sha256 == files[second].payload_sha256,
        )
        for (first, second), keys in sorted(found.items())
    )


def count_machines(heard: Iterable[Testimony], line: str) -> Counted:
    """Count each card once, where it stands best, and by name first where it stands alike.

    A machine from which cards were taken away has not been seen whole, and one that has none left is not counted at all.
    """
    shown = [one.lines[line] for one in heard if line in one.lines]
    owners = _owners(shown)
    counted = []
    for place, whole in enumerate(shown):
        gone = tuple(card for card in whole.cards if not all(owners[key][1] == place for key in card.keys))
        if len(gone) < len(whole.cards) or not whole.cards:
            counted.append((whole, gone))
    return Counted(
        overall=tuple(_without(whole.overall, [card.overall for card in gone]) for whole, gone in counted),
        reported=tuple(_without(whole.reported, [card.reported for card in gone]) for whole, gone in counted),
        measured=tuple(_without(whole.measured, [card.measured for card in gone]) for whole, gone in counted),
    )


def _without(whole: Tally, gone: Sequence[Verdict]) -> Tally:
    """Take devices out of a count. One card that shows up as several takes as many along, so that this never counts too many."""
    if not gone:
        return whole
    return Tally(
        name=whole.name,
        good=max(0, whole.good - gone.count(Verdict.CONFIRMED)),
        open=max(0, whole.open - gone.count(Verdict.INCONCLUSIVE)),
        bad=max(0, whole.bad - gone.count(Verdict.REFUTED)),
        all_seen=False,
    )


def _clashes(occurrences: Sequence[Testimony]) -> Iterator[tuple[Testimony, Testimony]]:
    ordered = sorted(occurrences, key=lambda one: (one.started_at, one.finished_at, one.file))
    longest = ordered[0]
    for one in ordered[1:]:
        yield (longest if _overlap(longest, one) else ordered[0]), one
        longest = max(longest, one, key=lambda other: other.finished_at)


def _overlap(one: Testimony, other: Testimony) -> bool:
    return one.started_at < other.finished_at and other.started_at < one.finished_at


def _owners(shown: Sequence[LineTestimony]) -> dict[str, tuple[int, int]]:
    """Say for each key how well its card stands at best, and the place in `shown` of the machine that keeps it."""
    owners: dict[str, tuple[int, int]] = {}
    for place, testimony in enumerate(shown):
        for card in testimony.cards:
            rank = (_ORDER.index(card.overall), place)
            for key in card.keys:
                owners[key] = min(owners.get(key, rank), rank)
    return owners


def still_claimed(sighting: Sighting, line: str) -> bool:
    """Whether some card that is shown twice could count for the line; of a card that is something else nobody claims two."""
    keys = frozenset(sighting.keys)
    return any(_claims(one.lines.get(line), keys) for one in (sighting.first, sighting.second))


def _claims(line: LineTestimony | None, keys: frozenset[str]) -> bool:
    cards: tuple[Card, ...] = line.cards if line is not None else ()
    return any(card.keys & keys and card.overall is not Verdict.REFUTED for card in cards)
