"""Builds simulated machines from a line such as `a100-sxm4-80gb:8`, and single devices for scenarios."""

from __future__ import annotations

import dataclasses
import hashlib
import re
from typing import Any, Final

from gpuaudit.errors import UsageError
from gpuaudit.simulated.device import DeviceState, SimulatedDevice
from gpuaudit.simulated.profile import NotSupported, Profile, load_profile

DEVICES_MAX: Final = 64

# Long enough to tell too many from nonsense, short enough to be a number.
_COUNT: Final = re.compile(r"[1-9][0-9]{0,5}")
_BUSES_PER_DOMAIN: Final = 32
_FIRST_BUS: Final = 0x04
_BUS_STEP: Final = 4


def parse_spec(spec: str, *, seed: int = 0) -> tuple[SimulatedDevice, ...]:
    """Build the honest devices that `spec` names: `PROFILE[:COUNT]`, several with commas between them.

    The same line and seed give the same UUIDs, serial numbers and bus ids; another seed gives another machine.

    Raises:
        UsageError: An unknown profile, a count that is not a number from 1 on, or more than `DEVICES_MAX` devices in all.
    """
    profiles: list[Profile] = []
    for part in spec.split(","):
        profile, count = _part(part.strip())
        profiles += [profile] * count
        if len(profiles) > DEVICES_MAX:
            raise UsageError(f"--simulate {spec}: too many devices; expected at most {DEVICES_MAX} in all")
    return tuple(honest_device(index, profile, seed=seed) for index, profile in enumerate(profiles))


def honest_device(index: int, profile: Profile, *, seed: int = 0) -> SimulatedDevice:
    """Build a device that is what it reports."""
    return simulated_device(index, physical=profile, reported=profile, seed=seed)


def simulated_device(
    index: int,
    *,
    physical: Profile,
    reported: Profile,
    seed: int = 0,
    **changes: Any,
) -> SimulatedDevice:
    """Build a device that is one thing and reports another, in an idle state of its own.

    Args:
        index: Its place in NVML's order; decides bus id and minor number.
        physical: What it is.
        reported: What it reports; edit single values with `dataclasses.replace`.
        seed: The machine; decides UUID and serial number, together with index and product.
        changes: Fields of `SimulatedDevice` to set otherwise (`uuid`, `refuses`, `foreign_processes`, a shared `state`…).
    """
    digest = hashlib.sha256(f"gpuaudit simulated device {seed} {index} {physical.id}".encode()).hexdigest()
    domain, place = divmod(index, _BUSES_PER_DOMAIN)
    device = SimulatedDevice(
        index=index,
        reported=reported,
        physical=physical,
        uuid=f"GPU-{digest[:8]}-{digest[8:12]}-{digest[12:16]}-{digest[16:20]}-{digest[20:32]}",
        # Thirteen digits, as real serial numbers have; the last two keep those of one machine apart.
        serial=f"{int(digest[32:48], 16) % 10**11:011}{index % 100:02}",
        bus_id=f"{domain:08x}:{_FIRST_BUS + _BUS_STEP * place:02x}:00.0",
        state=_idle(reported),
    )
    return dataclasses.replace(device, **changes)


def _idle(reported: Profile) -> DeviceState:
    """Start cold and idle; the memory clock of a card in P0 stays at its maximum, as in captures."""
    clock = reported.reported.memory_clock_max_megahertz
    return DeviceState() if isinstance(clock, NotSupported) else DeviceState(memory_clock_megahertz=clock)


def _part(part: str) -> tuple[Profile, int]:
    profile_id, colon, count = part.partition(":")
    profile = load_profile(profile_id)
    if not colon:
        return profile, 1
    if not _COUNT.fullmatch(count):
        raise UsageError(
            f"--simulate {part}: count: got {count!r}, expected a whole number from 1 to {DEVICES_MAX}, as in {profile_id}:8"
        )
    return profile, int(count)
