"""Puts a simulated library beneath pynvml and takes it away again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import pynvml  # noqa: TID251 - the simulation takes the place of the library beneath it

from gpuaudit.simulated.device import SimulatedDevice
from gpuaudit.simulated.libnvml import SimulatedLibrary

# Those of the capture of eight H100, the newest of an A100 or H100 at hand.
_DRIVER_VERSION: Final = "580.105.08"
_CUDA_DRIVER_VERSION: Final = 13_000


@contextmanager
def simulated_nvml(
    devices: Sequence[SimulatedDevice],
    *,
    driver_version: str = _DRIVER_VERSION,
    cuda_driver_version: int = _CUDA_DRIVER_VERSION,
) -> Iterator[SimulatedLibrary]:
    """Let everything that asks pynvml in this process hear `devices`, until left; then pynvml is as it was before.

    What was read in between is marked as simulated, since what answered is not a library that pynvml loaded.

    Yields:
        The library, in which single functions can be replaced and calls be counted.

    Raises:
        RuntimeError: A simulation is already there; two cannot be told apart.
    """
    library = SimulatedLibrary(devices, driver_version=driver_version, cuda_driver_version=cuda_driver_version)
    with pynvml.libLoadLock:
        if isinstance(pynvml.nvmlLib, SimulatedLibrary):
            raise RuntimeError("simulated_nvml: a simulation is already beneath pynvml; leave it first")  # noqa: TRY004 - no wrong type
        # pynvml keeps function pointers for good: without clearing them on both ways, one library would answer for the other.
        pointers = pynvml._nvmlGetFunctionPointer_cache  # noqa: SLF001
        words = pynvml.NVMLError._errcode_to_string  # noqa: SLF001
        before = (pynvml.nvmlLib, pynvml._nvmlLib_refcount, dict(pointers), dict(words))  # noqa: SLF001
        pynvml.nvmlLib, pynvml._nvmlLib_refcount = library, 0  # noqa: SLF001
        pointers.clear()
    try:
        yield library
    finally:
        with pynvml.libLoadLock:
            pynvml.nvmlLib, pynvml._nvmlLib_refcount = before[:2]  # noqa: SLF001
            pointers.clear()
            pointers.update(before[2])
            words.clear()
            words.update(before[3])
