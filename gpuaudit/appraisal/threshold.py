"""Thresholds: how far below its datasheet a genuine card may work, and how far above nothing can. Data, with sources."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Annotated, Literal

from pydantic import Field

from gpuaudit.catalogue.model import Citation, Product, ProductKind
from gpuaudit.evidence.measurement import Dtype
from gpuaudit.evidence.record import entry
from gpuaudit.evidence.toml_file import load_toml
from gpuaudit.units import Bytes

Positive = Annotated[float, Field(gt=0)]


@entry
class GemmShape:
    """The one shape of a dtype by which products are told apart; every other shape is for information."""

    dtype: Dtype
    m: int
    n: int
    k: int


@entry
class Canonical:
    """The tasks that verdicts rest on. One per quantity, fixed beforehand: a choice among several would let a host choose.

    A card for which a product takes longer than its budget is given one of half the size in each direction, at most
    `most_halvings` times; no suite holds two of these for one dtype.
    """

    gemm: tuple[GemmShape, ...]
    most_halvings: int
    copy_working_set_bytes: Bytes
    peer_buffer_bytes: Bytes
    host_link_buffer_bytes: Bytes
    cache_speedup: Annotated[float, Field(gt=1)]


@entry
class Fraction:
    """A share of a reference value, for the families and kinds named (none named: for all that no other entry names)."""

    quantity: str
    families: tuple[str, ...] = ()
    kinds: tuple[ProductKind, ...] = ()
    fraction: Positive
    cited: tuple[Citation, ...]


@entry
class RatioBand:
    """By which factor a ratio of two rates of one run may lie off the datasheet's."""

    factor: Annotated[float, Field(gt=1)]
    cited: tuple[Citation, ...]


@entry
class PeerThresholds:
    """What the way between two cards of one server gives, per form factor."""

    direct_board_cards: int
    pcie_floor_bytes_per_second: Positive
    pcie_bytes_per_second_per_lane: dict[str, Positive]
    pcie_bridges: int
    nvl_bridges: int
    cited: tuple[Citation, ...]


@entry
class DriverShare:
    """By how much the total memory that a genuine card reports may differ from the values seen, as a share of them."""

    fraction: Annotated[float, Field(gt=0, lt=0.1)]
    cited: tuple[Citation, ...]


@entry
class Knee:
    """Up to which working set a cache shows: from `low` to `high` times the size of the L2.

    Below `smallest_bytes` no task looks, so that a smaller cache than that does not show.
    """

    low: Positive
    high: Positive
    smallest_bytes: Bytes
    cited: tuple[Citation, ...]


@entry
class Plausible:
    """What a genuine machine's readings can be among each other; beyond it they are shown above the verdict.

    Shares and factors: of the rate alone that a card keeps when all work at once; of the bandwidth that clock and width carry; by
    which energy may differ from the power's sum; of NVML's total memory that CUDA offers; by which power and clock rise under load.
    """

    together_share: Positive
    bandwidth_share_low: Positive
    bandwidth_share_high: Positive
    energy_factor: Annotated[float, Field(gt=1)]
    moments: Annotated[int, Field(gt=1)]
    cuda_memory_share: Positive
    load_rise: Annotated[float, Field(gt=1)]
    bar1_smallest_bytes: Bytes
    windows_drivers: tuple[str, ...]
    cited: tuple[Citation, ...]


@entry
class Lesser:
    """By how much a product must be lower in one respect to be a lesser rival."""

    fraction: Annotated[float, Field(gt=0, lt=1)]
    cited: tuple[Citation, ...]


@entry
class Thresholds:
    """All thresholds of the appraisal."""

    schema: Literal[1]
    canonical: Canonical
    floors: tuple[Fraction, ...]
    ceilings: tuple[Fraction, ...]
    ratio: RatioBand
    peers: PeerThresholds
    lesser: Lesser
    driver_share: DriverShare
    knee: Knee
    plausible: Plausible

    def floor(self, quantity: str, product: Product) -> float:
        """Return which share of its reference value a genuine `product` reaches at least."""
        return _fraction(self.floors, quantity, product)

    def ceiling(self, quantity: str, product: Product) -> float:
        """Return which multiple of its reference value no `product` exceeds."""
        return _fraction(self.ceilings, quantity, product)


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedThresholds:
    """Thresholds with the digest of the file that they came from."""

    thresholds: Thresholds
    sha256: str


@cache
def load_thresholds() -> LoadedThresholds:
    """Read the thresholds that come with gpuaudit.

    Raises:
        MalformedFileError: The file is at fault; a test reads it.
    """
    data = resources.files("gpuaudit.appraisal").joinpath("thresholds.toml").read_bytes()
    thresholds = load_toml(Thresholds, data, place="thresholds.toml")
    return LoadedThresholds(thresholds=thresholds, sha256=hashlib.sha256(data).hexdigest())


def _fraction(fractions: tuple[Fraction, ...], quantity: str, product: Product) -> float:
    """Find the most particular entry: by family, then by kind, then the general one."""
    found = [entry for entry in fractions if entry.quantity == quantity]
    for one in found:
        if product.family in one.families:
            return one.fraction
    for one in found:
        if product.kind in one.kinds:
            return one.fraction
    for one in found:
        if not one.families and not one.kinds:
            return one.fraction
    raise KeyError(f"thresholds.toml: {quantity}: expected an entry without families and kinds")
