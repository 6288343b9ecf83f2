"""Which devices may be loaded: never one that somebody else works on, unless told so."""

from __future__ import annotations

from typing import Final

from gpuaudit.evidence.device import DeviceEvidence, NvmlEvidence
from gpuaudit.evidence.reading import Known, Reading, Reason, Unknown
from gpuaudit.units import Bytes
from gpuaudit.workload.bench import Target

# Some drivers count what they keep for themselves as used: 388 to 869 MiB in captures of a T4 to an A100.
_DRIVERS_OWN_BYTES: Final = Bytes(2 * 1024**3)


def targets_of(nvml: NvmlEvidence, *, busy_ok: bool) -> tuple[Target, ...]:
    """Name the devices to measure, by UUID, in NVML's order, and which of them are to be left alone.

    A device without a known UUID is left out: nothing else joins a measurement to it. Several with the same UUID are one target,
    in use if any of them is.

    Args:
        nvml: What NVML told before any work of ours began.
        busy_ok: Whether to load devices that are, or may be, in use.
    """
    in_use: dict[str, bool] = {}
    for device in nvml.devices:
        uuid = device.identity.uuid
        if isinstance(uuid, Known):
            in_use[uuid.value] = in_use.get(uuid.value, False) or not _is_idle(device)
    return tuple(Target(uuid=uuid, busy=busy and not busy_ok) for uuid, busy in in_use.items())


def _is_idle(device: DeviceEvidence) -> bool:
    """Whether NVML says that nothing runs there.

    An unreadable list counts as in use: harm cannot be undone, a missing measurement can be asked for with `--busy-ok`. One
    exception: where compute processes are known to be none and the device does not support the list of graphics processes, there
    is nothing that could draw. And where the lists are empty but memory is taken, it is somebody else's: inside a container NVML
    lists only the container's own processes.
    """
    processes = device.processes
    drawing = processes.graphics_count
    nothing_draws = _is_none(drawing) or (isinstance(drawing, Unknown) and drawing.reason is Reason.NOT_SUPPORTED)
    return _is_none(processes.compute_count) and nothing_draws and not _is_taken(device.memory.used_bytes)


def _is_none(count: Reading[int]) -> bool:
    return isinstance(count, Known) and count.value == 0


def _is_taken(used: Reading[Bytes]) -> bool:
    return isinstance(used, Known) and used.value > _DRIVERS_OWN_BYTES
