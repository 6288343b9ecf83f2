"""One `<gpu>` of a capture to the readings of a device."""

from __future__ import annotations

import re
from typing import Final

from gpuaudit.attester.capture import values
from gpuaudit.attester.capture.document import Element
from gpuaudit.attester.capture.values import first_known, not_captured, text_at, value_at
from gpuaudit.attester.unread import unread
from gpuaudit.evidence.device import (
    ClockReadings,
    DeviceEvidence,
    FirmwareReadings,
    IdentityReadings,
    MemoryReadings,
    MigMode,
    PartitionReadings,
    PciReadings,
    PowerReadings,
    ProcessReadings,
    ReliabilityReadings,
    VirtualizationMode,
)
from gpuaudit.evidence.reading import Known, Reading, Source, Unknown
from gpuaudit.units import Bytes, Milliwatts

_NEVER: Final = "nvidia-smi -q -x does not print it"

# Numbers of nvml.h (nvmlBrandType_t, NVML_DEVICE_ARCH_*); only those whose printed word is certain.
_BRANDS: Final = {"Quadro": 1, "Tesla": 2, "GeForce": 5, "NVIDIA": 14}
_ARCHITECTURES: Final = {
    "Kepler": 2,
    "Maxwell": 3,
    "Pascal": 4,
    "Volta": 5,
    "Turing": 6,
    "Ampere": 7,
    "Ada Lovelace": 8,
    "Hopper": 9,
    "Blackwell": 10,
}
_VIRTUALIZATION: Final = {
    "None": VirtualizationMode.NONE,
    "Pass-Through": VirtualizationMode.PASSTHROUGH,
    "VGPU": VirtualizationMode.VGPU,
    "Host VGPU": VirtualizationMode.HOST_VGPU,
    "Host VSGA": VirtualizationMode.HOST_VSGA,
}
# Bits of nvmlClocksEventReason* in nvml.h by the last words of the element's name.
_EVENT_BITS: Final = {
    "gpu_idle": 0x1,
    "applications_clocks_setting": 0x2,
    "sw_power_cap": 0x4,
    "hw_slowdown": 0x8,
    "sync_boost": 0x10,
    "sw_thermal_slowdown": 0x20,
    "hw_thermal_slowdown": 0x40,
    "hw_power_brake_slowdown": 0x80,
    "display_clocks_setting": 0x100,
}
_BOARD_NUMBER: Final = re.compile(r"[0-9]{3}-[0-9A-Z]{5}-[0-9A-Z]{4}-[0-9A-Z]{3}")


def device_of(gpu: Element, index: int) -> DeviceEvidence:
    """Read one `<gpu>`, which becomes device `index`. What the schema lacks is Unknown (not captured)."""
    return DeviceEvidence(
        index=index,
        identity=_identity(gpu),
        pci=_pci(gpu),
        firmware=_firmware(gpu),
        memory=_memory(gpu),
        clocks=_clocks(gpu),
        power=_power(gpu),
        reliability=_reliability(gpu),
        partition=_partition(gpu),
        nvlinks=not_captured(f"nvlinks: {_NEVER}"),
        processes=_processes(gpu),
    )


def device_left_out(index: int) -> DeviceEvidence:
    """Make the device that a capture counts but does not show: listed, every reading Unknown."""
    unknown = not_captured("attached_gpus counts it, but the capture has no <gpu> for it")
    return DeviceEvidence(
        index=index,
        identity=unread(IdentityReadings, unknown),
        pci=unread(PciReadings, unknown),
        firmware=unread(FirmwareReadings, unknown),
        memory=unread(MemoryReadings, unknown),
        clocks=unread(ClockReadings, unknown),
        power=unread(PowerReadings, unknown),
        reliability=unread(ReliabilityReadings, unknown),
        partition=unread(PartitionReadings, unknown),
        nvlinks=unknown,
        processes=unread(ProcessReadings, unknown),
    )


def _identity(gpu: Element) -> IdentityReadings:
    board_part_number, gpu_part_number = _part_numbers(gpu)
    return IdentityReadings(
        name=text_at(gpu, "product_name"),
        uuid=text_at(gpu, "uuid"),
        serial=text_at(gpu, "serial"),
        brand=value_at(gpu, "product_brand", lambda text: values.one_of(text, _BRANDS)),
        architecture=value_at(gpu, "product_architecture", lambda text: values.one_of(text, _ARCHITECTURES)),
        compute_capability=not_captured(f"compute capability: {_NEVER}"),
        gpu_core_count=not_captured(f"core count: {_NEVER}"),
        board_id=value_at(gpu, "board_id", values.hexadecimal),
        board_part_number=board_part_number,
        gpu_part_number=gpu_part_number,
        minor_number=value_at(gpu, "minor_number", values.whole),
    )


