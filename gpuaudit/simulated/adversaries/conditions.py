"""What happens to honest machines: heat, caps, other tenants. No adversary, and never to be called another product."""

from __future__ import annotations

import dataclasses
from typing import Final

from gpuaudit.simulated.adversaries.adversary import Control, adversary, number_of
from gpuaudit.simulated.adversaries.functions import says
from gpuaudit.simulated.adversaries.partial import with_physical
from gpuaudit.simulated.adversaries.stage import Stage
from gpuaudit.simulated.device import SimulatedDevice
from gpuaudit.simulated.profile import PhysicalTraits

# Half of what a card at its limit rises above the air (`simulated.card`), and just below where the suites stop.
_WARMED_BY_CELSIUS: Final = 25
_HOTTEST_CELSIUS: Final = 88


@adversary("hot-room", controls=Control.NOTHING, takes="CELSIUS")
def in_a_hot_room(stage: Stage, celsius: str) -> Stage:
    """Let the air be this warm, and the cards have worked in it for a while: they throttle, or stop the suite."""
    warm = number_of("hot-room", celsius, low=0, high=80)
    for device in stage.devices:
        device.state.temperature_celsius = min(_HOTTEST_CELSIUS, round(warm + _WARMED_BY_CELSIUS))
    return dataclasses.replace(stage, ambient_celsius=warm)


@adversary("capped", controls=Control.NOTHING, takes="SHARE")
def capped(stage: Stage, share: str) -> Stage:
    """Let the clock reach this share of its own at most, as under a low power limit. Memory keeps its rate."""
    part = number_of("capped", share, low=0.05, high=1)

    def slower(traits: PhysicalTraits) -> PhysicalTraits:
        return dataclasses.replace(
            traits,
            dense_flop_per_second={dtype: rate * part for dtype, rate in traits.dense_flop_per_second.items()},
            sm_clock_boost_megahertz=int(traits.sm_clock_boost_megahertz * part),
        )

    return dataclasses.replace(stage, devices=tuple(with_physical(device, slower) for device in stage.devices))


@adversary("shared", controls=Control.NOTHING, takes="TENANTS")
def shared(stage: Stage, tenants: str) -> Stage:
    """Let so many tenants use each card in turn, ours among them, none of whom NVML lists."""
    part = 1 / number_of("shared", tenants, low=1, high=8)

    def slower(traits: PhysicalTraits) -> PhysicalTraits:
        return dataclasses.replace(
            traits,
            dense_flop_per_second={dtype: rate * part for dtype, rate in traits.dense_flop_per_second.items()},
            memory_bytes_per_second=traits.memory_bytes_per_second * part,
        )

    return dataclasses.replace(stage, devices=tuple(with_physical(device, slower) for device in stage.devices))


@adversary("busy", controls=Control.NOTHING)
def busy(stage: Stage, _: str) -> Stage:
    """Let a process of somebody else run on each card, where NVML lists it."""

    def used(device: SimulatedDevice) -> SimulatedDevice:
        return dataclasses.replace(device, foreign_processes=1)

    return dataclasses.replace(stage, devices=tuple(used(device) for device in stage.devices))


@adversary("new-driver", controls=Control.NOTHING)
def with_a_driver_that_nobody_has_seen(stage: Stage, _: str) -> Stage:
    """Run a driver newer than any at the time of writing, in NVML and in the kernel alike."""
    version = "999.10.01"
    text = f"NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  {version}  Release Build  (simulated)\n"
    return dataclasses.replace(
        stage,
        files={**stage.files, "/proc/driver/nvidia/version": text},
        functions={**stage.functions, "nvmlSystemGetDriverVersion": says(version)},
    )
