"""Adversaries that hand over a part of a card: a slice, a virtual one, or one with less memory than it says."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Final

from gpuaudit.catalogue.compiled import load_catalogue
from gpuaudit.catalogue.model import Attribute, Listing
from gpuaudit.errors import UsageError
from gpuaudit.evidence.device import VirtualizationMode
from gpuaudit.simulated.adversaries.adversary import Control, adversary, number_of
from gpuaudit.simulated.adversaries.functions import mig_enabled
from gpuaudit.simulated.adversaries.stage import Stage
from gpuaudit.simulated.device import SimulatedDevice
from gpuaudit.simulated.profile import PhysicalTraits, Profile

_SLICES: Final = 7
_MEMORY_SLICES: Final = 8
_GIB: Final = 1024**3
_NVLINK_FUNCTIONS: Final = ("nvmlDeviceGetNvLinkState", "nvmlDeviceGetFieldValues")
_NOT_SUPPORTED: Final = 3
# Which family of profiles a virtual card of each product belongs to.
_VIRTUAL: Final = {
    "a100-sxm4-40gb": "vgpu-a100-sxm-40",
    "a100-sxm4-80gb": "vgpu-a100-sxm-80",
    "a100-pcie-80gb": "vgpu-a100-pcie-80",
    "a800-sxm4-80gb": "vgpu-a800-sxm-80",
    "h100-sxm5-80gb": "vgpu-h100-sxm",
    "h100-pcie-80gb": "vgpu-h100-pcie",
    "h20-96gb": "vgpu-h20",
    "h200-sxm": "vgpu-h200",
    "l40s": "vgpu-l40s",
}


@adversary("mig-slice", controls=Control.CARD, takes="SEVENTHS")
def a_slice(stage: Stage, sevenths: str) -> Stage:
    """Hand over so many sevenths of each card, MIG mode shown as it is; the card's own name and memory are its parent's."""
    part = int(number_of("mig-slice", sevenths, low=1, high=_SLICES - 1))
    # A slice of three sevenths has four eighths of the memory, one of four as well (NVIDIA/mig-parted, mig-configs).
    memory = {3: 4}.get(part, part) / _MEMORY_SLICES
    sliced = _physical(stage, lambda traits: _share(traits, compute=part / _SLICES, memory=memory))
    return dataclasses.replace(sliced, functions={**stage.functions, "nvmlDeviceGetMigMode": mig_enabled})


@adversary("hidden-mig", controls=Control.NVML)
def with_its_mode_hidden(stage: Stage, _: str) -> Stage:
    """Say that MIG mode is off, whatever it is."""
    left = {name: function for name, function in stage.functions.items() if name != "nvmlDeviceGetMigMode"}
    return dataclasses.replace(stage, functions=left)


@adversary("virtual", controls=Control.CARD, takes="SHARE")
def a_virtual_card(stage: Stage, share: str) -> Stage:
    """Hand over a vGPU with this share of each card's time and memory, under a vGPU's own name, subsystem id and mode."""
    part = number_of("virtual", share, low=0.05, high=1)
    shared = _physical(stage, lambda traits: _share(traits, compute=part, memory=part))
    return dataclasses.replace(shared, devices=tuple(_virtual(device) for device in shared.devices))


@adversary("limited-to", controls=Control.CARD, takes="GIB")
def with_a_soft_limit(stage: Stage, gib: str) -> Stage:
    """Let only so much memory be had, by a preloaded library between libcuda and us; NVML goes on showing all of it."""
    limit = int(number_of("limited-to", gib, low=1, high=1024) * _GIB)
    limited = _physical(stage, lambda traits: dataclasses.replace(traits, memory_bytes=min(limit, traits.memory_bytes)))
    return dataclasses.replace(limited, files={**stage.files, "/etc/ld.so.preload": "/usr/local/vgpu/libvgpu.so\n"})


@adversary("occupied", controls=Control.NOTHING, takes="GIB")
def with_memory_taken(stage: Stage, gib: str) -> Stage:
    """Let somebody else hold so much memory of each card: a genuine card that is not given over whole."""
    taken = int(number_of("occupied", gib, low=1, high=1024) * _GIB)
    return _physical(stage, lambda traits: dataclasses.replace(traits, memory_bytes=max(2 * _GIB, traits.memory_bytes - taken)))


def _physical(stage: Stage, change: Callable[[PhysicalTraits], PhysicalTraits]) -> Stage:
    return dataclasses.replace(stage, devices=tuple(with_physical(device, change) for device in stage.devices))


def with_physical(device: SimulatedDevice, change: Callable[[PhysicalTraits], PhysicalTraits]) -> SimulatedDevice:
    """Return the card with other physics, as CUDA sees it too; what it reports through NVML stays."""
    return dataclasses.replace(device, physical=_changed(device.physical, change), reported=_changed(device.reported, change))


def _changed(profile: Profile, change: Callable[[PhysicalTraits], PhysicalTraits]) -> Profile:
    return dataclasses.replace(profile, physical=change(profile.physical))


def _share(traits: PhysicalTraits, *, compute: float, memory: float) -> PhysicalTraits:
    """Cut arithmetic by `compute`, memory, its bandwidth and L2 by `memory`; parts of cards have no links to others."""
    return dataclasses.replace(
        traits,
        dense_flop_per_second={dtype: rate * compute for dtype, rate in traits.dense_flop_per_second.items()},
        sm_count=max(1, int(traits.sm_count * compute)),
        memory_bytes=int(traits.memory_bytes * memory),
        memory_bytes_per_second=traits.memory_bytes_per_second * memory,
        l2_bytes=int(traits.l2_bytes * memory),
        peer_bytes_per_second_one_way=0.0,
    )


def _virtual(device: SimulatedDevice) -> SimulatedDevice:
    product = _VIRTUAL.get(device.physical.id)
    if product is None:
        raise UsageError(
            f"--adversary virtual: no vGPU of {device.physical.id} is known; expected one of {', '.join(_VIRTUAL)}"
        )
    virtual = load_catalogue().product(product)
    reported = dataclasses.replace(
        device.reported.reported,
        name=_first(virtual.listing(Attribute.NAMES)),
        subsystem_id=_first(virtual.listing(Attribute.PCI_SUBSYSTEM_IDS)),
        virtualization_mode=VirtualizationMode.VGPU,
        memory_total_bytes=device.physical.physical.memory_bytes,
    )
    refuses = {**device.refuses, **dict.fromkeys(_NVLINK_FUNCTIONS, _NOT_SUPPORTED)}
    return dataclasses.replace(device, reported=dataclasses.replace(device.reported, reported=reported), refuses=refuses)


def _first(listing: object) -> str:
    assert isinstance(listing, Listing)  # noqa: S101 - the catalogue lists names and subsystem ids of every vGPU family
    return listing.values[0]
