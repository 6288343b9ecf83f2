"""What was measured: a task, on which devices, every sample kept.

A rate is never stored: it is `amount_per_run / seconds`, worked out by whoever reads the evidence, so that no two numbers in
the signed bytes can disagree.
"""

from __future__ import annotations

import statistics
from enum import StrEnum
from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from gpuaudit.evidence.reading import Reading
from gpuaudit.evidence.record import record
from gpuaudit.evidence.telemetry import Telemetry
from gpuaudit.units import Bytes, Seconds


class Dtype(StrEnum):
    """Element type of a matrix product's operands."""

    FP64 = "fp64"
    FP32 = "fp32"
    TF32 = "tf32"
    BF16 = "bf16"
    FP16 = "fp16"
    FP8 = "fp8"
    INT8 = "int8"


@record
class GemmTask:
    """C (m, n) = A (m, k) @ B (k, n). `layout` is BLAS's: `tn` has A row-major and B column-major."""

    kind: Literal["gemm"] = "gemm"
    dtype: Dtype
    m: int
    n: int
    k: int
    layout: Literal["nn", "nt", "tn", "tt"]


@record
class MemoryTask:
    """Traffic in the device's own memory over `working_set_bytes`; bytes read and bytes written are both counted.

    A copy reads and writes half of the working set each, a triad reads two thirds and writes one. `cached-copy` is a copy over a
    working set that a cache may hold: several sizes give a curve with a knee, and none of them tells the memory's bandwidth.
    """

    kind: Literal["copy", "read", "triad", "cached-copy"]
    working_set_bytes: Bytes


@record
class CapacityTask:
    """Fill `requested_bytes` of device memory with unpredictable content and check it afterwards."""

    kind: Literal["capacity"] = "capacity"
    requested_bytes: Bytes
    block_bytes: Bytes


@record
class HostLinkTask:
    """Pinned host memory to the device, back, or both at once."""

    kind: Literal["host-to-device", "device-to-host", "host-duplex"]
    buffer_bytes: Bytes


@record
class PeerTask:
    """First subject to second, or both ways at once (bytes of both directions are counted)."""

    kind: Literal["peer-one-way", "peer-both-ways"]
    buffer_bytes: Bytes


@record
class CollectiveTask:
    """A collective over all subjects; `amount_per_run` is bus bytes as nccl-tests define them."""

    kind: Literal["all-reduce", "all-to-all"]
    buffer_bytes: Bytes
    backend: str


Task: TypeAlias = Annotated[
    GemmTask | MemoryTask | CapacityTask | HostLinkTask | PeerTask | CollectiveTask,
    Field(discriminator="kind"),
]


class StopReason(StrEnum):
    """Why sampling ended: the interval was narrow enough, the time was spent, or there were as many runs as asked for."""

    STEADY = "steady"
    BUDGET = "budget"
    COUNT = "count"


@record
class Samples:
    """Every kept run, in the order measured.

    `amount_per_run` counts flop (two for a multiply-add), or bytes moved, or bytes found right. A run may repeat the task where a
    single pass is too short to time; the amount is that of all passes. `half_width_relative` is that of the 95 % interval of the
    median when sampling stopped, relative to the median, or half the drift from the earlier to the later half of the runs if that
    is more, and never less than what such machines drift by anyway (the suite says); 1 where there were too few runs for an interval.
    """

    amount_per_run: float
    seconds: tuple[Seconds, ...]
    warmup_runs: int
    warmup_seconds: Seconds
    stop: StopReason
    half_width_relative: float

    def median_rate(self) -> float:
        """Return flop or bytes per second at the median of the samples.

        Raises:
            ValueError: There is no sample, or the median time is not above zero.
        """
        if not self.seconds:
            raise ValueError("samples: expected at least one run, got none")
        median = statistics.median(self.seconds)
        if median <= 0:
            raise ValueError(f"samples: expected a median above 0 s, got {median}")
        return self.amount_per_run / median


class Company(StrEnum):
    """Whether the other devices worked at the same time."""

    ALONE = "alone"
    TOGETHER = "together"


@record
class Measurement:
    """One task on its subjects, with its samples or the reason why there are none.

    `subjects` are device UUIDs; it is empty for a measurement of the host's CPU, which never stands for a device.
    """

    task: Task
    method: str
    subjects: tuple[str, ...]
    company: Company
    samples: Reading[Samples]
    telemetry: Reading[Telemetry]


def quantity(measurement: Measurement) -> str:
    """Name what was measured, as catalogue and policies name it: `gemm-bf16`, `copy`, `peer-both-ways`.

    Shape, size and company are not part of the name: several measurements of one device can have the same.
    """
    task = measurement.task
    return f"gemm-{task.dtype.value}" if isinstance(task, GemmTask) else task.kind
