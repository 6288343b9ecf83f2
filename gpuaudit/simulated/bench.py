"""A whole suite on simulated devices: the production sampling code over modelled cards, on a virtual clock."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from gpuaudit.attester.nvml.codes import refusal
from gpuaudit.evidence.host import TorchDevice, TorchEvidence
from gpuaudit.evidence.measurement import Company, Measurement, Samples
from gpuaudit.evidence.reading import Known, Reading, Reason, Source, Unknown
from gpuaudit.evidence.telemetry import Telemetry
from gpuaudit.simulated.accelerator import SimulatedAccelerator
from gpuaudit.simulated.card import Card
from gpuaudit.simulated.device import SimulatedDevice
from gpuaudit.units import Bytes, Seconds
from gpuaudit.workload.bench import Progress, Target
from gpuaudit.workload.plan import steps_for
from gpuaudit.workload.progress import Tracker
from gpuaudit.workload.sampling import Terms, measure
from gpuaudit.workload.shrunk import Shrunk
from gpuaudit.workload.subjects import busy_reading, measurement_of, not_sampled, subjects_of
from gpuaudit.workload.suite import Scope, Spec, Step, Suite, task_of
from gpuaudit.workload.telemetry import series_of

_BETWEEN_TASKS_SECONDS: Final = 0.02
_BACKEND: Final = "simulated"
_SAMPLING_COST: Final = 0.002
_SERIES_OF: Final = {
    "nvmlDeviceGetClockInfo": ("sm_clock_megahertz", "memory_clock_megahertz"),
    "nvmlDeviceGetPowerUsage": ("power_milliwatts",),
    "nvmlDeviceGetTotalEnergyConsumption": ("energy_millijoules",),
    "nvmlDeviceGetTemperature": ("temperature_celsius",),
    "nvmlDeviceGetCurrentClocksEventReasons": ("throttle_reasons_mask",),
    "nvmlDeviceGetUtilizationRates": ("gpu_utilization_percent",),
    "nvmlDeviceGetPcieThroughput": ("pcie_transmit_kilobytes_per_second", "pcie_receive_kilobytes_per_second"),
    "nvmlDeviceGetComputeRunningProcesses_v2": ("process_count",),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Course:
    """One run of one suite."""

    suite: Suite
    targets: Sequence[Target]
    shrunk: Shrunk


class SimulatedBench:
    """Measures simulated devices, joined with targets by UUID.

    Devices that share one `DeviceState` object are one card shown several times: what runs on them at once shares its speed and
    its memory. A device with `foreign_processes` shares its card with those.
    """

    def __init__(self, devices: Sequence[SimulatedDevice], seed: int = 0, *, ambient_celsius: float = 30.0) -> None:
        """Set up the cards of `devices`; equal seeds give equal evidence."""
        self._devices = {device.uuid: device for device in devices}
        self._order = tuple(devices)
        self._cards: dict[int, Card] = {}
        for position, device in enumerate(devices):
            if id(device.state) not in self._cards:
                self._cards[id(device.state)] = Card(
                    device.physical.physical,
                    device.state,
                    seed=seed * 1_000_003 + position,
                    ambient_celsius=ambient_celsius,
                )

    @property
    def simulated(self) -> bool:
        """Always true."""
        return True

    def describe(self) -> TorchEvidence:
        """Return what torch would say of the devices: what they report, not what they are."""
        devices = tuple(_described(position, device) for position, device in enumerate(self._order))
        return TorchEvidence(
            version=Known(value=_BACKEND, source=Source.TORCH),
            cuda_version=Known(value=_BACKEND, source=Source.TORCH),
            devices=Known(value=devices, source=Source.TORCH),
        )

    def run(self, suite: Suite, targets: Sequence[Target], progress: Progress) -> tuple[Measurement, ...]:
        """Run `suite` on the devices of `targets`; where there is none, nothing is measured, for a simulation has no host.

        Returns:
            As `Bench.run`.
        """
        if not targets:
            return ()
        tracker = Tracker(progress, suite, len(targets))
        course = _Course(suite=suite, targets=targets, shrunk=Shrunk(suite))
        measurements: list[Measurement] = []
        for step in steps_for(suite, len(targets)):
            for spec in step.tasks:
                tracker.task(step)
                measurements += [
                    self._measurement(course, step, spec, subjects) for subjects in subjects_of(step, spec, targets)
                ]
        tracker.done()
        return tuple(measurements)

    def _measurement(self, course: _Course, step: Step, spec: Spec, subjects: tuple[Target, ...]) -> Measurement:
        suite = course.suite
        blank = task_of(spec, free_bytes=Bytes(0), backend=_BACKEND)
        refusal = self._refusal(suite, subjects)
        if refusal is not None:
            return measurement_of(step, blank, subjects, refusal, not_sampled(refusal))
        cards = [self._cards[id(self._devices[target.uuid].state)] for target in subjects]
        first = self._devices[subjects[0].uuid]
        accelerator = SimulatedAccelerator(
            cards[0],
            reported_bytes=first.reported.physical.memory_bytes,
            sharers=self._sharers(step, first, course.targets),
            others=cards[1:],
        )
        cards[0].rest(_BETWEEN_TASKS_SECONDS)
        task = task_of(spec, free_bytes=accelerator.free_bytes(), backend=_BACKEND)
        terms = Terms(sampling=suite.sampling, budget_seconds=step.budget_seconds, least_seconds=step.least_seconds)
        done, samples = measure(accelerator, task, terms, ready=_at_once)
        task, samples = course.shrunk.admit(step, subjects, task, done, samples)
        too_hot = self._refusal(suite, subjects)
        if too_hot is not None:
            samples = too_hot
        return measurement_of(step, task, subjects, samples, _telemetry(step, cards[0], first, samples))

    def _refusal(self, suite: Suite, subjects: tuple[Target, ...]) -> Unknown | None:
        """Say why `subjects` are not loaded, or None where they may be."""
        if any(target.busy for target in subjects):
            return busy_reading(subjects)
        for target in subjects:
            device = self._devices.get(target.uuid)
            if device is None:
                return Unknown(reason=Reason.NOT_FOUND, source=Source.TORCH, detail=f"torch shows no device {target.uuid}")
            celsius = device.state.temperature_celsius
            if celsius >= suite.limits.stop_celsius:
                detail = f"{target.uuid} reached {celsius} degrees Celsius; the suite stops at {suite.limits.stop_celsius}"
                return Unknown(reason=Reason.TOO_HOT, source=Source.NVML, detail=detail)
        return None

    def _sharers(self, step: Step, device: SimulatedDevice, targets: Sequence[Target]) -> int:
        """Count the workloads on the card of `device`: ours at this time, and others'."""
        ours = 1
        if step.scope is Scope.DEVICE and step.company is Company.TOGETHER:
            ours = sum(
                self._devices[target.uuid].state is device.state
                for target in targets
                if not target.busy and target.uuid in self._devices
            )
        return ours + device.foreign_processes


