"""The shapes that NVML's C functions share: one number, two numbers, a text, each through a pointer, and a return code.

Each function here makes one C function out of a question to a simulated device.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable
from typing import Any, Final, TypeAlias

from gpuaudit.simulated.device import SimulatedDevice
from gpuaudit.simulated.nvml_structs import number, put, put_text
from gpuaudit.simulated.profile import Answer, NotSupported, ReportedTraits

# Takes the device in place of its handle, then the C arguments; returns a code.
DeviceFunction: TypeAlias = Callable[..., int]

# Return codes from nvml.h.
SUCCESS: Final = 0
INVALID_ARGUMENT: Final = 2
REFUSED: Final = 3
NOT_FOUND: Final = 6
INSUFFICIENT_SIZE: Final = 7
VERSION_MISMATCH: Final = 25


def traits_of(card: SimulatedDevice) -> ReportedTraits:
    """Return what the card reports, whatever it is."""
    return card.reported.reported


def put_answer(answer: Answer[int], target: Any) -> int:
    """Write an unsigned int, or refuse."""
    if isinstance(answer, NotSupported):
        return REFUSED
    put(target, ctypes.c_uint(answer))
    return SUCCESS


def put_text_answer(answer: Answer[str], buffer: Any, length: int) -> int:
    """Write text into a buffer of `length` bytes, or refuse."""
    if isinstance(answer, NotSupported):
        return REFUSED
    if len(answer.encode()) >= length:
        return INSUFFICIENT_SIZE
    put_text(buffer, answer)
    return SUCCESS


def text(get: Callable[[SimulatedDevice], Answer[str]]) -> DeviceFunction:
    """Make `f(device, char *buffer, unsigned length)`."""
    return lambda card, buffer, length: put_text_answer(get(card), buffer, number(length))


def unsigned(get: Callable[[SimulatedDevice], Answer[int]]) -> DeviceFunction:
    """Make `f(device, unsigned *value)`."""
    return lambda card, target: put_answer(get(card), target)


def long(get: Callable[[SimulatedDevice], int]) -> DeviceFunction:
    """Make `f(device, unsigned long long *value)`."""

    def function(card: SimulatedDevice, target: Any) -> int:
        put(target, ctypes.c_ulonglong(get(card)))
        return SUCCESS

    return function


def pair(get: Callable[[SimulatedDevice], tuple[Answer[int], Answer[int]]]) -> DeviceFunction:
    """Make `f(device, unsigned *first, unsigned *second)`."""

    def function(card: SimulatedDevice, first: Any, second: Any) -> int:
        answers = get(card)
        return put_answer(answers[0], first) or put_answer(answers[1], second)

    return function
