"""Adversaries that say of a card what it is not. What it can do stays as it is."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Final

from gpuaudit.errors import UsageError
from gpuaudit.simulated.adversaries.adversary import Control, adversary
from gpuaudit.simulated.adversaries.stage import Stage
from gpuaudit.simulated.device import SimulatedDevice
from gpuaudit.simulated.host import AS_REPORTED
from gpuaudit.simulated.profile import ReportedTraits, known_profiles, load_profile

NAME_FIELDS: Final = frozenset({"name"})
ID_FIELDS: Final = frozenset(
    {
        "device_id",
        "subsystem_id",
        "board_part_number",
        "vbios_version",
        "inforom_image_version",
        "inforom_oem_version",
        "inforom_ecc_version",
        "inforom_power_version",
    }
)
ALL_FIELDS: Final = frozenset(field.name for field in dataclasses.fields(ReportedTraits))


@adversary("renamed-as", controls=Control.NAME, takes="PROFILE")
def renamed(stage: Stage, profile: str) -> Stage:
    """Print another product's name and leave everything else: a wrapper, a patched pynvml, a mock of nvidia-smi."""
    return _report(stage, profile, NAME_FIELDS)


@adversary("ids-of", controls=Control.NVML, takes="PROFILE")
def with_ids(stage: Stage, profile: str) -> Stage:
    """Report another product's PCI ids, part numbers and firmware versions: a reflashed board, or a shim of NVML."""
    return _report(stage, profile, ID_FIELDS)


@adversary("nvml-of", controls=Control.NVML, takes="PROFILE")
def with_all_of_nvml(stage: Stage, profile: str) -> Stage:
    """Report another product in every value that NVML gives, and leave the kernel's views: a replaced libnvidia-ml."""
    return _report(stage, profile, ALL_FIELDS)


@adversary("forgot", controls=Control.NVML, takes="FIELD")
def but_forgot(stage: Stage, field: str) -> Stage:
    """Leave one value as the card has it: a forger who overlooked something. Comes after the forgery."""
    if field not in ALL_FIELDS:
        raise UsageError(f"--adversary forgot={field}: expected one of {', '.join(sorted(ALL_FIELDS))}")
    return _each(stage, lambda device: _mixed(device, device.physical.reported, frozenset({field})))


@adversary("kernel-too", controls=Control.KERNEL)
def with_the_kernel(stage: Stage, _: str) -> Stage:
    """Let the kernel's views list what NVML shows: a fake driver, or a kernel of the host's own."""
    return dataclasses.replace(stage, pci=AS_REPORTED, proc=AS_REPORTED)


@adversary("name-form", controls=Control.NAME, takes="TEXT")
def with_a_name_that_no_driver_prints(stage: Stage, name: str) -> Stage:
    """Print any name at all, such as `NVIDIA Graphics Device`, which a driver prints for a board that it does not know."""

    def change(device: SimulatedDevice) -> SimulatedDevice:
        return _with_reported(device, dataclasses.replace(device.reported.reported, name=name))

    return _each(stage, change)


def _report(stage: Stage, profile: str, fields: frozenset[str]) -> Stage:
    if profile not in known_profiles():
        raise UsageError(f"--adversary: there is no profile {profile!r}; expected one of {', '.join(known_profiles())}")
    return reporting(stage, load_profile(profile).reported, fields)


def reporting(stage: Stage, traits: ReportedTraits, fields: frozenset[str]) -> Stage:
    """Let every card report these `fields` of `traits`, whatever it is."""
    return _each(stage, lambda device: _mixed(device, traits, fields))


def _mixed(device: SimulatedDevice, traits: ReportedTraits, fields: frozenset[str]) -> SimulatedDevice:
    taken = {field: getattr(traits, field) for field in fields}
    return _with_reported(device, dataclasses.replace(device.reported.reported, **taken))


def _with_reported(device: SimulatedDevice, reported: ReportedTraits) -> SimulatedDevice:
    clock = reported.memory_clock_max_megahertz
    if isinstance(clock, int):
        device.state.memory_clock_megahertz = clock
    return dataclasses.replace(device, reported=dataclasses.replace(device.reported, reported=reported))


def _each(stage: Stage, change: Callable[[SimulatedDevice], SimulatedDevice]) -> Stage:
    return dataclasses.replace(stage, devices=tuple(change(device) for device in stage.devices))
