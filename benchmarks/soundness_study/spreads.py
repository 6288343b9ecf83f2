"""Noise as genuine cards show it: each draw gives a machine's measurements other rates, from records of other people's cards."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field

from gpuaudit.evidence.bundle import EvidenceBundle
from gpuaudit.evidence.measurement import Dtype, GemmTask, Measurement, MemoryTask, PeerTask
from gpuaudit.evidence.reading import Known
from gpuaudit.evidence.record import entry
from gpuaudit.evidence.toml_file import load_toml
from gpuaudit.units import Seconds

QUANTITIES: Final = ("arithmetic", "double", "memory", "link")
_Pair = Annotated[tuple[float, ...], Field(min_length=2, max_length=2)]


@entry
class Spread:
    """Shares of the datasheet seen for a quantity, in rising order."""

    quantity: Literal["arithmetic", "double", "memory", "link"]
    families: tuple[str, ...]
    shares: Annotated[tuple[float, ...], Field(min_length=2)]
    source: str


@entry
class Spreads:
    """All spreads."""

    schema: Literal[1]
    error: float
    throttled_clock: _Pair
    throttled_memory: _Pair
    spread: tuple[Spread, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Noise:
    """By which factor the rates of one card differ from the simulation's, by quantity."""

    factors: Mapping[str, float]


@cache
def load_spreads() -> Spreads:
    """Read `spreads.toml`, strictly.

    Raises:
        MalformedFileError: The file breaks the format.
    """
    path = Path(__file__).with_name("spreads.toml")
    return load_toml(Spreads, path.read_bytes(), place=path.name)


def draw(chance: random.Random, family: str, simulated: Mapping[str, float], *, throttled: bool = False) -> Noise:
    """Draw the noise of one card of `family`, and heat or a cap beside it if `throttled`.

    Args:
        chance: What decides.
        family: Whose records to draw from.
        simulated: The share of its datasheet that a simulated card of the product reaches, by quantity.
        throttled: Whether it is held back.
    """
    spreads = load_spreads()
    factors = {
        quantity: _share(_spread(quantity, family).shares, chance) / simulated[quantity] * chance.gauss(1, spreads.error)
        for quantity in QUANTITIES
    }
    if throttled:
        clock = chance.uniform(*spreads.throttled_clock)
        factors["arithmetic"] *= clock
        factors["double"] *= clock
        factors["memory"] *= chance.uniform(*spreads.throttled_memory)
    return Noise(factors=factors)


def with_noise(bundle: EvidenceBundle, noises: Mapping[str, Noise]) -> EvidenceBundle:
    """Return the machine with the rates of each card changed by the noise of its UUID; a pair of cards has that of its first."""
    return replace(bundle, measurements=tuple(_changed(one, noises) for one in bundle.measurements))


def _share(shares: tuple[float, ...], chance: random.Random) -> float:
    place = chance.uniform(0, len(shares) - 1)
    below = int(place)
    above = min(below + 1, len(shares) - 1)
    return shares[below] + (place - below) * (shares[above] - shares[below])


def _spread(quantity: str, family: str) -> Spread:
    own = [spread for spread in load_spreads().spread if spread.quantity == quantity]
    return next((spread for spread in own if family in spread.families), next(spread for spread in own if not spread.families))


def _changed(one: Measurement, noises: Mapping[str, Noise]) -> Measurement:
    quantity = _quantity(one)
    noise = noises.get(one.subjects[0]) if one.subjects else None
    if not quantity or noise is None or not isinstance(one.samples, Known):
        return one
    factor = noise.factors[quantity]
    samples = one.samples.value
    seconds = tuple(Seconds(second / factor) for second in samples.seconds)
    return replace(one, samples=replace(one.samples, value=replace(samples, seconds=seconds)))


def _quantity(one: Measurement) -> str:
    match one.task:
        case GemmTask(dtype=Dtype.FP64):
            return "double"
        case GemmTask():
            return "arithmetic"
        case MemoryTask(kind="copy"):
            return "memory"
        case PeerTask():
            return "link"
        case _:
            return ""
