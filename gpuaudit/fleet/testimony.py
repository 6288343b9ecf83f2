"""What one file contributes to the fleet: small enough to keep for every node, whatever the evidence weighs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeAlias

from gpuaudit.appraisal.count import Tally
from gpuaudit.appraisal.result import Verdict
from gpuaudit.evidence.bundle import Origin


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One device of a machine, by what identifies the card anywhere, and where it stands against one line."""

    keys: frozenset[str]
    overall: Verdict
    reported: Verdict
    measured: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class LineTestimony:
    """One machine against one line: its devices, and its cards counted, of which one that shows up twice counts once.

    `reported_only` are rivals that nothing else excludes; `reason` is empty where every device is confirmed.
    """

    cards: tuple[Card, ...]
    overall: Tally
    reported: Tally
    measured: Tally
    reason: str
    reported_only: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """One measured quantity of one device, in flop, bytes or bytes per second."""

    product: str
    quantity: str
    subject: str
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Testimony:
    """Evidence of one node, opened and appraised for itself. Times are RFC 3339 in UTC, which sorts as text.

    `lines` holds the hardware lines by id. `products` counts devices by the name that they report.
    """

    node: str
    file: str
    sha256: str
    payload_sha256: str
    signed_by: tuple[str, ...]
    nonce: str
    started_at: str
    finished_at: str
    origin: Origin
    host_name: str
    products: Mapping[str, int]
    lines: Mapping[str, LineTestimony]
    notices: tuple[str, ...]
    rates: tuple[Rate, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NoTestimony:
    """A file that contributes nothing, and why."""

    node: str
    file: str
    state: str
    reason: str


Heard: TypeAlias = Testimony | NoTestimony


class Testimonies(Protocol):
    """All that was heard, in the order of files' names; every pass over it gives the same, and may read it from disk.

    Implemented by `archive.Archive`, and by any sequence.
    """

    def __len__(self) -> int:
        """How many there are."""
        ...

    def __iter__(self) -> Iterator[Testimony]:
        """Go through them from the first."""
        ...
