"""One device of the evidence, with its measurements beside it, as the rules look at it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
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
    quantity,
)
from gpuaudit.evidence.reading import Known, Reading, Reason, Source, Unknown

PEER: Final = "peer-both-ways"
_FASTEST: Final = "-fastest"
_LINKS: Final = "nvlinks"
_ZEROS: Final = frozenset("0-")
_NOT_MEASURED: Final = Unknown(reason=Reason.NOT_FOUND, source=Source.WORKLOAD, detail="not in the evidence")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceCase:
    """A device and its canonical rates, in flop or bytes per second.

    `rates` holds one reading per quantity: of a quantity measured several times the largest known one, and `runs` all known ones.
    `peers` holds the known rates to each other device, the fastest first, and `peer_rates` the same as a reading.
    """

    device: DeviceEvidence
    rates: Mapping[str, Reading[float]]
    runs: Mapping[str, tuple[float, ...]]
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
        first = self.reading(reads[0])
        if len(reads) == 1 or isinstance(first, Unknown):
            return first
        second = self.reading(reads[1])
        if isinstance(second, Unknown):
            return second
        numerator = max(self.runs.get(f"{reads[0]}{_FASTEST}", (first.value,)))
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
    return frozenset(uuid.removeprefix("GPU-")) <= _ZEROS


def device_cases(bundle: EvidenceBundle, canonical: Canonical) -> tuple[DeviceCase, ...]:
    """Join the devices of NVML with their canonical measurements, by UUID and by nothing else.

    What counts was measured on all devices at once, which also shows up one card posing as several; between two devices, on these
    two alone. CUDA orders devices by speed and NVML by bus id, so an index says nothing. A device without a UUID of its
    own has no measurements.
    """
    rates: dict[str, dict[str, Reading[float]]] = {}
    together: dict[str, list[Measurement]] = {}
    runs: dict[str, dict[str, tuple[float, ...]]] = {}
    peers: dict[str, dict[str, tuple[float, ...]]] = {}
    for measurement in bundle.measurements:
        match measurement.subjects:
            case (uuid,) if measurement.company is Company.TOGETHER:
                together.setdefault(uuid, []).append(measurement)
                _keep_rate(rates.setdefault(uuid, {}), runs.setdefault(uuid, {}), measurement, canonical)
            case (one, other) if one != other and measurement.company is Company.ALONE:
                _keep_peer(peers, one, other, measurement, canonical)
            case _:
                continue
    for device in bundle.nvml.devices:
        known_as = device.identity.uuid
        if isinstance(known_as, Known) and known_as.value in rates:
            own, taken = rates[known_as.value], together[known_as.value]
            own[KNEE] = cache_knee(taken, own.get("copy", _NOT_MEASURED), canonical)
            own[PER_CORE_CLOCK] = per_core_clock(device, taken, own, canonical)
    return tuple(_case(device, rates, runs, peers) for device in bundle.nvml.devices)


def _case(
    device: DeviceEvidence,
    rates: Mapping[str, dict[str, Reading[float]]],
    runs: Mapping[str, dict[str, tuple[float, ...]]],
    peers: Mapping[str, dict[str, tuple[float, ...]]],
) -> DeviceCase:
    uuid = device.identity.uuid
    if isinstance(uuid, Unknown) or is_placeholder(uuid.value):
        return DeviceCase(device=device, rates={}, runs={}, peers=(), peer_rates=_NOT_MEASURED)
    own = tuple(sorted(peers.get(uuid.value, {}).values(), reverse=True))
    return DeviceCase(
        device=device,
        rates=rates.get(uuid.value, {}),
        runs=runs.get(uuid.value, {}),
        peers=own,
        peer_rates=_peer_rates(own),
    )


def _peer_rates(peers: tuple[tuple[float, ...], ...]) -> Reading[PeerRates]:
    every = [rate for rates in peers for rate in rates]
    if not every:
        return _NOT_MEASURED
    return Known(value=PeerRates(rates=peers, slowest=min(every), fastest=max(every)), source=Source.WORKLOAD)


def _keep_rate(
    rates: dict[str, Reading[float]], runs: dict[str, tuple[float, ...]], measurement: Measurement, canonical: Canonical
) -> None:
    match measurement.task:
        case GemmTask() as task if _is_canonical(task, canonical):
            reading = _rate(measurement, expected=2.0 * task.m * task.n * task.k)
        case MemoryTask(kind="copy") as copy if copy.working_set_bytes == canonical.copy_working_set_bytes:
            reading = _rate(measurement, expected=float(copy.working_set_bytes))
        case CapacityTask() as fill:
            reading = _filled(measurement, fill)
        case HostLinkTask(kind="host-to-device") as link if link.buffer_bytes == canonical.host_link_buffer_bytes:
            reading = _rate(measurement, expected=float(link.buffer_bytes))
        case _:
            return
    name = quantity(measurement)
    if isinstance(reading, Unknown):
        rates.setdefault(name, reading)
        return
    runs[name] = (*runs.get(name, ()), reading.value)
    rates[name] = Known(value=max(runs[name]), source=reading.source)
    if isinstance(measurement.task, GemmTask) and isinstance(measurement.samples, Known):
        samples = measurement.samples.value
        fastest = samples.amount_per_run / min(samples.seconds)
        runs[f"{name}{_FASTEST}"] = (*runs.get(f"{name}{_FASTEST}", ()), fastest)


def _is_canonical(task: GemmTask, canonical: Canonical) -> bool:
    """Whether the product is the one that counts for its dtype, or that one halved for a slow card."""
    sizes = (task.m, task.n, task.k)
    return any(
        shape.dtype is task.dtype
        and any(sizes == (shape.m >> halved, shape.n >> halved, shape.k >> halved) for halved in _times(canonical))
        for shape in canonical.gemm
    )


def _times(canonical: Canonical) -> range:
    return range(canonical.most_halvings + 1)


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


def _keep_peer(
    peers: dict[str, dict[str, tuple[float, ...]]], one: str, other: str, measurement: Measurement, canonical: Canonical
) -> None:
    task = measurement.task
    if not isinstance(task, PeerTask) or task.kind != PEER or task.buffer_bytes != canonical.peer_buffer_bytes:
        return
    rate = _rate(measurement, expected=2.0 * task.buffer_bytes)
    if isinstance(rate, Known):
        rates = (*peers.get(one, {}).get(other, ()), rate.value)
        peers.setdefault(one, {})[other] = rates
        peers.setdefault(other, {})[one] = rates


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