def _part_numbers(gpu: Element) -> tuple[Reading[str], Reading[str]]:
    """Tell the numbers of board and GPU apart.

    Schemas up to v11 have no `board_part_number` and print the board's number as `gpu_part_number`: a genuine T4 of driver 515
    has 900-2G183-0000-001 there, which from v12 on is the form of the other field.
    """
    board, chip = text_at(gpu, "board_part_number"), text_at(gpu, "gpu_part_number")
    if not gpu.named("board_part_number") and isinstance(chip, Known) and _BOARD_NUMBER.fullmatch(chip.value):
        return chip, not_captured("gpu_part_number: this schema prints the board's number there")
    return board, chip


def _pci(gpu: Element) -> PciReadings:
    generations, widths = "pci/pci_gpu_link_info/pcie_gen", "pci/pci_gpu_link_info/link_widths"
    return PciReadings(
        bus_id=text_at(gpu, "pci/pci_bus_id"),
        device_id=value_at(gpu, "pci/pci_device_id", values.pci_id),
        subsystem_id=value_at(gpu, "pci/pci_sub_system_id", values.pci_id),
        link_generation_max=value_at(gpu, f"{generations}/max_link_gen", values.whole),
        link_generation_current=value_at(gpu, f"{generations}/current_link_gen", values.whole),
        link_width_max=value_at(gpu, f"{widths}/max_link_width", values.lanes),
        link_width_current=value_at(gpu, f"{widths}/current_link_width", values.lanes),
    )


def _firmware(gpu: Element) -> FirmwareReadings:
    return FirmwareReadings(
        vbios_version=text_at(gpu, "vbios_version"),
        inforom_image_version=text_at(gpu, "inforom_version/img_version"),
        inforom_oem_version=text_at(gpu, "inforom_version/oem_object"),
        inforom_ecc_version=text_at(gpu, "inforom_version/ecc_object"),
        inforom_power_version=text_at(gpu, "inforom_version/pwr_object"),
        gsp_firmware_version=text_at(gpu, "gsp_firmware_version"),
    )


def _memory(gpu: Element) -> MemoryReadings:
    return MemoryReadings(
        total_bytes=value_at(gpu, "fb_memory_usage/total", values.mebibytes),
        reserved_bytes=value_at(gpu, "fb_memory_usage/reserved", values.mebibytes),
        used_bytes=value_at(gpu, "fb_memory_usage/used", values.mebibytes),
        free_bytes=value_at(gpu, "fb_memory_usage/free", values.mebibytes),
        bus_width_bits=not_captured(f"memory bus width: {_NEVER}"),
        bar1_total_bytes=value_at(gpu, "bar1_memory_usage/total", values.mebibytes),
        bar1_used_bytes=value_at(gpu, "bar1_memory_usage/used", values.mebibytes),
    )


def _clocks(gpu: Element) -> ClockReadings:
    return ClockReadings(
        sm_current_megahertz=value_at(gpu, "clocks/sm_clock", values.megahertz),
        sm_max_megahertz=value_at(gpu, "max_clocks/sm_clock", values.megahertz),
        memory_current_megahertz=value_at(gpu, "clocks/mem_clock", values.megahertz),
        memory_max_megahertz=value_at(gpu, "max_clocks/mem_clock", values.megahertz),
        throttle_reasons_mask=first_known(
            _event_mask(gpu, "clocks_event_reasons/clocks_event_reason"),
            _event_mask(gpu, "clocks_throttle_reasons/clocks_throttle_reason"),
        ),
    )


def _event_mask(gpu: Element, prefix: str) -> Reading[int]:
    """Put the printed reasons back into NVML's mask; Known only if every one of them is."""
    mask = 0
    for words, bit in _EVENT_BITS.items():
        reading = value_at(gpu, f"{prefix}_{words}", values.active)
        if isinstance(reading, Unknown):
            return reading
        mask |= bit if reading.value else 0
    return Known(value=mask, source=Source.CAPTURE)


