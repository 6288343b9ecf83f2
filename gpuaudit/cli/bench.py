"""`gpuaudit bench`."""

from __future__ import annotations

import json
import statistics
from collections import Counter
from typing import Final

from gpuaudit.cli import console
from gpuaudit.cli.collect import DEFAULT_SUITE, SIMULATED_HEAD, Collection, collect, nonce_of
from gpuaudit.cli.commands import command_app
from gpuaudit.cli.format import Format, as_json, as_table, in_prefixed
from gpuaudit.cli.options import AdversaryOption, BusyOption, FormatOption, QuietOption, SimulateOption, SuiteOption
from gpuaudit.evidence.bundle import EvidenceBundle, Origin
from gpuaudit.evidence.codec import encode
from gpuaudit.evidence.measurement import (
    CapacityTask,
    CollectiveTask,
    Dtype,
    GemmTask,
    HostLinkTask,
    Measurement,
    MemoryTask,
    PeerTask,
    Samples,
    Task,
)
from gpuaudit.evidence.reading import Known, Unknown

app = command_app()

_HEADER: Final = ("task", "devices", "on", "lowest", "median", "highest", "no value")


@app.command()
def bench(
    suite: SuiteOption = DEFAULT_SUITE,
    simulate: SimulateOption = "",
    adversary: AdversaryOption = "",
    busy_ok: BusyOption = False,
    quiet: QuietOption = False,
    format_: FormatOption = Format.TEXT,
) -> None:
    """Measure what the devices can do, and show it; seals nothing.

    Without an accelerator it measures the processor, and says so.

    Example: gpuaudit bench --simulate h100-sxm5-80gb:2

    Exit status: 0 done, also where some measurements have no value, 2 wrong usage.
    """
    console.hush(quiet=quiet)
    bundle = collect(Collection(simulate=simulate, nonce=nonce_of(""), suite=suite, busy_ok=busy_ok, adversary=adversary))
    console.result(as_json(_as_plain(bundle)) if format_ is Format.JSON else _as_text(bundle))


def _as_plain(bundle: EvidenceBundle) -> dict[str, object]:
    plain = json.loads(encode(bundle))
    return {key: plain[key] for key in ("origin", "originDetail", "suite", "torch", "measurements")}


def _as_text(bundle: EvidenceBundle) -> str:
    head = [SIMULATED_HEAD] if bundle.origin is Origin.SIMULATED else []
    groups: dict[tuple[str, str], list[Measurement]] = {}
    for measurement in bundle.measurements:
        groups.setdefault((_task(measurement.task), measurement.company.value), []).append(measurement)
    rows = [_row(task, company, group) for (task, company), group in groups.items()]
    reasons = Counter(
        f"{_task(measurement.task)}: {measurement.samples.reason}: {measurement.samples.detail}"
        for measurement in bundle.measurements
        if isinstance(measurement.samples, Unknown)
    )
    notes = [f"no value: {reason} ({count} times)" for reason, count in reasons.items()]
    return "\n".join([*head, f"suite {bundle.suite}", as_table(_HEADER, rows), *notes])


def _row(task: str, company: str, group: list[Measurement]) -> tuple[str, ...]:
    values = sorted(
        _value(one.samples.value, one.task) for one in group if isinstance(one.samples, Known) and one.samples.value.seconds
    )
    unit = _unit(group[0].task)
    ends = [in_prefixed(value, unit) for value in (values[0], statistics.median(values), values[-1])] if values else ["-"] * 3
    return (task, company, _on(group[0]), *ends, str(len(group) - len(values)))


def _value(samples: Samples, task: Task) -> float:
    """Return the rate; of a capacity, how much was found right."""
    return samples.amount_per_run if isinstance(task, CapacityTask) else samples.median_rate()


def _unit(task: Task) -> str:
    match task:
        case GemmTask():
            return "OP/s" if task.dtype is Dtype.INT8 else "FLOP/s"
        case CapacityTask():
            return "B"
        case _:
            return "B/s"


def _on(measurement: Measurement) -> str:
    if not measurement.subjects:
        return "processor"
    if isinstance(measurement.task, CollectiveTask):
        return "all devices"
    return "each pair" if isinstance(measurement.task, PeerTask) else "each device"


def _task(task: Task) -> str:
    match task:
        case GemmTask():
            shape = f"{task.m}^3" if task.m == task.n == task.k else f"{task.m}x{task.n}x{task.k}"
            return f"gemm {task.dtype.value} {shape} {task.layout}"
        case MemoryTask():
            return f"{task.kind} {in_prefixed(task.working_set_bytes, 'B')}"
        case CapacityTask():
            return f"{task.kind} {in_prefixed(task.requested_bytes, 'B')}"
        case HostLinkTask() | PeerTask() | CollectiveTask():
            return f"{task.kind} {in_prefixed(task.buffer_bytes, 'B')}"
