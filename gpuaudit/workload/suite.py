"""Suites: what to run, for how long and on what terms, as data (`suites/*.toml`)."""

from __future__ import annotations

from enum import StrEnum
from importlib.resources import files
from typing import Annotated, Final, Literal, TypeAlias

from pydantic import Field

from gpuaudit.errors import UsageError
from gpuaudit.evidence.measurement import (
    CapacityTask,
    CollectiveTask,
    Company,
    Dtype,
    GemmTask,
    HostLinkTask,
    MemoryTask,
    PeerTask,
    Task,
)
from gpuaudit.evidence.record import entry
from gpuaudit.evidence.toml_file import load_toml
from gpuaudit.units import Bytes

_FOLDER: Final = files("gpuaudit.workload") / "suites"
_Positive: TypeAlias = Annotated[int, Field(gt=0)]
_Share: TypeAlias = Annotated[float, Field(gt=0, le=1)]
_Duration: TypeAlias = Annotated[float, Field(gt=0)]


class Scope(StrEnum):
    """On what the tasks of a step run.

    `device`: on each device. `pairs`: on every pair of devices, both orders where the direction matters. `group`: on all of them
    together. `host`: on the processor, and only where no accelerator can be reached.
    """

    DEVICE = "device"
    PAIRS = "pairs"
    GROUP = "group"
    HOST = "host"


@entry
class GemmSpec:
    """A matrix product; see `GemmTask`."""

    kind: Literal["gemm"]
    dtype: Dtype
    m: _Positive
    n: _Positive
    k: _Positive
    layout: Literal["nn", "nt", "tn", "tt"] = "tn"


@entry
class MemorySpec:
    """Traffic in the device's memory; see `MemoryTask`."""

    kind: Literal["copy", "read", "triad", "cached-copy"]
    working_set_bytes: _Positive


@entry
class CapacitySpec:
    """Fill `free_share` of what is free, at most `most_bytes`, in blocks of `block_bytes`."""

    kind: Literal["capacity"]
    free_share: _Share
    block_bytes: _Positive
    most_bytes: _Positive


@entry
class LinkSpec:
    """Traffic between host and device or between devices; see `HostLinkTask`, `PeerTask` and `CollectiveTask`."""

    kind: Literal[
        "host-to-device", "device-to-host", "host-duplex", "peer-one-way", "peer-both-ways", "all-reduce", "all-to-all"
    ]
    buffer_bytes: _Positive


Spec: TypeAlias = Annotated[GemmSpec | MemorySpec | CapacitySpec | LinkSpec, Field(discriminator="kind")]


@entry
class Sampling:
    """When warm-up and sampling end.

    Sampling ends once the 95 % interval of the median is within `interval_relative` on either side, and not before `least_runs`; at
    `most_runs`; or when the budget of the step is spent. Warm-up ends once two blocks in a row, each of `warmup_block_seconds`,
    differ by less than `warmup_relative`, or at `warmup_share` of the budget. A run takes at least `shortest_run_seconds`: shorter
    tasks are repeated within it. Operands are rotated through `rotation_bytes`. No interval is claimed to be narrower than
    `drift_relative`, which is what a machine of the kind drifts by between one moment and another: a measurement of a second
    cannot see it.
    """

    interval_relative: _Share
    least_runs: Annotated[int, Field(ge=3)]
    most_runs: _Positive
    warmup_relative: _Share
    warmup_block_seconds: _Duration
    warmup_share: _Share
    shortest_run_seconds: _Duration
    rotation_bytes: _Positive
    drift_relative: Annotated[float, Field(ge=0, le=1)]


@entry
class Limits:
    """Where the run is cut off, per worker: to start, and beyond a step's budget; and the temperature that ends it."""

    start_seconds: _Duration
    grace_seconds: _Duration
    stop_celsius: _Positive


@entry
class Expected:
    """What the plan reckons with beside the budgets: measured times, and the power for the estimate of energy."""

    start_seconds: _Duration
    prepare_seconds: _Duration
    group_seconds: _Duration
    watts_per_device: _Duration
    basis: str


@entry
class Step:
    """Tasks run one after the other on the same terms. With `telemetry` off it shows what sampling beside the run costs."""

    name: str
    scope: Scope
    company: Company
    budget_seconds: _Duration
    least_seconds: Annotated[float, Field(ge=0)] = 0
    telemetry: bool = True
    tasks: Annotated[tuple[Spec, ...], Field(min_length=1)]


@entry
class Suite:
    """A named list of steps with its terms; `host_sampling` holds for the processor."""

    schema: Literal[1]
    name: str
    about: str
    sampling: Sampling
    host_sampling: Sampling
    limits: Limits
    expected: Expected
    steps: Annotated[tuple[Step, ...], Field(min_length=1)]


def suite_names() -> tuple[str, ...]:
    """Name the suites that there are, in alphabetical order."""
    return tuple(sorted(file.name.removesuffix(".toml") for file in _FOLDER.iterdir() if file.name.endswith(".toml")))


def load_suite(name: str) -> Suite:
    """Read the suite called `name`.

    Raises:
        UsageError: There is none of that name.
        MalformedFileError: Its file breaks the format.
    """
    known = suite_names()
    if name not in known:
        raise UsageError(f"suite: got {name!r}, expected one of {', '.join(known)}")
    return load_toml(Suite, (_FOLDER / f"{name}.toml").read_bytes(), place=f"{name}.toml")


def task_of(spec: Spec, *, free_bytes: Bytes, backend: str) -> Task:
    """Turn `spec` into the task that evidence will name.

    Args:
        spec: What the suite asks for.
        free_bytes: Memory that the device has free now; only a capacity task depends on it.
        backend: What carries a collective.
    """
    match spec:
        case GemmSpec():
            return GemmTask(dtype=spec.dtype, m=spec.m, n=spec.n, k=spec.k, layout=spec.layout)
        case MemorySpec():
            return MemoryTask(kind=spec.kind, working_set_bytes=Bytes(spec.working_set_bytes))
        case CapacitySpec():
            wanted = min(int(free_bytes * spec.free_share), spec.most_bytes)
            block = min(spec.block_bytes, wanted)
            return CapacityTask(requested_bytes=Bytes(wanted - wanted % block if block else 0), block_bytes=Bytes(block))
        case LinkSpec():
            return _link_task(spec, backend)


def _link_task(spec: LinkSpec, backend: str) -> Task:
    size = Bytes(spec.buffer_bytes)
    match spec.kind:
        case "host-to-device" | "device-to-host" | "host-duplex":
            return HostLinkTask(kind=spec.kind, buffer_bytes=size)
        case "peer-one-way" | "peer-both-ways":
            return PeerTask(kind=spec.kind, buffer_bytes=size)
        case "all-reduce" | "all-to-all":
            return CollectiveTask(kind=spec.kind, buffer_bytes=size, backend=backend)
