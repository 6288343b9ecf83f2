"""What a simulated device answers to NVML's questions about what it is; all of it from `device.reported` and its seat."""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any, Final

from gpuaudit.evidence.device import VirtualizationMode
from gpuaudit.simulated.device import SimulatedDevice
from gpuaudit.simulated.nvml_answers import (
    INVALID_ARGUMENT,
    REFUSED,
    SUCCESS,
    DeviceFunction,
    pair,
    put_answer,
    put_text_answer,
    text,
    traits_of,
    unsigned,
)
from gpuaudit.simulated.nvml_structs import FieldValue, PciInfo, RowRemapperHistogram, address, number, put
from gpuaudit.simulated.profile import NOT_SUPPORTED, Answer, NotSupported

_LINK_COUNT_FIELD: Final = 91
_UNSIGNED_LONG_LONG: Final = 3
# Links end at four simulated NVSwitches, at bus ids above those of any simulated device.
_SWITCHES: Final = 4
_FIRST_SWITCH_BUS: Final = 0xF0
# nvml.h: the caller promises NVML_GSP_FIRMWARE_VERSION_BUF_SIZE bytes.
_GSP_BUFFER: Final = 64


def static_functions(driver_version: str) -> dict[str, DeviceFunction]:
    """Return the functions by their C names. The GSP firmware of a driver has the driver's version."""
    return {**_identity(), **_firmware(driver_version), **_pci(), **_limits(), **_condition(), **_nvlink()}


def _identity() -> dict[str, DeviceFunction]:
    return {
        "nvmlDeviceGetName": text(lambda card: traits_of(card).name),
        "nvmlDeviceGetUUID": text(lambda card: card.uuid),
        "nvmlDeviceGetSerial": text(lambda card: card.serial if traits_of(card).serial_offered else NOT_SUPPORTED),
        "nvmlDeviceGetBrand": unsigned(lambda card: traits_of(card).brand),
        "nvmlDeviceGetArchitecture": unsigned(lambda card: traits_of(card).architecture),
        "nvmlDeviceGetCudaComputeCapability": pair(_compute_capability),
        "nvmlDeviceGetNumGpuCores": unsigned(lambda card: traits_of(card).gpu_core_count),
        "nvmlDeviceGetBoardId": unsigned(_board_id),
        "nvmlDeviceGetBoardPartNumber": text(lambda card: traits_of(card).board_part_number),
        "nvmlDeviceGetMinorNumber": unsigned(lambda card: card.index),
        "nvmlDeviceGetIndex": unsigned(lambda card: card.index),
    }


def _firmware(driver_version: str) -> dict[str, DeviceFunction]:
    def gsp(card: SimulatedDevice, buffer: Any) -> int:
        answer = driver_version if traits_of(card).gsp_firmware_offered else NOT_SUPPORTED
        return put_text_answer(answer, buffer, _GSP_BUFFER)

    return {
        "nvmlDeviceGetVbiosVersion": text(lambda card: traits_of(card).vbios_version),
        "nvmlDeviceGetInforomImageVersion": text(lambda card: traits_of(card).inforom_image_version),
        "nvmlDeviceGetInforomVersion": _inforom_version,
        "nvmlDeviceGetGspFirmwareVersion": gsp,
    }


def _pci() -> dict[str, DeviceFunction]:
    generation = unsigned(lambda card: traits_of(card).link_generation_max)
    width = unsigned(lambda card: traits_of(card).link_width_max)
    return {
        "nvmlDeviceGetPciInfo_v3": _pci_info,
        "nvmlDeviceGetMaxPcieLinkGeneration": generation,
        "nvmlDeviceGetCurrPcieLinkGeneration": generation,
        "nvmlDeviceGetMaxPcieLinkWidth": width,
        "nvmlDeviceGetCurrPcieLinkWidth": width,
    }


def _limits() -> dict[str, DeviceFunction]:
    limit = unsigned(lambda card: traits_of(card).power_limit_default_milliwatts)
    return {
        "nvmlDeviceGetMemoryBusWidth": unsigned(lambda card: traits_of(card).memory_bus_bits),
        "nvmlDeviceGetPowerManagementDefaultLimit": limit,
        "nvmlDeviceGetPowerManagementLimit": limit,
        "nvmlDeviceGetEnforcedPowerLimit": limit,
        "nvmlDeviceGetPowerManagementLimitConstraints": pair(
            lambda card: (traits_of(card).power_limit_min_milliwatts, traits_of(card).power_limit_max_milliwatts)
        ),
    }


