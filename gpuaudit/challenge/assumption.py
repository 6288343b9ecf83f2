"""`sizing.toml`: how large a challenge is made, and what is assumed of hardware when its answer is read. Data, with sources."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Annotated, Literal

from pydantic import Field

from gpuaudit.catalogue.model import Citation
from gpuaudit.evidence.record import entry
from gpuaudit.evidence.toml_file import load_toml

Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(gt=0)]


@entry
class Shape:
    """Sizes that do not depend on the product."""

    width: Count
    seed_bytes: Count
    group_rows: Count
    block_bytes: Count
    walkers: Count
    jumps: Count
    cited: tuple[Citation, ...]


@entry
class Rehearsal:
    """Sizes of a challenge that takes a second and proves nothing."""

    width: Count
    memory_bytes: Count
    steps: Count
    block_bytes: Count
    walkers: Count
    jumps: Count
    epochs: Count
    row_samples: Count
    walk_samples: Count


@entry
class Samples:
    """How many rows and walks of each slot are recomputed, and the odds for both stages together."""

    rows: Count
    walks: Count
    alpha: Annotated[float, Field(gt=0, lt=1)]
    cited: tuple[Citation, ...]


@entry
class WalkSizing:
    """How many bytes are looked up: a multiple of the memory, and enough to make the round trip small."""

    memory_multiple: Positive
    round_trip_multiple: Positive
    round_trip_seconds: Positive
    bandwidth_share: Positive
    cited: tuple[Citation, ...]


@entry
class Expected:
    """Which share of its dense int8 rate a product of these families (none named: any other) is expected to reach."""

    families: tuple[str, ...]
    share: Positive
    cited: tuple[Citation, ...]


@entry
class Ceiling:
    """What turns a product's rates into the most that it can do of exact 8-bit multiply-adds."""

    float_factor: Positive
    margin: Positive
    overclocked_margin: Positive
    cited: tuple[Citation, ...]


@entry
class Links:
    """Ways into a device's memory from elsewhere, in bytes per second one way."""

    default_generation: Count
    superchip: Positive
    other_machine: Positive
    per_lane: dict[str, Positive]
    cited: tuple[Citation, ...]


@entry
class Pools:
    """How many cards behind one slot are reckoned with."""

    most_cards: Count
    cited: tuple[Citation, ...]


@entry
class Host:
    """What is expected of a processor and its memory."""

    memory_bytes: Count
    lookup_bytes_per_second: Positive
    ceiling_factor: Positive
    cited: tuple[Citation, ...]


@entry
class Checking:
    """How fast sampled rows are recomputed."""

    row_steps_per_second: Positive
    cited: tuple[Citation, ...]


@entry
class Deadlines:
    """How long the verifier waits for each stage, in seconds."""

    hello: Positive
    armed: Positive
    least: Positive
    multiple_of_expected: Positive
    transfer: Positive
    total: Positive


@entry
class Assumptions:
    """All of `sizing.toml`."""

    schema: Literal[1]
    shape: Shape
    rehearsal: Rehearsal
    samples: Samples
    walk: WalkSizing
    expected: tuple[Expected, ...]
    ceiling: Ceiling
    links: Links
    pools: Pools
    host: Host
    checking: Checking
    deadlines: Deadlines

    def expected_share(self, family: str) -> float:
        """Return which share of the dense int8 rate a product of `family` is expected to reach."""
        named = [one.share for one in self.expected if family in one.families]
        return (named or [one.share for one in self.expected if not one.families])[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedAssumptions:
    """Assumptions with the digest of the file that they came from."""

    assumptions: Assumptions
    sha256: str


@cache
def load_assumptions() -> LoadedAssumptions:
    """Read the assumptions that come with gpuaudit.

    Raises:
        MalformedFileError: The file is at fault; a test reads it.
    """
    data = resources.files("gpuaudit.challenge").joinpath("sizing.toml").read_bytes()
    return LoadedAssumptions(
        assumptions=load_toml(Assumptions, data, place="sizing.toml"), sha256=hashlib.sha256(data).hexdigest()
    )
