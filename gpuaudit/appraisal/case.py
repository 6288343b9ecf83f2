"""One device of the evidence, with its measurements beside it, as the rules look at it."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from operator import attrgetter
from typing import Any, Final

from gpuaudit.appraisal.amount import PeerRates, Ratio
from gpuaudit.appraisal.derived import KNEE, PER_CORE_CLOCK, cache_knee, per_core_clock
from gpuaudit.appraisal.threshold import Canonical
from gpuaudit.evidence.bundle import EvidenceBundle
from gpuaudit.evidence.device import DeviceEvidence
from gpuaudit.evidence.measurement import (
    CapacityTask,
    Company,
    GemmTask,
    HostLinkTask,
    Measurement,
    MemoryTask,
    PeerTask,
    Task,
    quantity,
)
from gpuaudit.evidence.reading import Known, Reading, Reason, Source, Unknown

PEER: Final = "peer-both-ways"
_LINKS: Final = "nvlinks"
_ZEROS: Final = "0-"
_NOT_MEASURED: Final = Unknown(reason=Reason.NOT_FOUND, source=Source.WORKLOAD, detail="not in the evidence")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceCase:
    """A device and its canonical rates, in flop or bytes per second.

    `rates` holds one reading per quantity: of a quantity measured several times the largest known one, and `runs` all known ones.
    `fastest` holds the rate of the fastest sample of all runs of a matrix product.
    `peers` holds the known rates to each other device, the fastest first, and `peer_rates` the same as a reading.
    """

    device: DeviceEvidence
    rates: Mapping[str, Reading[float]]
    runs: Mapping[str, tuple[float, ...]]
    fastest: Mapping[str, float]
    peers: tuple[tuple[float, ...], ...]
    peer_rates: Reading[PeerRates]

    @property
    def subject(self) -> str:
        """How findings call the device."""
        return f"device {self.device.index}"

    def reading(self, reads: str) -> Reading[Any]:
        """Return what a rule reads: a path into the device, or a measured quantity.

        Quantities that were not measured are Unknown, as is a path through a group that is not there.
        """
        return _observer(reads)(self)

    def compared(self, reads: tuple[str, ...]) -> Reading[Any]:
        """Return the one value that a rule compares: the reading itself, or a `Ratio` of two rates.

        The numerator is that of the fastest sample: a run that was disturbed is slower, and none is faster than the card.
        """
        first = _observer(reads[0])(self)
        if len(reads) == 1 or isinstance(first, Unknown):
            return first
        second = _observer(reads[1])(self)
        if isinstance(second, Unknown):
            return second
        numerator = self.fastest.get(reads[0], first.value)
        # Of several runs the combination that speaks most for the card: leaving one out can then only speak less for it.
        denominator = min(self.runs.get(reads[1], (second.value,)))
        return Known(value=Ratio(numerator=numerator, denominator=denominator), source=first.source)


@cache
def _observer(reads: str) -> Callable[[DeviceCase], Reading[Any]]:
    """Work out once how a reading is found; of a list (NVLinks) its length is what rules compare."""
    if reads == PEER:
        return lambda case: case.peer_rates
    if is_quantity(reads):
        return lambda case: case.rates.get(reads, _NOT_MEASURED)
    get: Callable[[DeviceEvidence], Reading[Any]] = attrgetter(reads)
    return (lambda case: _length(get(case.device))) if reads == _LINKS else (lambda case: get(case.device))


def _length(listed: Reading[tuple[Any, ...]]) -> Reading[int]:
    return listed if isinstance(listed, Unknown) else Known(value=len(listed.value), source=listed.source)


def is_quantity(reads: str) -> bool:
    """Whether `reads` names a measured quantity rather than a path into the device."""
    return "." not in reads and reads != _LINKS


def is_placeholder(uuid: str) -> bool:
    """Whether a UUID is all zeros, as in captures from which identities were removed: it identifies nothing."""
    return not uuid.removeprefix("GPU-").strip(_ZEROS)


def device_cases(bundle: EvidenceBundle, canonical: Canonical) -> tuple[DeviceCase, ...]:
    """Join the devices of NVML with their canonical measurements, by UUID and by nothing else.

    What counts was measured on all devices at once, which also shows up one card posing as several; between two devices, on these
    two alone. CUDA orders devices by speed and NVML by bus id, so an index says nothing. A device without a UUID of its
    own has no measurements.
    """
    amounts = _canonical_amounts(canonical)
    work: defaultdict[str, _Work] = defaultdict(_Work)
    for measurement in bundle.measurements:
        match measurement.subjects:
            case (uuid,) if measurement.company is Company.TOGETHER:
                work[uuid].keep(measurement, amounts)
            case (one, other) if one != other and measurement.company is Company.ALONE:
                rate = _peer_rate(measurement, canonical)
                if isinstance(rate, Known):
                    work[one].peers[other] = work[other].peers[one] = (*work[one].peers.get(other, ()), rate.value)
            case _:
                continue
    for device in bundle.nvml.devices:
        known_as = device.identity.uuid
        if isinstance(known_as, Known) and (own := work[known_as.value]).together:
            own.rates[KNEE] = cache_knee(own.together, own.rates.get("copy", _NOT_MEASURED), canonical)
            own.rates[PER_CORE_CLOCK] = per_core_clock(device, own.together, own.rates, canonical)
    return tuple(_case(device, work) for device in bundle.nvml.devices)


@dataclass(slots=True, kw_only=True)
class _Work:
    """What one device did, as it is gathered from the measurements: `together` are those with all devices at work."""

    together: list[Measurement] = field(default_factory=list)
    rates: dict[str, Reading[float]] = field(default_factory=dict)
    runs: dict[str, tuple[float, ...]] = field(default_factory=dict)
    fastest: dict[str, float] = field(default_factory=dict)
    peers: dict[str, tuple[float, ...]] = field(default_factory=dict)

    def keep(self, measurement: Measurement, amounts: Mapping[tuple[object, ...], float]) -> None:
        """Take a measurement in; `amounts` are the flop or bytes of the tasks that count, by their `_sizes`."""
        self.together.append(measurement)
        task = measurement.task
        if isinstance(task, CapacityTask):
            reading = _filled(measurement, task)
        elif (amount := amounts.get(_sizes(task))) is not None:
            reading = _rate(measurement, expected=amount)
        else:
            return
        name = quantity(measurement)
        if isinstance(reading, Unknown):
            self.rates.setdefault(name, reading)
            return
        runs = self.runs[name] = (*self.runs.get(name, ()), reading.value)
        self.rates[name] = reading if len(runs) == 1 else Known(value=max(runs), source=reading.source)
        if isinstance(task, GemmTask) and isinstance(measurement.samples, Known):
            samples = measurement.samples.value
            self.fastest[name] = max(self.fastest.get(name, 0.0), samples.amount_per_run / min(samples.seconds))


def _case(device: DeviceEvidence, work: defaultdict[str, _Work]) -> DeviceCase:
    uuid = device.identity.uuid
    own = _Work() if isinstance(uuid, Unknown) or is_placeholder(uuid.value) else work[uuid.value]
    peers = tuple(sorted(own.peers.values(), reverse=True))
    return DeviceCase(
        device=device, rates=own.rates, runs=own.runs, fastest=own.fastest, peers=peers, peer_rates=_peer_rates(peers)
    )


def _peer_rates(peers: tuple[tuple[float, ...], ...]) -> Reading[PeerRates]:
    return Known(value=PeerRates.of(peers), source=Source.WORKLOAD) if peers else _NOT_MEASURED


def _canonical_amounts(canonical: Canonical) -> dict[tuple[object, ...], float]:
    """Return the flop or bytes of each task that counts, by its `_sizes`: products also halved, as they are for slow cards."""
    amounts: dict[tuple[object, ...], float] = {
        ("copy", canonical.copy_working_set_bytes): float(canonical.copy_working_set_bytes),
        ("host-to-device", canonical.host_link_buffer_bytes): float(canonical.host_link_buffer_bytes),
    }
    for shape in canonical.gemm:
        for halved in range(canonical.most_halvings + 1):
            m, n, k = shape.m >> halved, shape.n >> halved, shape.k >> halved
            amounts[shape.dtype, m, n, k] = 2.0 * m * n * k
    return amounts


def _sizes(task: Task) -> tuple[object, ...]:
    """Return what of a task decides whether it counts; the layout of a product does not."""
    match task:
        case GemmTask():
            return task.dtype, task.m, task.n, task.k
        case MemoryTask():
            return task.kind, task.working_set_bytes
        case HostLinkTask():
            return task.kind, task.buffer_bytes
        case _:
            return ()


def _filled(measurement: Measurement, task: CapacityTask) -> Reading[float]:
    """Return how many bytes were found right after filling."""
    samples = measurement.samples
    if isinstance(samples, Unknown):
        return samples
    amount = samples.value.amount_per_run
    if not samples.value.seconds:
        return _fault("got no run, expected one")
    if not (0 <= amount <= task.requested_bytes):
        return _fault(f"got {amount:g} bytes found right, expected at most the {task.requested_bytes} that were asked for")
    return Known(value=amount, source=samples.source)


def _peer_rate(measurement: Measurement, canonical: Canonical) -> Reading[float]:
    """Return the rate between two devices, if this is the task by which they are compared."""
    task = measurement.task
    if not isinstance(task, PeerTask) or task.kind != PEER or task.buffer_bytes != canonical.peer_buffer_bytes:
        return _NOT_MEASURED
    return _rate(measurement, expected=2.0 * task.buffer_bytes)


def _rate(measurement: Measurement, *, expected: float) -> Reading[float]:
    """Work out a rate, trusting neither the amount nor the times to make sense."""
    samples = measurement.samples
    if isinstance(samples, Unknown):
        return samples
    runs = samples.value.amount_per_run / expected
    # A short task is repeated within one run, so that a run is long enough to be timed.
    if not (math.isfinite(runs) and runs >= 1 and math.isclose(runs, round(runs), rel_tol=1e-9)):
        return _fault(
            f"got an amount of {samples.value.amount_per_run:g} per run, expected a multiple of {expected:g} for the task"
        )
    try:
        rate = samples.value.median_rate()
    except ValueError as error:
        return _fault(str(error))
    if not (math.isfinite(rate) and rate > 0 and min(samples.value.seconds) > 0):
        return _fault(f"got a rate of {rate:g}, expected a finite one above zero from times above zero")
    return Known(value=rate, source=samples.source)


def _fault(detail: str) -> Unknown:
    return Unknown(reason=Reason.FAULT, source=Source.WORKLOAD, detail=detail)
