"""The machine to attest, as a set of seams: its file system, this Python process, and what measures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from gpuaudit.attester.interpreter import Interpreter, running_interpreter
from gpuaudit.attester.nvml.origin import Beneath, beneath
from gpuaudit.evidence.bundle import Origin
from gpuaudit.workload.bench import Bench
from gpuaudit.workload.torch_bench import TorchBench


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What stands beneath the collectors.

    `root` is where the machine's file system begins. NVML is no field: pynvml is global, and what stands beneath it is seen by
    looking at it.
    """

    root: Path
    interpreter: Callable[[], Interpreter]
    bench: Bench


def this_machine(bench: Bench) -> Machine:
    """Return the machine that this program runs on, measured by `bench`."""
    return Machine(root=Path("/"), interpreter=running_interpreter, bench=bench)


def origin_of(machine: Machine) -> tuple[Origin, str]:
    """Decide what answered, by looking beneath, and say why.

    `hardware` only if NVML is the library that pynvml loaded itself (or there is none), the bench is torch's own, and files and
    interpreter are this machine's; anything else, a third party's fake included, is `simulated`. To be called while the machine
    is in place, after it was read.
    """
    foreign = [
        *(["pynvml's library was replaced"] if beneath() is Beneath.REPLACED else []),
        # By its type, not by its word: a fake could say of itself that it does not simulate.
        *(["the measurements are not torch's"] if machine.bench.simulated or type(machine.bench) is not TorchBench else []),
        *(["the file system is a tree of files"] if machine.root != Path("/") else []),
        *(["the interpreter is described, not running"] if machine.interpreter is not running_interpreter else []),
    ]
    if foreign:
        return Origin.SIMULATED, "; ".join(foreign)
    library = "no NVML library could be loaded" if beneath() is Beneath.ABSENT else "pynvml's own library"
    return Origin.HARDWARE, f"{library}, this machine's files, torch's measurements"
