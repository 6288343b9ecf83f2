"""Two calls made without pynvml's wrappers, which leave too much to the library beneath.

pynvml sizes the array of processes by what the library says, twice that and five: one that says two thousand million would have
this program killed for its memory. And its array for field values has no room behind its end, where NVML was seen to write [1].
The C function still comes from pynvml, so that whatever stands beneath it answers here too.

Source:
    [1] nvitop 1.7.2, api/libnvml.py, nvmlDeviceGetFieldValues.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import pynvml

from gpuaudit.attester.nvml.answers import malformed
from gpuaudit.attester.nvml.codes import RefusedError

PROCESSES_MAX: Final = 4096

# nvml.h: the members of nvmlValue_t that hold the unsigned kinds of nvmlValueType_t; the other kinds are signed or floating.
_UNSIGNED_MEMBERS: Final = {1: "as_int", 2: "as_long", 3: "as_long_long"}


class _ProcessInfo(ctypes.Structure):
    """nvml.h: nvmlProcessInfo_v2_t; nvmlProcessInfo_t of version 3 is laid out alike, but for drivers 535.43 to 535.86."""

    _fields_ = (
        ("pid", ctypes.c_uint),
        ("used_bytes", ctypes.c_ulonglong),
        ("gpu_instance", ctypes.c_uint),
        ("compute_instance", ctypes.c_uint),
    )


class _Value(ctypes.Union):
    """nvml.h: nvmlValue_t."""

    _fields_ = (("as_int", ctypes.c_uint), ("as_long", ctypes.c_ulong), ("as_long_long", ctypes.c_ulonglong))


class _FieldValue(ctypes.Structure):
    """nvml.h: nvmlFieldValue_t."""

    _fields_ = (
        ("field", ctypes.c_uint),
        ("scope", ctypes.c_uint),
        ("timestamp", ctypes.c_longlong),
        ("latency", ctypes.c_longlong),
        ("kind", ctypes.c_int),
        ("code", ctypes.c_int),
        ("value", _Value),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """One entry of a list of processes, as NVML gives it."""

    pid: int
    used_bytes: int


def running_processes(function: str, device: Any) -> tuple[Process, ...]:
    """List what runs on `device` by the C function `function`, version 2 or 3 of either list.

    Raises:
        pynvml.NVMLError: The library has no such function.
        RefusedError: It answered with a code.
        MalformedAnswerError: It counts more than `PROCESSES_MAX`.
    """
    # Twice the room: a library that writes longer entries must not write past the end.
    room = (_ProcessInfo * (2 * PROCESSES_MAX))()
    count = ctypes.c_uint(PROCESSES_MAX)
    _check(_function(function)(device, ctypes.byref(count), room))
    if count.value > PROCESSES_MAX:
        raise malformed(f"at most {PROCESSES_MAX} processes", count.value)
    return tuple(Process(pid=info.pid, used_bytes=info.used_bytes) for info in room[: count.value])


def field_value(device: Any, field: int) -> int:
    """Read one unsigned field of `device`; a field has a return code of its own.

    Raises:
        pynvml.NVMLError: The library has no nvmlDeviceGetFieldValues.
        RefusedError: The call or the field answered with a code.
        MalformedAnswerError: The field is not unsigned.
    """
    room = (_FieldValue * 2)()
    room[0].field = field
    _check(_function("nvmlDeviceGetFieldValues")(device, ctypes.c_int(1), room))
    _check(room[0].code)
    member = _UNSIGNED_MEMBERS.get(room[0].kind)
    if member is None:
        raise malformed("an unsigned field", room[0].kind)
    return int(getattr(room[0].value, member))


def _function(name: str) -> Callable[..., Any]:
    found: Callable[..., Any] = pynvml._nvmlGetFunctionPointer(name)  # noqa: SLF001 - pynvml has no public way to it
    return found


def _check(code: int) -> None:
    if code != 0:
        raise RefusedError(code)