def _condition() -> dict[str, DeviceFunction]:
    return {
        "nvmlDeviceGetEccMode": pair(lambda card: (traits_of(card).ecc_enabled, traits_of(card).ecc_enabled)),
        "nvmlDeviceGetTotalEccErrors": _ecc_errors,
        "nvmlDeviceGetRemappedRows": _remapped_rows,
        "nvmlDeviceGetRowRemapperHistogram": _remapper_histogram,
        "nvmlDeviceGetMigMode": pair(lambda card: (0, 0) if traits_of(card).mig_offered else (NOT_SUPPORTED, NOT_SUPPORTED)),
        # "Returns zero if MIG is not supported or enabled" (nvml.h): zero on a genuine A100 whose MIG is off.
        "nvmlDeviceGetMaxMigDeviceCount": unsigned(lambda _card: 0),
        "nvmlDeviceIsMigDeviceHandle": unsigned(lambda _card: 0),
        "nvmlDeviceGetVirtualizationMode": unsigned(
            lambda card: tuple(VirtualizationMode).index(traits_of(card).virtualization_mode)
        ),
    }


def _nvlink() -> dict[str, DeviceFunction]:
    return {
        "nvmlDeviceGetFieldValues": _field_values,
        "nvmlDeviceGetNvLinkState": _of_link(lambda card: int(traits_of(card).nvlinks_active)),
        "nvmlDeviceGetNvLinkVersion": _of_link(lambda card: traits_of(card).nvlink_version),
        "nvmlDeviceGetNvLinkRemotePciInfo_v2": _link_remote,
    }


def _compute_capability(card: SimulatedDevice) -> tuple[int, int]:
    major, minor = traits_of(card).compute_capability.split(".")
    return int(major), int(minor)


def _inforom_version(card: SimulatedDevice, kind: Any, buffer: Any, length: Any) -> int:
    traits = traits_of(card)
    versions = (traits.inforom_oem_version, traits.inforom_ecc_version, traits.inforom_power_version)
    if not 0 <= number(kind) < len(versions):
        return INVALID_ARGUMENT
    return put_text_answer(versions[number(kind)], buffer, number(length))


def _board_id(card: SimulatedDevice) -> int:
    # As on real cards: 0x600 for 00000000:06:00.0 in a capture.
    domain, bus, slot = _place(card.bus_id)
    return domain << 16 | bus << 8 | slot


def _place(bus_id: str) -> tuple[int, int, int]:
    domain, bus, slot = bus_id.split(":")
    return int(domain, 16), int(bus, 16), int(slot.partition(".")[0], 16)


def _pci_info(card: SimulatedDevice, target: Any) -> int:
    traits = traits_of(card)
    put(target, _pci_struct(card.bus_id, device_id=_packed(traits.device_id), subsystem_id=_packed(traits.subsystem_id)))
    return SUCCESS


def _pci_struct(bus_id: str, *, device_id: int, subsystem_id: int) -> PciInfo:
    domain, bus, slot = _place(bus_id)
    written = bus_id.upper().encode()
    return PciInfo(written[4:], domain, bus, slot, device_id, subsystem_id, written)


def _packed(pci_id: str) -> int:
    vendor, device = pci_id.split(":")
    return int(device, 16) << 16 | int(vendor, 16)


def _ecc_errors(card: SimulatedDevice, _kind: Any, _counter: Any, target: Any) -> int:
    if traits_of(card).ecc_enabled is not True:
        return REFUSED
    put(target, ctypes.c_ulonglong(0))
    return SUCCESS


def _remapped_rows(card: SimulatedDevice, *targets: Any) -> int:
    if isinstance(traits_of(card).remap_banks_max, NotSupported):
        return REFUSED
    for target in targets:
        put(target, ctypes.c_uint(0))
    return SUCCESS


def _remapper_histogram(card: SimulatedDevice, target: Any) -> int:
    banks = traits_of(card).remap_banks_max
    if isinstance(banks, NotSupported):
        return REFUSED
    put(target, RowRemapperHistogram(max=banks))
    return SUCCESS


def _field_values(card: SimulatedDevice, count: Any, values: Any) -> int:
    links = traits_of(card).nvlink_count
    for position in range(number(count)):
        value = FieldValue.from_address(address(values) + position * ctypes.sizeof(FieldValue))
        offered = value.field == _LINK_COUNT_FIELD and links > 0
        value.code = SUCCESS if offered else REFUSED
        value.kind = _UNSIGNED_LONG_LONG
        value.as_long_long = links if offered else 0
    return SUCCESS


def _of_link(get: Callable[[SimulatedDevice], Answer[int]]) -> DeviceFunction:
    return lambda card, link, target: _without_link(card, number(link)) or put_answer(get(card), target)


def _link_remote(card: SimulatedDevice, link: Any, target: Any) -> int:
    refused = _without_link(card, number(link))
    if refused or not traits_of(card).nvlinks_active:
        return refused or REFUSED
    bus = _FIRST_SWITCH_BUS + number(link) % _SWITCHES
    put(target, _pci_struct(f"00000000:{bus:02x}:00.0", device_id=0, subsystem_id=0))
    return SUCCESS


def _without_link(card: SimulatedDevice, link: int) -> int:
    """Return the code for a link that the card does not have, or success."""
    count = traits_of(card).nvlink_count
    if count == 0:
        return REFUSED
    return SUCCESS if link < count else INVALID_ARGUMENT
