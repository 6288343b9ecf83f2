"""Cards that show up on more than one machine: counted once, and in two places at once a contradiction.

Harmless forms are the same file under two names and one machine audited twice. Times are those of the machines' own clocks, in
whole seconds: two audits overlap only if that is certain.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from gpuaudit.appraisal.count import Tally
from gpuaudit.appraisal.result import Verdict
from gpuaudit.fleet.archive import repeated
from gpuaudit.fleet.testimony import Card, LineTestimony, Testimonies, Testimony

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


def keys_shown_twice(heard: Testimonies) -> frozenset[str]:
    """Return what identifies cards that more than one file shows. In an honest fleet these are none, however large it is."""
    return repeated(key for one in heard for key in _keys(one))


def find_duplicates(heard: Testimonies, twice: frozenset[str]) -> tuple[Sighting, ...]:
    """Find the files that show a card which another file shows too, each with the file that it clashes with.

    That is one whose time overlaps, where there is one, and else the earliest. `twice` is from `keys_shown_twice`.
    """
    if not twice:
        return ()
    shown: defaultdict[str, list[Testimony]] = defaultdict(list)
    for one in heard:
        for key in _keys(one) & twice:
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


def count_machines(heard: Testimonies, line: str, twice: frozenset[str]) -> Counted:
    """Count each card once, where it stands best, and by name first where it stands alike.

    A machine from which cards were taken away has not been seen whole, and one that has none left is not counted at all.
    """
    owners = _owners(heard, line, twice)
    overall, reported, measured = [], [], []
    for place, whole in enumerate(_of_line(heard, line)):
        gone = tuple(card for card in whole.cards if any(owners[key][1] != place for key in card.keys & twice))
        if len(gone) < len(whole.cards) or not whole.cards:
            overall.append(_without(whole.overall, [card.overall for card in gone]))
            reported.append(_without(whole.reported, [card.reported for card in gone]))
            measured.append(_without(whole.measured, [card.measured for card in gone]))
    return Counted(overall=tuple(overall), reported=tuple(reported), measured=tuple(measured))


def _keys(one: Testimony) -> frozenset[str]:
    return frozenset(key for line in one.lines.values() for card in line.cards for key in card.keys)


def _of_line(heard: Testimonies, line: str) -> Iterator[LineTestimony]:
    return (one.lines[line] for one in heard if line in one.lines)


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


def _owners(heard: Testimonies, line: str, twice: frozenset[str]) -> dict[str, tuple[int, int]]:
    """Say for each key of `twice` how well its card stands at best, and the place of the machine that keeps it."""
    owners: dict[str, tuple[int, int]] = {}
    if not twice:
        return owners
    for place, testimony in enumerate(_of_line(heard, line)):
        for card in testimony.cards:
            rank = (_ORDER.index(card.overall), place)
            for key in card.keys & twice:
                owners[key] = min(owners.get(key, rank), rank)
    return owners


def still_claimed(sighting: Sighting, line: str) -> bool:
    """Whether some card that is shown twice could count for the line; of a card that is something else nobody claims two."""
    keys = frozenset(sighting.keys)
    return any(_claims(one.lines.get(line), keys) for one in (sighting.first, sighting.second))


def _claims(line: LineTestimony | None, keys: frozenset[str]) -> bool:
    cards: tuple[Card, ...] = line.cards if line is not None else ()
    return any(card.keys & keys and card.overall is not Verdict.REFUTED for card in cards)
