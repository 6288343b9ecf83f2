"""Who is challenged at the same time: what was asked for, how each node is tried, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from gpuaudit.challenge.meeting import Gate
from gpuaudit.challenge.result import ChallengeResult
from gpuaudit.challenge.stopwatch import Stamp
from gpuaudit.challenge.target import Target
from gpuaudit.cli.challenging import Footing, Made, Wanted
from gpuaudit.cli.fleet_run import SimulatedFleet


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """How the nodes are reached: the program there and what answers, and a configuration of ssh's, or none."""

    program: str
    device: str
    config: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """A round as it was asked for. `claim` is tender and product; `checkers` is 0 for one a core."""

    fleet: SimulatedFleet
    hosts: Path | None
    reach: Reach
    claim: tuple[str, str]
    wanted: Wanted
    attempts: int
    checkers: int
    busy_ok: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Tried:
    """What came of one node: all attempts of this call, and the result of them and of earlier ones."""

    made: tuple[Made, ...]
    result: ChallengeResult


@dataclass(frozen=True, slots=True, kw_only=True)
class NotReached:
    """A node of which nothing came that could be signed."""

    reason: str


Came: TypeAlias = Tried | NotReached
# Makes one node's attempts, in a thread of its own.
Try: TypeAlias = Callable[[], Came]


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """Everybody of the round: how each is tried, by node and where it is; and how to break off."""

    tries: Mapping[str, Try]
    places: Mapping[str, str]
    target: Target
    footing: Footing
    gate: Gate
    began: Stamp
    break_off: Callable[[], None]
