"""One accelerator as NVML reports it.

Every field is a reading, in the unit in which NVML gives it. Nothing here is compared, rounded or corrected: what a value
means is for the appraisal. Field names follow NVML's functions.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Final

from pydantic import Field

from gpuaudit.evidence.reading import Reading
from gpuaudit.evidence.record import record
from gpuaudit.units import Bytes, Megahertz, Milliwatts

# Sixteen times the largest server sold; what a library may claim beyond it is not read, and not appraised.
DEVICES_MAX: Final = 256


class MigMode(StrEnum):
    """Whether the card is cut into Multi-Instance GPU slices (nvmlDeviceGetMigMode)."""

    DISABLED = "disabled"
    ENABLED = "enabled"


class VirtualizationMode(StrEnum):
    """How the card reaches this system (nvmlDeviceGetVirtualizationMode)."""

    NONE = "none"
    PASSTHROUGH = "passthrough"
    VGPU = "vgpu"
    HOST_VGPU = "host-vgpu"
    HOST_VSGA = "host-vsga"


@record
class IdentityReadings:
    """What the card says that it is."""

    name: Reading[str]
    uuid: Reading[str]
    serial: Reading[str]
    brand: Reading[int]
    architecture: Reading[int]
    compute_capability: Reading[str]
    gpu_core_count: Reading[int]
    board_id: Reading[int]
    board_part_number: Reading[str]
    gpu_part_number: Reading[str]
    minor_number: Reading[int]


@record
class PciReadings:
    """The card on its bus, as NVML tells it; `pci.py` holds what the kernel tells.

    Ids are lower-case hexadecimal, `vvvv:dddd` (vendor:device), as in pci.ids.
    """

    bus_id: Reading[str]
    device_id: Reading[str]
    subsystem_id: Reading[str]
    link_generation_max: Reading[int]
    link_generation_current: Reading[int]
    link_width_max: Reading[int]
    link_width_current: Reading[int]


@record
class FirmwareReadings:
    """Versions of what is stored on the board."""

    vbios_version: Reading[str]
    inforom_image_version: Reading[str]
    inforom_oem_version: Reading[str]
    inforom_ecc_version: Reading[str]
    inforom_power_version: Reading[str]
    gsp_firmware_version: Reading[str]


@record
class MemoryReadings:
    """Frame buffer and BAR1."""

    total_bytes: Reading[Bytes]
    reserved_bytes: Reading[Bytes]
    used_bytes: Reading[Bytes]
    free_bytes: Reading[Bytes]
    bus_width_bits: Reading[int]
    bar1_total_bytes: Reading[Bytes]
    bar1_used_bytes: Reading[Bytes]


@record
class ClockReadings:
    """SM and memory clocks when the card was read."""

    sm_current_megahertz: Reading[Megahertz]
    sm_max_megahertz: Reading[Megahertz]
    memory_current_megahertz: Reading[Megahertz]
    memory_max_megahertz: Reading[Megahertz]
    throttle_reasons_mask: Reading[int]


@record
class PowerReadings:
    """Power limits and draw, in milliwatts; temperature in degrees Celsius."""

    limit_default_milliwatts: Reading[Milliwatts]
    limit_enforced_milliwatts: Reading[Milliwatts]
    limit_min_milliwatts: Reading[Milliwatts]
    limit_max_milliwatts: Reading[Milliwatts]
    draw_milliwatts: Reading[Milliwatts]
    temperature_celsius: Reading[int]


@record
class ReliabilityReadings:
    """ECC and remapped rows. Genuine machines often hide these; they decide nothing."""

    ecc_enabled: Reading[bool]
    ecc_corrected_total: Reading[int]
    ecc_uncorrected_total: Reading[int]
    remapped_rows_correctable: Reading[int]
    remapped_rows_uncorrectable: Reading[int]
    remapped_rows_pending: Reading[bool]
    remapped_rows_failed: Reading[bool]
    remap_banks_max: Reading[int]


@record
class PartitionReadings:
    """Whether this is a whole card."""

    mig_mode: Reading[MigMode]
    mig_device_count_max: Reading[int]
    virtualization_mode: Reading[VirtualizationMode]


@record
class NvLinkReadings:
    """One NVLink of the card, by NVML's link number."""

    link: int
    active: Reading[bool]
    version: Reading[int]
    remote_bus_id: Reading[str]


@record
class ProcessReadings:
    """What else runs on the card: how many and how much memory, never who."""

    compute_count: Reading[int]
    graphics_count: Reading[int]
    used_bytes: Reading[Bytes]


@record
class DeviceEvidence:
    """One device that NVML counts, in NVML's order; listed also when it could not be opened."""

    index: int
    identity: IdentityReadings
    pci: PciReadings
    firmware: FirmwareReadings
    memory: MemoryReadings
    clocks: ClockReadings
    power: PowerReadings
    reliability: ReliabilityReadings
    partition: PartitionReadings
    nvlinks: Reading[tuple[NvLinkReadings, ...]]
    processes: ProcessReadings


@record
class NvmlEvidence:
    """Everything that NVML told: about itself, the system and each device.

    `device_count` may exceed or undercut `len(devices)` only if the count itself could not be read.
    """

    driver_version: Reading[str]
    nvml_version: Reading[str]
    cuda_driver_version: Reading[int]
    confidential_compute_feature: Reading[int]
    device_count: Reading[int]
    devices: Annotated[tuple[DeviceEvidence, ...], Field(max_length=DEVICES_MAX)]
