"""Whether a device is whole and sound: ECC, remapped rows, MIG, virtualisation."""

from __future__ import annotations

from collections.abc import Callable
from operator import itemgetter
from typing import Any, Final

from gpuaudit.attester.nvml.answers import flag, mig_mode, number, virtualization_mode
from gpuaudit.attester.nvml.read import Reader
from gpuaudit.evidence.device import PartitionReadings, ReliabilityReadings

# Values of nvmlMemoryErrorType_t and nvmlEccCounterType_t in nvml.h; the aggregate counts over the card's life.
_CORRECTED: Final = 0
_UNCORRECTED: Final = 1
_AGGREGATE: Final = 1


def read_reliability(reader: Reader, device: Any) -> ReliabilityReadings:
    """Ask for ECC and remapped rows: correctable, uncorrectable, pending, failed, as nvmlDeviceGetRemappedRows orders them."""
    return ReliabilityReadings(
        ecc_enabled=reader.read("nvmlDeviceGetEccMode", device, of=_current_flag),
        ecc_corrected_total=reader.read("nvmlDeviceGetTotalEccErrors", device, _CORRECTED, _AGGREGATE, of=number),
        ecc_uncorrected_total=reader.read("nvmlDeviceGetTotalEccErrors", device, _UNCORRECTED, _AGGREGATE, of=number),
        remapped_rows_correctable=reader.read("nvmlDeviceGetRemappedRows", device, of=_number_at(0)),
        remapped_rows_uncorrectable=reader.read("nvmlDeviceGetRemappedRows", device, of=_number_at(1)),
        remapped_rows_pending=reader.read("nvmlDeviceGetRemappedRows", device, of=_flag_at(2)),
        remapped_rows_failed=reader.read("nvmlDeviceGetRemappedRows", device, of=_flag_at(3)),
        remap_banks_max=reader.read("nvmlDeviceGetRowRemapperHistogram", device, of=_max),
    )


def read_partition(reader: Reader, device: Any) -> PartitionReadings:
    """Ask whether this is a whole card, cut into slices, or a share of one."""
    return PartitionReadings(
        mig_mode=reader.read("nvmlDeviceGetMigMode", device, of=mig_mode),
        mig_device_count_max=reader.read("nvmlDeviceGetMaxMigDeviceCount", device, of=number),
        virtualization_mode=reader.read("nvmlDeviceGetVirtualizationMode", device, of=virtualization_mode),
    )


def _current_flag(modes: Any) -> bool:
    current, _pending = modes
    return flag(current)


def _max(histogram: Any) -> int:
    return number(histogram.max)


def _number_at(position: int) -> Callable[[Any], int]:
    pick = itemgetter(position)
    return lambda answer: number(pick(answer))


def _flag_at(position: int) -> Callable[[Any], bool]:
    pick = itemgetter(position)
    return lambda answer: flag(pick(answer))
