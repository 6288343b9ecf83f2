"""Which devices the tasks of a step run on, and in whose absence a measurement is Unknown."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations, permutations

from gpuaudit.evidence.measurement import Measurement, Samples, Task
from gpuaudit.evidence.reading import Reading, Reason, Source, Unknown
from gpuaudit.evidence.telemetry import Telemetry
from gpuaudit.workload.amounts import method_of
from gpuaudit.workload.bench import Target
from gpuaudit.workload.suite import LinkSpec, Scope, Spec, Step


def subjects_of(step: Step, spec: Spec, targets: Sequence[Target]) -> Iterator[tuple[Target, ...]]:
    """Yield the targets of each measurement that `spec` gives in `step`.

    A collective runs over the targets that are not busy, if these are two at least; else over all, where it will be Unknown.
    """
    match step.scope:
        case Scope.HOST:
            yield ()
        case Scope.DEVICE:
            yield from ((target,) for target in targets)
        case Scope.PAIRS:
            one_way = isinstance(spec, LinkSpec) and spec.kind == "peer-one-way"
            yield from permutations(targets, 2) if one_way else combinations(targets, 2)
        case Scope.GROUP:
            idle = tuple(target for target in targets if not target.busy)
            yield idle if len(idle) > 1 else tuple(targets)


def busy_reading(subjects: Sequence[Target]) -> Unknown:
    """Say that `subjects` are left alone because others work on some of them."""
    busy = ", ".join(target.uuid for target in subjects if target.busy)
    return Unknown(
        reason=Reason.BUSY,
        source=Source.WORKLOAD,
        detail=f"processes of others run on {busy}; --busy-ok would load it all the same",
    )


def not_sampled(reading: Reading[Samples]) -> Unknown:
    """Say that there is no telemetry because there are no samples."""
    detail = reading.detail if isinstance(reading, Unknown) else "measured without sampling, to show what sampling costs"
    return Unknown(reason=Reason.NOT_ATTEMPTED, source=Source.NVML, detail=detail)


def measurement_of(
    step: Step, task: Task, subjects: Sequence[Target], samples: Reading[Samples], telemetry: Reading[Telemetry]
) -> Measurement:
    """Put together what goes into the evidence."""
    return Measurement(
        task=task,
        method=method_of(task),
        subjects=tuple(target.uuid for target in subjects),
        company=step.company,
        samples=samples,
        telemetry=telemetry,
    )
