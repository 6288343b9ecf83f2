"""NVML functions that answer as an adversary wants, to be put in the place of the simulated ones."""

from __future__ import annotations

from typing import Any

from gpuaudit.simulated.libnvml import CFunction
from gpuaudit.simulated.nvml_answers import REFUSED, put_answer, put_text_answer
from gpuaudit.simulated.nvml_structs import Memory, number, put


def says(text: str) -> CFunction:
    """Make `f(char *buffer, unsigned length)` that gives `text`."""
    return lambda buffer, length: put_text_answer(text, buffer, number(length))


def memory_of(total_bytes: int, *, used_bytes: int) -> CFunction:
    """Make `nvmlDeviceGetMemoryInfo` that gives these sizes, whether they fit together or not; free is all of it."""

    def function(_handle: Any, target: Any) -> int:
        put(target, Memory(total=total_bytes, free=total_bytes, used=used_bytes))
        return 0

    return function


def mig_enabled(_handle: Any, current: Any, pending: Any) -> int:
    """Say that MIG mode is on."""
    return put_answer(1, current) or put_answer(1, pending)


def refused(*_arguments: Any) -> int:
    """Refuse, as a library does whose card does not offer this."""
    return REFUSED
