"""What a measuring run needs and gives, whatever stands beneath it.

`workload.torch_bench.TorchBench` measures hardware, `simulated.bench.SimulatedBench` models it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from gpuaudit.evidence.host import TorchEvidence
from gpuaudit.evidence.measurement import Measurement
from gpuaudit.units import Seconds
from gpuaudit.workload.suite import Suite


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A device to measure, by the UUID that NVML gives it.

    A `busy` one has processes of others on it and is left alone: its measurements are Unknown for that reason.
    """

    uuid: str
    busy: bool = False


class Progress(Protocol):
    """Is told how far a run has come; a bar on a terminal, or nothing."""

    def update(self, step: str, *, fraction: float, left: Seconds) -> None:
        """Take note that `step` begins, with `fraction` (0 to 1) of the planned time behind and `left` seconds ahead."""
        ...


class SilentProgress:
    """Tells nobody."""

    def update(self, step: str, *, fraction: float, left: Seconds) -> None:
        """Do nothing."""


class Bench(Protocol):
    """Runs suites of workloads on a machine's devices.

    An implementation leaves nothing running or allocated when `run` returns or raises, and turns whatever a device does (a crash,
    a hang, too little memory, too much heat) into an Unknown of the measurements it spoils; the others stand.
    """

    @property
    def simulated(self) -> bool:
        """Whether the times are modelled; decides the origin in the signed evidence."""
        ...

    def describe(self) -> TorchEvidence:
        """Return what the measuring library itself says of the devices."""
        ...

    def run(self, suite: Suite, targets: Sequence[Target], progress: Progress) -> tuple[Measurement, ...]:
        """Measure all that `suite` plans for `targets`, or for the host's processor where no accelerator can be reached.

        Returns:
            One measurement per planned task and subject, in the order of the plan, also where its samples are Unknown.
        """
        ...
