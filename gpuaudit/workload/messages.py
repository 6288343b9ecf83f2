"""What the run and a worker process say to each other: one JSON object per line."""

from __future__ import annotations

from typing import Annotated, Final, Literal, TypeAlias

from pydantic import Field

from gpuaudit.evidence.codec import dump, load
from gpuaudit.evidence.host import TorchEvidence
from gpuaudit.evidence.measurement import Samples, Task
from gpuaudit.evidence.reading import Reading, Reason
from gpuaudit.evidence.record import record
from gpuaudit.units import Seconds
from gpuaudit.workload.suite import Sampling, Spec

# In place of a UUID: the worker is for the processor.
HOST: Final = "host"


@record
class Single:
    """The task runs on the worker's own device."""

    kind: Literal["single"] = "single"


@record
class WithPeer:
    """The task runs between the worker's devices `first_uuid` and `second_uuid`."""

    kind: Literal["with-peer"] = "with-peer"
    first_uuid: str
    second_uuid: str


@record
class InGroup:
    """The task runs over `size` workers that meet at the file `meeting_file`; rank 0 measures."""

    kind: Literal["in-group"] = "in-group"
    rank: int
    size: int
    meeting_file: str


Partners: TypeAlias = Annotated[Single | WithPeer | InGroup, Field(discriminator="kind")]


@record
class Describe:
    """Ask for what torch says of all devices."""

    kind: Literal["describe"] = "describe"


@record
class Measure:
    """Ask for one measurement. The worker answers `Ready`, waits for `Go`, and answers `Measured`."""

    kind: Literal["measure"] = "measure"
    spec: Spec
    partners: Partners
    sampling: Sampling
    budget_seconds: float
    least_seconds: float


@record
class Go:
    """Let the work begin."""

    kind: Literal["go"] = "go"


@record
class Opened:
    """The worker has loaded torch and opened its device."""

    kind: Literal["opened"] = "opened"


@record
class Failed:
    """The worker cannot open its device and ends."""

    kind: Literal["failed"] = "failed"
    reason: Reason
    detail: str


@record
class Described:
    """What torch says."""

    kind: Literal["described"] = "described"
    torch: TorchEvidence


@record
class Ready:
    """Everything is allocated; the worker waits for `Go`."""

    kind: Literal["ready"] = "ready"


@record
class Measured:
    """A measurement is over. `began` and `ended` are on the machine's monotonic clock."""

    kind: Literal["measured"] = "measured"
    task: Task
    samples: Reading[Samples]
    began: Seconds
    ended: Seconds


@record
class ToWorker:
    """One line to a worker."""

    say: Annotated[Describe | Measure | Go, Field(discriminator="kind")]


@record
class FromWorker:
    """One line from a worker."""

    say: Annotated[Opened | Failed | Described | Ready | Measured, Field(discriminator="kind")]


def line_to(say: Describe | Measure | Go) -> bytes:
    """Write a line to a worker."""
    return dump(ToWorker, ToWorker(say=say)) + b"\n"


def line_from(say: Opened | Failed | Described | Ready | Measured) -> bytes:
    """Write a line from a worker."""
    return dump(FromWorker, FromWorker(say=say)) + b"\n"


def read_to(line: bytes) -> Describe | Measure | Go:
    """Read a line to a worker.

    Raises:
        AuthenticityError: It is not one.
    """
    return load(ToWorker, line, place="line to worker").say


def read_from(line: bytes) -> Opened | Failed | Described | Ready | Measured:
    """Read a line from a worker.

    Raises:
        AuthenticityError: It is not one.
    """
    return load(FromWorker, line, place="line from worker").say
