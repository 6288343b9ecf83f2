"""Adversaries that keep something from being read, or put something else in its place."""

from __future__ import annotations

import dataclasses
from typing import Final

from gpuaudit.errors import UsageError
from gpuaudit.simulated.adversaries.adversary import Control, adversary
from gpuaudit.simulated.adversaries.functions import says
from gpuaudit.simulated.adversaries.stage import Stage
from gpuaudit.simulated.device import SimulatedDevice
from gpuaudit.simulated.host import HIDDEN

_NOT_SUPPORTED: Final = 3
_ORDINARY_MOUNTS: Final = "22 1 0:21 / /proc rw - proc proc rw\n23 1 0:22 / /sys rw - sysfs sysfs rw\n"
_OVERLAY: Final = "41 22 0:50 /gpus /proc/driver/nvidia/gpus rw - tmpfs tmpfs rw\n"
# Reported by a Linux machine in the field; NVIDIA gave that number to a driver for Windows only.
_WINDOWS_VERSION: Final = "591.86"


@adversary("hidden-proc", controls=Control.NOTHING)
def without_proc(stage: Stage, _: str) -> Stage:
    """Show no `/proc/driver/nvidia`, as in many containers of honest providers."""
    return dataclasses.replace(stage, proc=HIDDEN)


@adversary("hidden-pci", controls=Control.NOTHING)
def without_pci(stage: Stage, _: str) -> Stage:
    """Show no PCI bus, as some sandboxes of honest providers do."""
    return dataclasses.replace(stage, pci=HIDDEN)


@adversary("withheld", controls=Control.NVML, takes="FUNCTION")
def withholding(stage: Stage, function: str) -> Stage:
    """Let NVML refuse one of its functions on every card."""
    if not function.startswith("nvml"):
        raise UsageError(f"--adversary withheld={function}: expected a C function of NVML, such as nvmlDeviceGetMemoryInfo_v2")

    def refusing(device: SimulatedDevice) -> SimulatedDevice:
        return dataclasses.replace(device, refuses={**device.refuses, function: _NOT_SUPPORTED})

    return dataclasses.replace(stage, devices=tuple(refusing(device) for device in stage.devices))


@adversary("overlay", controls=Control.KERNEL)
def with_another_folder_over_proc(stage: Stage, _: str) -> Stage:
    """Mount a folder of one's own over `/proc/driver/nvidia/gpus`, listing what NVML shows."""
    files = {**stage.files, "/proc/self/mountinfo": _ORDINARY_MOUNTS + _OVERLAY}
    return dataclasses.replace(stage, proc=tuple(stage.devices), files=files)


@adversary("windows-driver", controls=Control.NVML)
def with_a_driver_for_windows(stage: Stage, _: str) -> Stage:
    """Let NVML give a driver version that exists for another operating system only, as a careless mock does."""
    return dataclasses.replace(stage, functions={**stage.functions, "nvmlSystemGetDriverVersion": says(_WINDOWS_VERSION)})
