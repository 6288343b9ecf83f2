"""Rules on states that cannot be: numbers of one card that no genuine card gives together, and series that never move."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Iterator, Sequence
from operator import add, mul, sub
from typing import Final

from gpuaudit.appraisal.rules.machine_rule import Context, Observation, machine_rule, weigh
from gpuaudit.evidence.bundle import EvidenceBundle
from gpuaudit.evidence.device import DeviceEvidence
from gpuaudit.evidence.measurement import GemmTask, Measurement
from gpuaudit.evidence.reading import Known
from gpuaudit.evidence.telemetry import Telemetry

_MEBIBYTE: Final = 1024**2
_PAIR: Final = 2
_MOVING: Final = ("power_milliwatts", "energy_millijoules")


@machine_rule("memory-sums")
def no_more_memory_is_used_or_free_than_there_is(bundle: EvidenceBundle, context: Context) -> Observation:
    """Neither used nor free memory is above the total, nor are both together.

    Looks at: total, used and free memory of each card in NVML.
    Catches: mocks that invent each number apart.
    Does not catch: numbers invented to fit.
    Numbers from: adding; NVML reads the three at once, so nothing may be off by more than rounding.
    Checked on: all captures of whole cards.
    """
    del context
    odd = []
    compared = 0
    for device in bundle.nvml.devices:
        total, used, free = device.memory.total_bytes, device.memory.used_bytes, device.memory.free_bytes
        if not (isinstance(total, Known) and isinstance(used, Known)):
            continue
        compared += 1
        left = free.value if isinstance(free, Known) else 0
        if used.value > total.value or left > total.value or used.value + left > total.value + _MEBIBYTE:
            odd.append(
                f"device {device.index}: {used.value >> 20} MiB used and {left >> 20} MiB free of {total.value >> 20} MiB"
            )
    return weigh(odd, compared, expected="used and free within the total", nothing="no sizes were read")


@machine_rule("telemetry-moves")
def power_and_energy_move_while_cards_work(bundle: EvidenceBundle, context: Context) -> Observation:
    """Power and energy of a card change from moment to moment while it works.

    Looks at: both series over all runs of each card, where enough moments were sampled.
    Catches: mocks of NVML that return constants.
    Does not catch: a replayed or a random curve. Clock and temperature stand still on genuine cards too and are not looked at.
    Numbers from: the number of moments in thresholds.toml; power is given to a milliwatt, energy is a counter.
    Checked on: simulated cards; no public series was found.
    """
    odd = []
    compared = 0
    for device, runs in _runs(bundle):
        series = [value for name in _MOVING for value in _joined(runs, name, context.plausible.moments)]
        compared += bool(series)
        if series and all(len(set(values)) == 1 for values in series):
            odd.append(f"device {device.index}: the same value at {max(map(len, series))} moments")
    return weigh(odd, compared, expected="values that change under load", nothing="too few moments were sampled")


@machine_rule("energy")
def energy_is_the_sum_of_power(bundle: EvidenceBundle, context: Context) -> Observation:
    """The energy counter grows by about what the power adds up to.

    Looks at: two readings that NVML gave several times a second during each run: how much the card's energy counter grew, against its
    power times the time between two readings, both summed over all runs of a card. Odd is one more than twice the other.
    Catches: power of an idle card shown for a working one, a counter that stands still, series invented apart.
    Does not catch: series invented to fit each other, nor which product it is: a lesser card's honest counters fit each other too.
    Numbers from: the factor of two in thresholds.toml: on cards newer than the A100 the power that NVML gives is an average over a
    second (nvml.h), so over short runs the two differ on honest cards as well, by less than that.
    Checked on: simulated cards; nvml.h on both counters.
    """
    factor = context.plausible.energy_factor
    odd = []
    compared = 0
    for device, runs in _runs(bundle):
        counted, summed, moments = 0.0, 0.0, 0
        for grown, added, steps in map(_energies, runs):
            counted, summed, moments = counted + grown, summed + added, moments + steps
        if moments < context.plausible.moments or summed <= 0:
            continue
        compared += 1
        if not summed / factor <= counted <= summed * factor:
            odd.append(f"device {device.index}: counter {counted:.0f} J, power adds up to {summed:.0f} J")
    return weigh(odd, compared, expected=f"equal within a factor of {factor:g}", nothing="too few moments were sampled")


@machine_rule("load-rise")
def power_or_clock_rises_under_load(bundle: EvidenceBundle, context: Context) -> Observation:
    """While matrix products run, a card draws more power than before them, or its clock is higher.

    Looks at: draw and SM clock when the card was read, and their medians during matrix products.
    Catches: NVML of one card beside the work of another; telemetry of an idle card.
    Does not catch: a card that was still warm from other work when it was read: then both may be as high before.
    Numbers from: the rise in thresholds.toml.
    Checked on: simulated cards; idle captures of A100, H100 and T4 draw 10 to 120 W of 70 to 700 W.
    """
    rise = context.plausible.load_rise
    odd = []
    compared = 0
    for device, runs in _runs(bundle):
        loaded = [one for one in runs if isinstance(one.task, GemmTask)]
        power, clock = _median_of(loaded, "power_milliwatts"), _median_of(loaded, "sm_clock_megahertz")
        draw, idle = device.power.draw_milliwatts, device.clocks.sm_current_megahertz
        if power is None or clock is None or not isinstance(draw, Known) or not isinstance(idle, Known):
            continue
        compared += 1
        if power < draw.value * rise and clock < idle.value * rise:
            odd.append(f"device {device.index}: {power / 1000:.0f} W at {clock:.0f} MHz, {draw.value / 1000:.0f} W before")
    return weigh(odd, compared, expected="more power or a higher clock", nothing="no draw was read before and during work")


def _runs(bundle: EvidenceBundle) -> Iterator[tuple[DeviceEvidence, list[Measurement]]]:
    """Give each device with a UUID its own measurements that have telemetry."""
    by_uuid: defaultdict[str, list[Measurement]] = defaultdict(list)
    for one in bundle.measurements:
        if len(one.subjects) == 1 and isinstance(one.telemetry, Known):
            by_uuid[one.subjects[0]].append(one)
    for device in bundle.nvml.devices:
        uuid = device.identity.uuid
        if isinstance(uuid, Known):
            yield device, by_uuid.get(uuid.value, [])


def _telemetry(run: Measurement) -> Telemetry:
    assert isinstance(run.telemetry, Known)  # noqa: S101 - `_runs` gives no others
    return run.telemetry.value


def _joined(runs: Sequence[Measurement], name: str, least: int) -> list[tuple[int, ...]]:
    """Return one series over all runs, if it has moments enough."""
    values: list[int] = []
    for run in runs:
        series = getattr(_telemetry(run), name)
        if isinstance(series, Known):
            values += series.value
    return [tuple(values)] if len(values) >= least else []


def _energies(run: Measurement) -> tuple[float, float, int]:
    """Return joules counted, joules added up, and between how many moments."""
    telemetry = _telemetry(run)
    power, energy = telemetry.power_milliwatts, telemetry.energy_millijoules
    if not (isinstance(power, Known) and isinstance(energy, Known)) or len(energy.value) < _PAIR:
        return 0.0, 0.0, 0
    moments = telemetry.offsets_seconds
    gaps = map(sub, moments[1:], moments)
    levels = map(add, power.value[1:], power.value)
    added = sum(map(mul, gaps, levels)) / 2
    return (energy.value[-1] - energy.value[0]) / 1000, added / 1000, len(energy.value) - 1


def _median_of(runs: Sequence[Measurement], name: str) -> float | None:
    values = [value for series in _joined(runs, name, 1) for value in series]
    return float(statistics.median(values)) if values else None