def _power(gpu: Element) -> PowerReadings:
    """Read power; schemas up to v11 have `power_readings`, later ones `gpu_power_readings` with other names for the limits."""

    def power(*paths: str) -> Reading[Milliwatts]:
        return first_known(*(value_at(gpu, path, values.milliwatts) for path in paths))

    old, new = "power_readings", "gpu_power_readings"
    return PowerReadings(
        limit_default_milliwatts=power(f"{new}/default_power_limit", f"{old}/default_power_limit"),
        limit_enforced_milliwatts=power(f"{new}/current_power_limit", f"{old}/enforced_power_limit"),
        limit_min_milliwatts=power(f"{new}/min_power_limit", f"{old}/min_power_limit"),
        limit_max_milliwatts=power(f"{new}/max_power_limit", f"{old}/max_power_limit"),
        draw_milliwatts=power(
            f"{new}/average_power_draw", f"{new}/instant_power_draw", f"{new}/power_draw", f"{old}/power_draw"
        ),
        temperature_celsius=value_at(gpu, "temperature/gpu_temp", values.celsius),
    )


def _reliability(gpu: Element) -> ReliabilityReadings:
    errors = "ecc_errors/aggregate"
    return ReliabilityReadings(
        ecc_enabled=value_at(gpu, "ecc_mode/current_ecc", values.enabled),
        ecc_corrected_total=_sum_of(gpu, f"{errors}/sram_correctable", f"{errors}/dram_correctable"),
        ecc_uncorrected_total=first_known(
            _sum_of(gpu, f"{errors}/sram_uncorrectable", f"{errors}/dram_uncorrectable"),
            _sum_of(
                gpu,
                f"{errors}/sram_uncorrectable_parity",
                f"{errors}/sram_uncorrectable_secded",
                f"{errors}/dram_uncorrectable",
            ),
        ),
        remapped_rows_correctable=value_at(gpu, "remapped_rows/remapped_row_corr", values.whole),
        remapped_rows_uncorrectable=value_at(gpu, "remapped_rows/remapped_row_unc", values.whole),
        remapped_rows_pending=value_at(gpu, "remapped_rows/remapped_row_pending", values.yes),
        remapped_rows_failed=value_at(gpu, "remapped_rows/remapped_row_failure", values.yes),
        remap_banks_max=value_at(gpu, "remapped_rows/row_remapper_histogram/row_remapper_histogram_max", values.banks),
    )


def _sum_of(gpu: Element, *paths: str) -> Reading[int]:
    """Add whole numbers; Unknown if any of them is."""
    total = 0
    for path in paths:
        reading = value_at(gpu, path, values.whole)
        if isinstance(reading, Unknown):
            return reading
        total += reading.value
    return Known(value=total, source=Source.CAPTURE)


def _partition(gpu: Element) -> PartitionReadings:
    modes = {"Enabled": MigMode.ENABLED, "Disabled": MigMode.DISABLED}
    return PartitionReadings(
        mig_mode=value_at(gpu, "mig_mode/current_mig", lambda text: values.one_of(text, modes)),
        mig_device_count_max=not_captured(f"largest number of MIG devices: {_NEVER}"),
        virtualization_mode=value_at(
            gpu, "gpu_virtualization_mode/virtualization_mode", lambda text: values.one_of(text, _VIRTUALIZATION)
        ),
    )


def _processes(gpu: Element) -> ProcessReadings:
    found = gpu.named("processes")
    if len(found) != 1 or (found[0].text and not found[0].children):
        # Absent, twice, or a word instead of a list.
        unknown = text_at(gpu, "processes")
        return unread(ProcessReadings, unknown if isinstance(unknown, Unknown) else not_captured("processes: not a list"))
    processes = found[0].named("process_info")
    kinds = [text_at(process, "type") for process in processes]
    return ProcessReadings(
        compute_count=_count_of(kinds, "C"), graphics_count=_count_of(kinds, "G"), used_bytes=_used_bytes(processes)
    )


def _count_of(kinds: list[Reading[str]], letter: str) -> Reading[int]:
    """Count the processes whose type (`C`, `G`, `C+G`, `M+C`) has `letter`."""
    count = 0
    for kind in kinds:
        if isinstance(kind, Unknown):
            return kind
        count += letter in kind.value.split("+")
    return Known(value=count, source=Source.CAPTURE)


def _used_bytes(processes: tuple[Element, ...]) -> Reading[Bytes]:
    total = 0
    for process in processes:
        used = value_at(process, "used_memory", values.mebibytes)
        if isinstance(used, Unknown):
            return used
        total += used.value
    return Known(value=Bytes(total), source=Source.CAPTURE)
