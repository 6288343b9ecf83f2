"""A machine on which adversaries play, before it is put in place: what is there, what is said, and what stands between."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final, TypeAlias

import pynvml  # noqa: TID251 - functions of the library beneath it are put in the place of others

from gpuaudit.attester.machine import Machine
from gpuaudit.evidence.host import TorchEvidence
from gpuaudit.evidence.measurement import Measurement
from gpuaudit.simulated.device import SimulatedDevice
from gpuaudit.simulated.host import View
from gpuaudit.simulated.libnvml import CFunction, SimulatedLibrary
from gpuaudit.simulated.machine import simulated_machine
from gpuaudit.workload.bench import Bench, Progress, Target
from gpuaudit.workload.suite import Suite

Doctor: TypeAlias = Callable[[Measurement], Measurement]

_AMBIENT_CELSIUS: Final = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Everything that an adversary may change. Each adversary takes a stage and returns another.

    Attributes:
        devices: What NVML shows; `physical` of each is what it is.
        pci: What the kernel lists on its bus.
        proc: What `/proc/driver/nvidia` lists.
        files: Files of the machine, by absolute path.
        ambient_celsius: How warm the room is.
        functions: NVML functions in the place of others, by name.
        doctors: What happens to a measurement before it goes into the evidence; only who owns our process can do that.
        seed: The machine, as `parse_spec` takes it.
    """

    devices: Sequence[SimulatedDevice]
    pci: View
    proc: View
    files: Mapping[str, str] = field(default_factory=dict)
    ambient_celsius: float = _AMBIENT_CELSIUS
    functions: Mapping[str, CFunction] = field(default_factory=dict)
    doctors: tuple[Doctor, ...] = ()
    seed: int = 0


def honest_stage(devices: Sequence[SimulatedDevice], *, seed: int = 0) -> Stage:
    """Return a stage on which nobody has changed anything.

    The kernel lists the cards as they are, whatever NVML is made to say later: a library is replaced more easily than a kernel.
    """
    cards = tuple(devices)
    return Stage(devices=cards, pci=cards, proc=cards, seed=seed)


@contextmanager
def on_stage(stage: Stage) -> Iterator[Machine]:
    """Put the machine in place until left, as `simulated_machine` does."""
    with simulated_machine(
        stage.devices,
        seed=stage.seed,
        ambient_celsius=stage.ambient_celsius,
        pci=stage.pci,
        proc=stage.proc,
        files=stage.files,
    ) as machine:
        library = pynvml.nvmlLib
        assert isinstance(library, SimulatedLibrary)  # noqa: S101 - simulated_machine has just put it there
        for name, function in stage.functions.items():
            library.replace(name, function)
        doctored: Bench = _DoctoredBench(machine.bench, stage.doctors)
        yield dataclasses.replace(machine, bench=doctored)


class _DoctoredBench:
    """A bench whose measurements are changed on their way into the evidence."""

    def __init__(self, bench: Bench, doctors: Sequence[Doctor]) -> None:
        self._bench = bench
        self._doctors = tuple(doctors)

    @property
    def simulated(self) -> bool:
        """Always true."""
        return True

    def describe(self) -> TorchEvidence:
        """Return what the bench beneath says."""
        return self._bench.describe()

    def run(self, suite: Suite, targets: Sequence[Target], progress: Progress) -> tuple[Measurement, ...]:
        """Run the bench beneath and change what it gives."""
        measurements = self._bench.run(suite, targets, progress)
        for doctor in self._doctors:
            measurements = tuple(doctor(one) for one in measurements)
        return measurements