def _telemetry(step: Step, card: Card, device: SimulatedDevice, samples: Reading[Samples]) -> Reading[Telemetry]:
    if isinstance(samples, Unknown) or not step.telemetry:
        return not_sampled(samples)
    if step.scope in {Scope.PAIRS, Scope.GROUP}:
        detail = "a task of several devices has no series of one"
        return Unknown(reason=Reason.NOT_ATTEMPTED, source=Source.NVML, detail=detail)
    if not card.moments:
        return Unknown(reason=Reason.NOT_CAPTURED, source=Source.NVML, detail="no sample fell into the run")
    begin = card.moments[0][0]
    moments = [(Seconds(at - begin), moment) for at, moment in card.moments]
    series = series_of(moments, cost_relative=_SAMPLING_COST, refused=_refused(device))
    return Known(value=series, source=Source.NVML)


def _refused(device: SimulatedDevice) -> dict[str, Unknown]:
    """Name the series for which the simulated NVML refuses to answer."""
    return {
        name: refusal(function, device.refuses[function])
        for function, names in _SERIES_OF.items()
        if function in device.refuses
        for name in names
    }


def _described(position: int, device: SimulatedDevice) -> TorchDevice:
    reported, traits = device.reported.reported, device.reported.physical
    return TorchDevice(
        index=position,
        name=Known(value=reported.name, source=Source.TORCH),
        uuid=Known(value=device.uuid, source=Source.TORCH),
        bus_id=Known(value=device.bus_id, source=Source.TORCH),
        compute_capability=Known(value=reported.compute_capability, source=Source.TORCH),
        multiprocessor_count=Known(value=traits.sm_count, source=Source.TORCH),
        total_memory_bytes=Known(value=Bytes(traits.memory_bytes), source=Source.TORCH),
        l2_cache_bytes=Known(value=Bytes(traits.l2_bytes), source=Source.TORCH),
    )


def _at_once() -> None:
    """Start without waiting: simulated devices run one after the other, each on its own clock."""
