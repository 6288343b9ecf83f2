"""Adversaries that show more cards than there are."""

from __future__ import annotations

import dataclasses

from gpuaudit.errors import UsageError
from gpuaudit.simulated.adversaries.adversary import Control, adversary, number_of
from gpuaudit.simulated.adversaries.stage import Stage
from gpuaudit.simulated.device import SimulatedDevice
from gpuaudit.simulated.spec import DEVICES_MAX, honest_device


@adversary("one-card-as", controls=Control.NVML, takes="COUNT")
def one_card_as_many(stage: Stage, count: str) -> Stage:
    """Show one card so many times, each with a UUID and a bus id of its own: a shim of NVML that inflates the count."""
    shown = int(number_of("one-card-as", count, low=1, high=DEVICES_MAX))
    first = _only(stage)
    return dataclasses.replace(
        stage,
        devices=tuple(
            dataclasses.replace(
                honest_device(index, first.physical, seed=stage.seed), reported=first.reported, state=first.state
            )
            for index in range(shown)
        ),
    )


@adversary("twins", controls=Control.NVML)
def all_with_one_uuid(stage: Stage, _: str) -> Stage:
    """Give every card the UUID of the first: the cheap way to list one card several times."""
    first = stage.devices[0].uuid
    return dataclasses.replace(
        stage, devices=tuple(dataclasses.replace(device, uuid=first, state=stage.devices[0].state) for device in stage.devices)
    )


def _only(stage: Stage) -> SimulatedDevice:
    if len(stage.devices) != 1:
        raise UsageError(
            f"--adversary one-card-as: got {len(stage.devices)} cards, expected one, as in --simulate a100-sxm4-80gb"
        )
    return stage.devices[0]
