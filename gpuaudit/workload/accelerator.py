"""What the measuring code needs of a device: to prepare a task and to time runs of it."""

from __future__ import annotations

from typing import Protocol

from gpuaudit.evidence.measurement import Task
from gpuaudit.evidence.reading import Reason
from gpuaudit.units import Bytes, Seconds


class NotMeasurableError(Exception):
    """A task cannot be measured on a device, for a reason that goes into the evidence."""

    def __init__(self, reason: Reason, detail: str) -> None:
        """Say why, in the evidence's terms."""
        super().__init__(detail)
        self.reason = reason
        self.detail = detail


class Kernel(Protocol):
    """A task with its operands in place, ready to be run many times."""

    def amount_per_pass(self) -> float:
        """Return what one pass works off: flop, bytes moved, or bytes found right in the last pass."""
        ...

    def time(self, runs: int, *, passes: int) -> tuple[Seconds, ...]:
        """Time `runs` runs of `passes` passes each, and return after the device has finished the last.

        Raises:
            NotMeasurableError: The device failed.
        """
        ...

    def release(self) -> None:
        """Give back every buffer; the kernel is not used again."""
        ...


class Accelerator(Protocol):
    """A device that runs tasks and times itself doing so.

    Implemented by `workload.torch_accelerator.TorchAccelerator` and `simulated.accelerator.SimulatedAccelerator`.
    """

    @property
    def simulated(self) -> bool:
        """Whether the times are modelled."""
        ...

    def now(self) -> Seconds:
        """Return the time on the clock by which budgets are kept; it only moves forward."""
        ...

    def free_bytes(self) -> Bytes:
        """Return how much device memory can be allocated now."""
        ...

    def prepare(self, task: Task, *, rotation_bytes: Bytes) -> Kernel:
        """Allocate and fill the operands of `task`.

        Args:
            task: What to run.
            rotation_bytes: Operands are provided in as many sets as it takes to span this much memory, and used in turn, so that
                a cache does not serve them. 0 means one set.

        Raises:
            NotMeasurableError: The device lacks what the task needs, or has too little memory.
        """
        ...
