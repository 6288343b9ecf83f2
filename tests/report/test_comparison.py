"""Bait and switch: what is another card, another setting or another speed is told; noise is not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from gpuaudit.evidence.bundle import EvidenceBundle
from gpuaudit.evidence.measurement import GemmTask, Measurement, Samples
from gpuaudit.evidence.reading import Known, Reason, Source, Unknown
from gpuaudit.report.comparison import Change, ChangeKind, compare, comparison_terms
from gpuaudit.units import Seconds
from tests.report.papers import at_rate, evidence

MACHINE = evidence("a100-sxm4-80gb:8")
TERMS = comparison_terms()
GONE = Unknown(reason=Reason.NO_PERMISSION, source=Source.NVML, detail="hidden since")


def changes(after: EvidenceBundle, before: EvidenceBundle = MACHINE) -> list[Change]:
    return list(compare(before, after, TERMS).changes)


def with_device(index: int, **groups: Any) -> EvidenceBundle:
    devices = list(MACHINE.nvml.devices)
    old = devices[index]
    devices[index] = replace(old, **{name: replace(getattr(old, name), **change) for name, change in groups.items()})
    return replace(MACHINE, nvml=replace(MACHINE.nvml, devices=tuple(devices)))


def with_samples(change: Any) -> EvidenceBundle:
    """The bf16 product of the first card changed, everything else as it was."""
    taken: list[Measurement] = []
    done = False
    for one in MACHINE.measurements:
        first = not done and isinstance(one.task, GemmTask) and isinstance(one.samples, Known)
        done = done or first
        taken.append(replace(one, samples=change(one.samples)) if first else one)
    return replace(MACHINE, measurements=tuple(taken))


def test_one_audit_is_equal_to_itself() -> None:
    found = compare(MACHINE, MACHINE, TERMS)
    assert found.changes == ()
    assert found.same_cards == 8
    assert found.compared > 300


def test_a_card_in_place_of_another_is_two_changes() -> None:
    other = evidence("a100-sxm4-80gb:7,a800-sxm4-80gb:1")
    found = changes(other)
    assert {(one.kind, one.subject) for one in found[:2]} == {
        (ChangeKind.VANISHED, "device 7"),
        (ChangeKind.APPEARED, "device 7"),
    }
    assert "A800" in found[1].after


def test_the_order_of_the_cards_is_no_change() -> None:
    devices = tuple(replace(device, index=place) for place, device in enumerate(reversed(MACHINE.nvml.devices)))
    assert changes(replace(MACHINE, nvml=replace(MACHINE.nvml, devices=devices))) == []


def test_another_firmware_is_told_with_both_values() -> None:
    (found,) = changes(with_device(3, firmware={"vbios_version": Known(value="1.2.3", source=Source.NVML)}))
    assert found == Change(
        subject="device 3",
        what="firmware.vbiosVersion",
        kind=ChangeKind.DIFFERENT,
        before="92.00.9E.00.02",
        after="1.2.3",
    )


def test_what_is_hidden_since_is_told() -> None:
    (found,) = changes(with_device(0, identity={"serial": GONE}))
    assert (found.kind, found.after) == (ChangeKind.NO_LONGER_READ, "unknown (no-permission)")
    (back,) = changes(MACHINE, with_device(0, identity={"serial": GONE}))
    assert back.kind is ChangeKind.NEWLY_READ


def test_unknown_both_times_is_no_change() -> None:
    hidden = with_device(0, identity={"serial": GONE})
    assert changes(hidden, hidden) == []


def test_what_changes_by_itself_is_not_compared() -> None:
    warm = {
        "draw_milliwatts": Known(value=399_000, source=Source.NVML),
        "temperature_celsius": Known(value=81, source=Source.NVML),
    }
    assert changes(with_device(0, power=warm)) == []


@pytest.mark.parametrize(
    ("factor", "kind"),
    [
        pytest.param(0.80, ChangeKind.SLOWER, id="a-fifth-slower"),
        pytest.param(1.25, ChangeKind.FASTER, id="a-quarter-faster"),
        pytest.param(0.97, None, id="within-the-drift"),
        pytest.param(1.04, None, id="within-the-drift-upwards"),
    ],
)
def test_a_rate_is_told_beyond_noise_only(factor: float, kind: ChangeKind | None) -> None:
    found = changes(at_rate(MACHINE, factor))
    assert {one.kind for one in found} == ({kind} if kind else set())
    if kind:
        # Every rate of every card and pair, and no reading beside them.
        assert len(found) == sum(isinstance(one.samples, Known) for one in MACHINE.measurements) - 8
        assert found[0].after.endswith(f"({factor - 1:+.0%})")


def test_wide_intervals_are_more_noise() -> None:
    def slower(samples: Known[Samples]) -> Known[Samples]:
        seconds = tuple(Seconds(second / 0.8) for second in samples.value.seconds)
        return replace(samples, value=replace(samples.value, seconds=seconds, half_width_relative=0.3))

    assert changes(with_samples(slower)) == []


def test_times_that_make_no_sense_are_no_rate() -> None:
    def broken(samples: Known[Samples]) -> Known[Samples]:
        return replace(samples, value=replace(samples.value, seconds=(Seconds(0.0),)))

    (found,) = changes(with_samples(broken))
    assert (found.kind, found.after) == (ChangeKind.NO_LONGER_READ, "unknown (fault)")


def test_the_drift_has_a_source() -> None:
    assert TERMS.drift.cited[0].source
