"""How NVML lays out memory, from nvml.h and not from pynvml, so that the simulation does not share pynvml's faults.

A C function gets the address of the caller's memory and writes there; so do these.
"""

from __future__ import annotations

import ctypes
from typing import Any, TypeAlias

Number: TypeAlias = ctypes.c_int | ctypes.c_uint | ctypes.c_ulonglong


class Memory(ctypes.Structure):
    """nvmlMemory_t."""

    _fields_ = (("total", ctypes.c_ulonglong), ("free", ctypes.c_ulonglong), ("used", ctypes.c_ulonglong))


class MemoryV2(ctypes.Structure):
    """nvmlMemory_v2_t."""

    _fields_ = (
        ("version", ctypes.c_uint),
        ("total", ctypes.c_ulonglong),
        ("reserved", ctypes.c_ulonglong),
        ("free", ctypes.c_ulonglong),
        ("used", ctypes.c_ulonglong),
    )


class Bar1Memory(ctypes.Structure):
    """nvmlBAR1Memory_t."""

    _fields_ = (("total", ctypes.c_ulonglong), ("free", ctypes.c_ulonglong), ("used", ctypes.c_ulonglong))


class PciInfo(ctypes.Structure):
    """nvmlPciInfo_t of version 3."""

    _fields_ = (
        ("bus_id_legacy", ctypes.c_char * 16),
        ("domain", ctypes.c_uint),
        ("bus", ctypes.c_uint),
        ("device", ctypes.c_uint),
        ("device_id", ctypes.c_uint),
        ("subsystem_id", ctypes.c_uint),
        ("bus_id", ctypes.c_char * 32),
    )


class RowRemapperHistogram(ctypes.Structure):
    """nvmlRowRemapperHistogramValues_t."""

    _fields_ = tuple((name, ctypes.c_uint) for name in ("max", "high", "partial", "low", "none"))


class ProcessInfo(ctypes.Structure):
    """nvmlProcessInfo_v2_t, which version 3 of the call shares."""

    _fields_ = (
        ("pid", ctypes.c_uint),
        ("used_bytes", ctypes.c_ulonglong),
        ("gpu_instance", ctypes.c_uint),
        ("compute_instance", ctypes.c_uint),
    )


class ConfComputeState(ctypes.Structure):
    """nvmlConfComputeSystemState_t."""

    _fields_ = (("environment", ctypes.c_uint), ("cc_feature", ctypes.c_uint), ("dev_tools_mode", ctypes.c_uint))


class Utilization(ctypes.Structure):
    """nvmlUtilization_t."""

    _fields_ = (("gpu", ctypes.c_uint), ("memory", ctypes.c_uint))


class TemperatureV1(ctypes.Structure):
    """nvmlTemperature_v1_t."""

    _fields_ = (("version", ctypes.c_uint), ("sensor", ctypes.c_uint), ("temperature", ctypes.c_int))


class FieldValue(ctypes.Structure):
    """nvmlFieldValue_t, with the one member of its value that the simulation uses."""

    _fields_ = (
        ("field", ctypes.c_uint),
        ("scope", ctypes.c_uint),
        ("timestamp", ctypes.c_longlong),
        ("latency", ctypes.c_longlong),
        ("kind", ctypes.c_int),
        ("code", ctypes.c_int),
        ("as_long_long", ctypes.c_ulonglong),
    )


def address(argument: Any) -> int:
    """Return where a pointer argument points: `byref(…)`, a pointer, an array or None."""
    return ctypes.cast(argument, ctypes.c_void_p).value or 0


def number(argument: Any) -> int:
    """Return a number passed by value, as ctypes passes it or plain."""
    return int(getattr(argument, "value", argument))


def put(argument: Any, value: Number | ctypes.Structure | ctypes.Array[Any]) -> None:
    """Write `value` where `argument` points, in the width of its C type."""
    ctypes.memmove(address(argument), ctypes.byref(value), ctypes.sizeof(value))


def put_handle(argument: Any, handle: int) -> None:
    """Write an opaque handle where `argument` points."""
    target = ctypes.c_void_p(handle)
    ctypes.memmove(address(argument), ctypes.byref(target), ctypes.sizeof(target))


def put_text(argument: Any, text: str) -> None:
    """Write `text` and its terminating zero where `argument` points."""
    data = text.encode("utf-8") + b"\0"
    ctypes.memmove(address(argument), data, len(data))
