"""What a device says that it is: names and numbers, its place on the bus, the firmware on its board."""

from __future__ import annotations

from typing import Any, Final

from gpuaudit.attester.nvml.answers import bus_id, compute_capability, device_id, number, subsystem_id, text
from gpuaudit.attester.nvml.read import Reader
from gpuaudit.evidence.device import FirmwareReadings, IdentityReadings, PciReadings
from gpuaudit.evidence.reading import Reason, Source, Unknown

# Values of nvmlInforomObject_t in nvml.h.
_OEM: Final = 0
_ECC: Final = 1
_POWER: Final = 2

# nvidia-smi prints the part number of the GPU, but gets it from an interface that NVIDIA does not publish.
_NO_PUBLIC_CALL: Final = Unknown(
    reason=Reason.NOT_ATTEMPTED,
    source=Source.NVML,
    detail="NVML has no public call for the part number of the GPU; nvidia-smi -q -x prints it",
)


def read_identity(reader: Reader, device: Any) -> IdentityReadings:
    """Ask who the device is."""
    return IdentityReadings(
        name=reader.read("nvmlDeviceGetName", device, of=text),
        uuid=reader.read("nvmlDeviceGetUUID", device, of=text),
        serial=reader.read("nvmlDeviceGetSerial", device, of=text),
        brand=reader.read("nvmlDeviceGetBrand", device, of=number),
        architecture=reader.read("nvmlDeviceGetArchitecture", device, of=number),
        compute_capability=reader.read("nvmlDeviceGetCudaComputeCapability", device, of=compute_capability),
        gpu_core_count=reader.read("nvmlDeviceGetNumGpuCores", device, of=number),
        board_id=reader.read("nvmlDeviceGetBoardId", device, of=number),
        board_part_number=reader.read("nvmlDeviceGetBoardPartNumber", device, of=text),
        gpu_part_number=_NO_PUBLIC_CALL,
        minor_number=reader.read("nvmlDeviceGetMinorNumber", device, of=number),
    )


def read_pci(reader: Reader, device: Any) -> PciReadings:
    """Ask where the device sits and how wide its link is; the widths as NVML gives them, not those of the slot."""
    return PciReadings(
        bus_id=reader.read("nvmlDeviceGetPciInfo", device, of=bus_id),
        device_id=reader.read("nvmlDeviceGetPciInfo", device, of=device_id),
        subsystem_id=reader.read("nvmlDeviceGetPciInfo", device, of=subsystem_id),
        link_generation_max=reader.read("nvmlDeviceGetMaxPcieLinkGeneration", device, of=number),
        link_generation_current=reader.read("nvmlDeviceGetCurrPcieLinkGeneration", device, of=number),
        link_width_max=reader.read("nvmlDeviceGetMaxPcieLinkWidth", device, of=number),
        link_width_current=reader.read("nvmlDeviceGetCurrPcieLinkWidth", device, of=number),
    )


def read_firmware(reader: Reader, device: Any) -> FirmwareReadings:
    """Ask for the versions of VBIOS, InfoROM and GSP firmware."""
    return FirmwareReadings(
        vbios_version=reader.read("nvmlDeviceGetVbiosVersion", device, of=text),
        inforom_image_version=reader.read("nvmlDeviceGetInforomImageVersion", device, of=text),
        inforom_oem_version=reader.read("nvmlDeviceGetInforomVersion", device, _OEM, of=text),
        inforom_ecc_version=reader.read("nvmlDeviceGetInforomVersion", device, _ECC, of=text),
        inforom_power_version=reader.read("nvmlDeviceGetInforomVersion", device, _POWER, of=text),
        gsp_firmware_version=reader.read("nvmlDeviceGetGspFirmwareVersion", device, of=text),
    )
