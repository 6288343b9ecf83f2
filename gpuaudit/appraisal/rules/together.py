"""Rules on how measurements of one machine fit each other, and what it reports."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import Final

from gpuaudit.appraisal.result import Basis
from gpuaudit.appraisal.rules.machine_rule import Context, Observation, machine_rule, weigh
from gpuaudit.evidence.bundle import EvidenceBundle
from gpuaudit.evidence.measurement import Company, GemmTask, Measurement, MemoryTask
from gpuaudit.evidence.reading import Known

# Both edges of the clock carry data.
_PER_CLOCK: Final = 2
_BITS: Final = 8


@machine_rule("company", basis=Basis.MEASURED)
def cards_are_as_fast_together_as_alone(bundle: EvidenceBundle, context: Context) -> Observation:
    """With all cards at work at once, each keeps most of the rate that it has alone.

    Looks at: the bf16 product and the copy that were measured both ways, card by card.
    Catches: one card shown as several: two at once have half of it each, eight an eighth.
    Does not catch: shown cards that each have a real one behind them.
    Numbers from: the share in thresholds.toml.
    Checked on: simulated cards, honest and doubled; no public record of both ways was found.
    """
    share = context.plausible.together_share
    runs: defaultdict[tuple[str, object], dict[Company, Measurement]] = defaultdict(dict)
    for one in bundle.measurements:
        if len(one.subjects) == 1 and isinstance(one.task, GemmTask | MemoryTask):
            runs[one.subjects[0], one.task][one.company] = one
    rates = {
        key: {company: _rate(one) for company, one in found.items()}
        for key, found in runs.items()
        if len(found) == len(Company)
    }
    both = {key: found for key, found in rates.items() if min(found.values()) > 0}
    names = _indices(bundle)
    odd = [
        f"device {names.get(uuid, '?')}: {found[Company.TOGETHER] / found[Company.ALONE]:.2f} of its own rate in {_kind(task)}"
        for (uuid, task), found in both.items()
        if found[Company.TOGETHER] < share * found[Company.ALONE]
    ]
    return weigh(odd, len(both), expected=f"at least {share:g} of the rate alone", nothing="nothing was measured both ways")


@machine_rule("bandwidth-agreement", basis=Basis.MEASURED)
def memory_copies_as_fast_as_its_clock_and_width_say(bundle: EvidenceBundle, context: Context) -> Observation:
    """The memory copies at most what its reported clock and width carry, and at least half of it.

    Looks at: the copy over 4 GiB, against memory clock x 2 x bus width / 8 as NVML reports them.
    Catches: forged clocks or widths over other memory: a T4 or an RTX 4090 that reports an A100's HBM, an H200 that reports H100's.
    Does not catch: A100-40 as A100-80 (0.68 of the rate), for which the copy floor is there; a card shared with others looks alike.
    Numbers from: the shares in thresholds.toml; the products of clock and width agree with the datasheets of A100, H100 and H200.
    Checked on: H100 and H200, one machine each (0.90), RTX 6000D (0.82).
    """
    low, high = context.plausible.bandwidth_share_low, context.plausible.bandwidth_share_high
    copies = {
        one.subjects[0]: _rate(one)
        for one in bundle.measurements
        if one.company is Company.TOGETHER
        and len(one.subjects) == 1
        and isinstance(one.task, MemoryTask)
        and one.task.kind == "copy"
    }
    odd = []
    compared = 0
    for device in bundle.nvml.devices:
        uuid, clock, width = device.identity.uuid, device.clocks.memory_max_megahertz, device.memory.bus_width_bits
        if not (isinstance(uuid, Known) and isinstance(clock, Known) and isinstance(width, Known)):
            continue
        carried = clock.value * 1e6 * _PER_CLOCK * width.value / _BITS
        rate = copies.get(uuid.value, 0.0)
        if carried <= 0 or rate <= 0:
            continue
        compared += 1
        if not low * carried <= rate <= high * carried:
            odd.append(f"device {device.index}: {rate / 1e9:.0f} GB/s, clock and width carry {carried / 1e9:.0f} GB/s")
    return weigh(
        odd, compared, expected=f"{low:g} to {high:g} of what clock and width carry", nothing="no copy beside clock and width"
    )


def _rate(measurement: Measurement) -> float:
    """Return the rate, or zero where there is none."""
    samples = measurement.samples
    if not isinstance(samples, Known):
        return 0.0
    try:
        return samples.value.median_rate()
    except ValueError:
        return 0.0


def _indices(bundle: EvidenceBundle) -> Mapping[str, int]:
    return {one.identity.uuid.value: one.index for one in bundle.nvml.devices if isinstance(one.identity.uuid, Known)}


def _kind(task: object) -> str:
    return f"gemm-{task.dtype.value}" if isinstance(task, GemmTask) else "copy"
