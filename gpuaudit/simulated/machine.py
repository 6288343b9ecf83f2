"""A whole simulated machine: cards beneath pynvml, a bench with a timing model, and a tree of files that fits."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Final

from gpuaudit.attester.interpreter import Interpreter
from gpuaudit.attester.machine import Machine
from gpuaudit.simulated.bench import SimulatedBench
from gpuaudit.simulated.device import SimulatedDevice
from gpuaudit.simulated.host import AS_REPORTED, SIMULATED_INTERPRETER, HostFiles, View, write_host
from gpuaudit.simulated.nvml import simulated_nvml

DRIVER_VERSION: Final = "580.105.08"
_NO_FILES: Final[Mapping[str, str]] = MappingProxyType({})


@contextmanager
def simulated_machine(  # noqa: PLR0913 - each plays one part of a machine, all by name
    devices: Sequence[SimulatedDevice],
    *,
    seed: int = 0,
    ambient_celsius: float = 30.0,
    pci: View = AS_REPORTED,
    proc: View = AS_REPORTED,
    kernel_driver_version: str = DRIVER_VERSION,
    files: Mapping[str, str] = _NO_FILES,
    interpreter: Interpreter = SIMULATED_INTERPRETER,
) -> Iterator[Machine]:
    """Put a simulated machine in place until left; then pynvml is as before and its files are gone.

    Without further arguments the machine is honest, and equal devices, seed and clock give equal evidence. Work changes the
    state of `devices`: build them anew for a second run that is to be equal.

    Args:
        devices: The cards, as NVML shows them; none at all is a machine with a driver and no card.
        seed: The machine; decides its ids, its name and the jitter of its measurements.
        ambient_celsius: How warm the room is.
        pci: What the kernel lists on the PCI bus: `HIDDEN`, or other devices.
        proc: What `/proc/driver/nvidia` lists: `HIDDEN`, or other devices.
        kernel_driver_version: The version that the kernel module says of itself; NVML says `DRIVER_VERSION`.
        files: Further files by absolute path, or others in the place of honest ones: a preload, a table of mounts.
        interpreter: The Python process that collects.

    Raises:
        RuntimeError: A simulation is already in place.
    """
    host = HostFiles(devices=devices, pci=pci, proc=proc, driver_version=kernel_driver_version, seed=seed, files=files)
    bench = SimulatedBench(devices, seed, ambient_celsius=ambient_celsius)
    with TemporaryDirectory(prefix="gpuaudit-simulated-") as folder, simulated_nvml(devices, driver_version=DRIVER_VERSION):
        write_host(Path(folder), host)
        yield Machine(root=Path(folder), interpreter=lambda: interpreter, bench=bench)
