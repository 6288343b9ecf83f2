"""Suites on real hardware: a worker process per device, telemetry beside each run. Imports no torch itself."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from gpuaudit.evidence.host import TorchEvidence
from gpuaudit.evidence.measurement import Measurement
from gpuaudit.evidence.reading import Reason, Source, Unknown
from gpuaudit.units import Bytes
from gpuaudit.workload.bench import Progress, Target
from gpuaudit.workload.crew import Crew, no_alarm
from gpuaudit.workload.device_run import DeviceRun
from gpuaudit.workload.host_run import HostRun
from gpuaudit.workload.messages import HOST
from gpuaudit.workload.plan import steps_for
from gpuaudit.workload.progress import Tracker
from gpuaudit.workload.subjects import busy_reading, measurement_of, not_sampled, subjects_of
from gpuaudit.workload.suite import Suite, load_suite, task_of
from gpuaudit.workload.telemetry import NoSampler, Sampler
from gpuaudit.workload.torch_devices import nothing_described


class TorchBench:
    """Measures what torch can reach: CUDA devices, or the processor where there are none.

    Not safe to use from several threads, nor from one that ends before `run` returns: the kernel kills workers with the thread that
    started them.
    """

    def __init__(self, sampler: Sampler | NoSampler = NoSampler()) -> None:  # noqa: B008 - it has no state
        """Take telemetry from `sampler` beside every run."""
        self._sampler = sampler
        self._described: list[TorchEvidence] = []

    @property
    def simulated(self) -> bool:
        """Always false."""
        return False

    def describe(self) -> TorchEvidence:
        """Return what torch says of itself and of its devices, asked once, in a process of its own."""
        if not self._described:
            limits = load_suite("quick").limits
            with Crew([HOST], limits, alarm=no_alarm) as crew:
                answer = crew.describe(0)
            self._described.append(nothing_described(answer.reason, answer.detail) if isinstance(answer, Unknown) else answer)
        return self._described[0]

    def run(self, suite: Suite, targets: Sequence[Target], progress: Progress) -> tuple[Measurement, ...]:
        """Run `suite` on `targets`, and on the processor if torch reaches no accelerator.

        Returns:
            As `Bench.run`.
        """
        unreachable = self._why_unreachable()
        with tempfile.TemporaryDirectory(prefix="gpuaudit-") as folder:
            if targets and unreachable is None:
                tracker = Tracker(progress, suite, len(targets))
                with DeviceRun(suite, targets, self._sampler, Path(folder)) as devices:
                    return tuple(devices.measurements(tracker))
            spoiled = tuple(_spoiled(suite, targets, unreachable)) if unreachable is not None else ()
            with HostRun(suite, Path(folder)) as host:
                return spoiled + tuple(host.measurements(Tracker(progress, suite, 0)))

    def _why_unreachable(self) -> Unknown | None:
        """Say why torch can measure no accelerator, or None where it can."""
        devices = self.describe().devices
        if isinstance(devices, Unknown):
            return devices
        if devices.value:
            return None
        return Unknown(reason=Reason.NOT_SUPPORTED, source=Source.TORCH, detail="torch shows no CUDA device")


def _spoiled(suite: Suite, targets: Sequence[Target], why: Unknown) -> Iterator[Measurement]:
    """Yield every measurement that was planned, each Unknown for one reason (or busy, where it would have been left alone)."""
    if not targets:
        return
    for step in steps_for(suite, len(targets)):
        for spec in step.tasks:
            task = task_of(spec, free_bytes=Bytes(0), backend="none")
            for subjects in subjects_of(step, spec, targets):
                samples = busy_reading(subjects) if any(target.busy for target in subjects) else why
                yield measurement_of(step, task, subjects, samples, not_sampled(samples))
