"""What NVML's return codes mean.

The numbers are those of `nvmlReturn_t` in nvml.h, not pynvml's constants: pynvml lacks words for the newest, and its
`str(error)` then asks the library for them, a call that could hang.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from gpuaudit.evidence.reading import Reason, Source, Unknown

FUNCTION_NOT_FOUND: Final = 13

# https://github.com/NVIDIA/go-nvml gen/nvml/nvml.h, nvmlReturn_t (2026-11-23)
_MEANINGS: Final[Mapping[int, tuple[Reason, str]]] = MappingProxyType(
    {
        1: (Reason.FAULT, "NVML is not initialised"),
        2: (Reason.FAULT, "an argument was refused"),
        3: (Reason.NOT_SUPPORTED, "the device does not offer this"),
        4: (Reason.NO_PERMISSION, "no permission"),
        5: (Reason.FAULT, "already initialised"),
        6: (Reason.NOT_FOUND, "not found"),
        7: (Reason.FAULT, "the answer did not fit"),
        8: (Reason.FAULT, "the card lacks external power"),
        9: (Reason.NOT_FOUND, "the NVIDIA driver is not loaded"),
        10: (Reason.TIMED_OUT, "the driver timed out"),
        11: (Reason.FAULT, "the card's interrupts do not arrive"),
        12: (Reason.NOT_FOUND, "there is no NVML library (libnvidia-ml.so.1)"),
        FUNCTION_NOT_FOUND: (Reason.NOT_SUPPORTED, "the library has no such function"),
        14: (Reason.FAULT, "the InfoROM is corrupted"),
        15: (Reason.LOST, "the GPU has fallen off the bus"),
        16: (Reason.LOST, "the GPU needs a reset"),
        17: (Reason.NO_PERMISSION, "the operating system or a cgroup blocks the device"),
        18: (Reason.FAULT, "library and kernel driver are of different versions"),
        19: (Reason.BUSY, "in use"),
        20: (Reason.OUT_OF_MEMORY, "out of memory"),
        21: (Reason.NOT_FOUND, "no data"),
        22: (Reason.NOT_SUPPORTED, "not offered while ECC is on"),
        23: (Reason.BUSY, "out of a resource other than memory"),
        24: (Reason.NOT_SUPPORTED, "the frequency is not supported"),
        25: (Reason.NOT_SUPPORTED, "the library does not know this version of the question"),
        26: (Reason.NOT_SUPPORTED, "deprecated"),
        27: (Reason.BUSY, "not ready"),
        28: (Reason.NOT_FOUND, "no GPU was found"),
        29: (Reason.FAULT, "not possible in the present state"),
        30: (Reason.NOT_SUPPORTED, "this kind of reset is not supported"),
        999: (Reason.FAULT, "internal driver error"),
    }
)


class RefusedError(Exception):
    """NVML answered a call with a return code other than success."""

    def __init__(self, code: int) -> None:
        """Keep `code`, any number that the library chose to return."""
        super().__init__(code)
        self.code = code


def refusal(function: str, code: object) -> Unknown:
    """Say that `function` answered with `code`: any value, in nvml.h or not."""
    known = _MEANINGS.get(code) if isinstance(code, int) else None
    reason, words = known or (Reason.FAULT, "a code that nvml.h does not have")
    return Unknown(reason=reason, source=Source.NVML, detail=f"{function} returned {code} ({words})")
