"""Profiles of simulated cards: what a genuine card of a product answers, and what it can do.

One TOML file per product under `profiles/`, named for its id in the catalogue, every value with its source beside it. A value
without a source is left out, and the simulated NVML then refuses the question as a card that does not offer it would.
"""

from __future__ import annotations

from functools import cache
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Final, Literal, TypeAlias, TypeVar

from gpuaudit.errors import UsageError
from gpuaudit.evidence.device import VirtualizationMode
from gpuaudit.evidence.measurement import Dtype
from gpuaudit.evidence.record import entry
from gpuaudit.evidence.toml_file import load_toml

T = TypeVar("T")


@entry
class PhysicalTraits:
    """What the card can do. Rates are dense peaks at the boost clock; a dtype that is missing is one the card lacks.

    `peer_bytes_per_second_one_way` is GPU to GPU over NVLink; 0 means over the host link.
    """

    dense_flop_per_second: dict[Dtype, float]
    sm_count: int
    sm_clock_boost_megahertz: int
    memory_bytes: int
    memory_bytes_per_second: float
    l2_bytes: int
    host_link_bytes_per_second_one_way: float
    peer_bytes_per_second_one_way: float
    power_limit_milliwatts: int


@entry
class NotSupported:
    """The card does not offer this: NVML answers with code 3."""


NOT_SUPPORTED: Final = NotSupported()

Answer: TypeAlias = T | NotSupported


@entry
class ReportedTraits:
    """What the card's own software says of it: the static answers of the simulated NVML.

    Ids are `vvvv:dddd`; `brand` and `architecture` are the numbers of nvml.h. `serial_offered` and `gsp_firmware_offered` say
    whether the card has an answer, which then comes from its seat and from the driver; `mig_offered`, whether it knows MIG, which
    is always off. `nvlinks_active` is False where links exist and nothing is plugged into them. `virtualization_mode` belongs to
    the machine rather than to the product; it is that of the machine on which the card was captured, or bare metal.
    """

    name: str
    brand: Answer[int] = NOT_SUPPORTED
    architecture: int
    compute_capability: str
    gpu_core_count: int
    device_id: str
    subsystem_id: str
    serial_offered: bool
    board_part_number: Answer[str] = NOT_SUPPORTED
    vbios_version: Answer[str] = NOT_SUPPORTED
    inforom_image_version: Answer[str] = NOT_SUPPORTED
    inforom_oem_version: Answer[str] = NOT_SUPPORTED
    inforom_ecc_version: Answer[str] = NOT_SUPPORTED
    inforom_power_version: Answer[str] = NOT_SUPPORTED
    gsp_firmware_offered: bool = False
    link_generation_max: Answer[int] = NOT_SUPPORTED
    link_width_max: Answer[int] = NOT_SUPPORTED
    memory_total_bytes: int
    memory_reserved_bytes: Answer[int] = NOT_SUPPORTED
    memory_bus_bits: Answer[int] = NOT_SUPPORTED
    bar1_total_bytes: Answer[int] = NOT_SUPPORTED
    sm_clock_max_megahertz: Answer[int] = NOT_SUPPORTED
    memory_clock_max_megahertz: Answer[int] = NOT_SUPPORTED
    power_limit_default_milliwatts: int
    power_limit_min_milliwatts: Answer[int] = NOT_SUPPORTED
    power_limit_max_milliwatts: Answer[int] = NOT_SUPPORTED
    ecc_enabled: Answer[bool] = NOT_SUPPORTED
    remap_banks_max: Answer[int] = NOT_SUPPORTED
    mig_offered: bool
    virtualization_mode: VirtualizationMode = VirtualizationMode.NONE
    nvlink_count: int
    nvlink_version: Answer[int] = NOT_SUPPORTED
    nvlinks_active: bool = True


@entry
class Profile:
    """One product as it is simulated. `sources` are numbered as the comments in the file cite them."""

    schema: Literal[1]
    id: str
    title: str
    sources: tuple[str, ...]
    reported: ReportedTraits
    physical: PhysicalTraits


def known_profiles() -> tuple[str, ...]:
    """Return the ids of all profiles, in alphabetical order."""
    return tuple(sorted(file.name.removesuffix(".toml") for file in _folder().iterdir() if file.name.endswith(".toml")))


@cache
def load_profile(profile_id: str) -> Profile:
    """Load the profile called `profile_id`.

    Raises:
        UsageError: There is none of that name.
        MalformedFileError: Its file breaks the format.
    """
    if profile_id not in known_profiles():
        raise UsageError(f"--simulate: there is no profile {profile_id!r}; expected one of {', '.join(known_profiles())}")
    return load_toml(Profile, (_folder() / f"{profile_id}.toml").read_bytes(), place=f"{profile_id}.toml")


def _folder() -> Traversable:
    return resources.files("gpuaudit.simulated") / "profiles"
