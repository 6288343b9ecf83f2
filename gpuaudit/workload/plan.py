"""What a suite will do on a number of devices, step by step, and what it will cost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from gpuaudit.evidence.measurement import Company
from gpuaudit.units import Seconds
from gpuaudit.workload.suite import LinkSpec, Scope, Spec, Step, Suite


@dataclass(frozen=True, slots=True, kw_only=True)
class PlannedStep:
    """One line of the plan: how many measurements it gives, and how long it may take."""

    name: str
    measurements: int
    seconds: Seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """How long a run may take and what it may use; `basis` says what the energy was reckoned from."""

    seconds: Seconds
    joules: float
    basis: str


def plan(suite: Suite, device_count: int) -> tuple[PlannedStep, ...]:
    """List what a run of `suite` on `device_count` devices does, in order; 0 devices means the host's processor.

    Each task is planned with its whole budget, so that a run which becomes steady early ends before its plan.
    """
    start = Seconds(suite.expected.start_seconds)
    return (
        PlannedStep(name="start a process, load torch and ask what it sees", measurements=0, seconds=start),
        PlannedStep(name="start a process per device and load torch", measurements=0, seconds=start),
        *(_planned(suite, step, device_count) for step in steps_for(suite, device_count)),
    )


def estimate(suite: Suite, device_count: int) -> Estimate:
    """Add up the plan of `suite` for `device_count` devices.

    The energy is that of the devices alone, each at the assumed power for as long as work runs on any of them.
    """
    steps = plan(suite, device_count)
    seconds = Seconds(sum(step.seconds for step in steps))
    watts = suite.expected.watts_per_device * max(device_count, 1)
    return Estimate(seconds=seconds, joules=seconds * watts, basis=suite.expected.basis)


def steps_for(suite: Suite, device_count: int) -> Iterator[Step]:
    """Yield the steps of `suite` that `device_count` devices can run: none between devices where there is only one."""
    for step in suite.steps:
        needed = {Scope.HOST: 0, Scope.DEVICE: 1, Scope.PAIRS: 2, Scope.GROUP: 2}[step.scope]
        if (device_count == 0) == (step.scope is Scope.HOST) and device_count >= needed:
            yield step


def _planned(suite: Suite, step: Step, device_count: int) -> PlannedStep:
    turns = sum(_subjects(step, spec, device_count) for spec in step.tasks)
    together = step.scope is Scope.DEVICE and step.company is Company.TOGETHER
    rounds = len(step.tasks) if together else turns
    each = max(step.budget_seconds, step.least_seconds) + suite.expected.prepare_seconds
    group = suite.expected.group_seconds if step.scope is Scope.GROUP else 0.0
    return PlannedStep(name=step.name, measurements=turns, seconds=Seconds(rounds * each + group))


def _subjects(step: Step, spec: Spec, device_count: int) -> int:
    """Count the measurements that one task of a step gives."""
    match step.scope:
        case Scope.DEVICE:
            return device_count
        case Scope.PAIRS:
            ordered = device_count * (device_count - 1)
            return ordered if isinstance(spec, LinkSpec) and spec.kind == "peer-one-way" else ordered // 2
        case Scope.GROUP | Scope.HOST:
            return 1
