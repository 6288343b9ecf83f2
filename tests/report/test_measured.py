"""What is shown as measured is what was measured, beside what the catalogue gives for the claim and nothing else."""

from __future__ import annotations

import statistics
from dataclasses import replace
from typing import Any

import pytest

from gpuaudit.catalogue.compiled import load_catalogue
from gpuaudit.catalogue.model import Span
from gpuaudit.evidence.bundle import EvidenceBundle
from gpuaudit.evidence.measurement import Company, Dtype, GemmTask, Measurement, PeerTask
from gpuaudit.evidence.reading import Known, Reason, Source, Unknown
from gpuaudit.evidence.telemetry import Telemetry, Throttle
from gpuaudit.report.as_html import as_html
from gpuaudit.report.compose import view_of
from gpuaudit.report.view import DotChart, HeatChart, Listing, Picture, Section, Table, TimeChart
from gpuaudit.units import Seconds
from tests.report.papers import evidence, paper_of

MACHINE = evidence("a100-sxm4-80gb:8")


def section(bundle: EvidenceBundle, name: str = "measured", tender: str = "sustech-2024") -> Section:
    return next(one for one in view_of(paper_of(bundle, tender=tender)).sections if one.id == name)


def chart(bundle: EvidenceBundle, kind: type, **options: Any) -> Any:
    pictures = [block for block in section(bundle, **options).blocks if isinstance(block, Picture)]
    return next(picture.chart for picture in pictures if isinstance(picture.chart, kind))


def table(bundle: EvidenceBundle, caption: str, **options: Any) -> Table:
    tables = [block for block in section(bundle, **options).blocks if isinstance(block, Table)]
    return next(one for one in tables if one.caption.startswith(caption))


def row(bundle: EvidenceBundle, name: str, **options: Any) -> tuple[str, ...]:
    return next(one for one in table(bundle, "Median rate", **options).rows if one[0] == name)


def only(bundle: EvidenceBundle, *measurements: Measurement) -> EvidenceBundle:
    return replace(bundle, measurements=measurements)


def test_dots_are_the_median_rates_and_the_band_is_the_catalogues() -> None:
    dots = next(one for one in chart(MACHINE, DotChart).rows if one.label == "bf16 8,192³")
    measured = [
        one.samples.value.amount_per_run / statistics.median(one.samples.value.seconds) / 1e12
        for one in MACHINE.measurements
        if isinstance(one.task, GemmTask)
        and (one.task.dtype, one.task.m, one.company) == (Dtype.BF16, 8192, Company.TOGETHER)
        and isinstance(one.samples, Known)
    ]
    assert list(dots.values) == measured
    claimed = [product for product in load_catalogue().products if "A100" in product.counts_as]
    rates = [rate for rate in (product.rate(Dtype.BF16) for product in claimed) if isinstance(rate, Span)]
    assert rates
    assert [(band.of, band.low, band.high) for band in dots.bands] == [
        ("A100", min(rate.smallest for rate in rates) / 1e12, max(rate.largest for rate in rates) / 1e12)
    ]


def test_two_families_in_a_tender_have_a_band_each() -> None:
    told = row(MACHINE, "bf16 8,192³", tender="shenzhen-university-2024")
    of = told[-1]
    assert told[2] == "TFLOP/s"
    assert of.startswith("A100 312 to ")
    assert "; H100 " in of


def test_the_hosts_processor_is_compared_with_no_accelerator() -> None:
    one = next(one for one in MACHINE.measurements if isinstance(one.task, GemmTask))
    assert row(only(MACHINE, replace(one, subjects=())), "bf16 8,192³")[-1] == "not compared"
    assert row(only(MACHINE, one), "bf16 8,192³")[-1] != "not compared"


def test_a_device_that_nvml_does_not_list_is_called_that() -> None:
    one = next(one for one in MACHINE.measurements if isinstance(one.task, GemmTask))
    assert row(only(MACHINE, replace(one, subjects=("GPU-of-somebody-else",))), "bf16 8,192³")[1].startswith(
        "a device that NVML"
    )


def test_a_pair_that_was_not_measured_is_a_gap_and_not_a_zero() -> None:
    gone = Unknown(reason=Reason.NOT_SUPPORTED, source=Source.WORKLOAD, detail="no peer access")
    kept: list[Measurement] = []
    dropped: list[Measurement] = []
    for one in MACHINE.measurements:
        first = isinstance(one.task, PeerTask) and one.task.kind == "peer-both-ways" and not dropped
        (dropped if first else kept).append(replace(one, samples=gone) if first else one)
    heat = chart(only(MACHINE, *kept, *dropped), HeatChart)
    assert len(heat.cells) == 8 * 7 - 2
    cells = table(only(MACHINE, *kept, *dropped), "Between every two devices").rows
    assert sum(cell == "" for line in cells for cell in line) == 8 + 2


def test_the_pairs_of_many_cards_are_summed_up_for_each() -> None:
    many = evidence("t4:17")
    rows = table(many, "Between every two devices").rows
    assert [len(line) for line in rows] == [4] * 17
    assert len(chart(many, HeatChart).cells) == 17 * 16


def test_throttling_is_marked_where_it_was_and_summed_by_reason() -> None:
    base = next(
        one for one in MACHINE.measurements if isinstance(one.telemetry, Known) and len(one.telemetry.value.offsets_seconds) > 4
    )
    assert isinstance(base.telemetry, Known)
    old: Telemetry = base.telemetry.value
    moments = old.offsets_seconds
    masks = [0] * len(moments)
    masks[1] = int(Throttle.HW_THERMAL)
    masks[2] = int(Throttle.GPU_IDLE)
    hot = replace(old, throttle_reasons_mask=Known(value=tuple(masks), source=Source.NVML))
    bundle = only(MACHINE, replace(base, telemetry=Known(value=hot, source=Source.NVML)))
    time = chart(bundle, TimeChart)
    assert time.marks == ((moments[1], moments[2]),)
    slowed = table(bundle, "SM clock and power").rows[0][-1]
    assert slowed == f"hw thermal for {moments[2] - moments[1]:.3g} s"
    cool = replace(old, throttle_reasons_mask=Known(value=(0,) * len(moments), source=Source.NVML))
    calm = only(MACHINE, replace(base, telemetry=Known(value=cool, source=Source.NVML)))
    assert chart(calm, TimeChart).marks == ()
    assert table(calm, "SM clock and power").rows[0][-1] == "never"


def test_what_was_not_read_is_listed_with_its_reason_and_whose_it_is() -> None:
    gone = Unknown(reason=Reason.NO_PERMISSION, source=Source.NVML, detail="hidden for this test")
    devices = list(MACHINE.nvml.devices)
    for place in (2, 3):
        devices[place] = replace(devices[place], identity=replace(devices[place].identity, serial=gone))
    rows = table(replace(MACHINE, nvml=replace(MACHINE.nvml, devices=tuple(devices))), "Readings without", name="unread").rows
    assert ("device.identity.serial", "device 2 to 3", "no-permission", "hidden for this test") in rows


def test_a_machine_without_cards_has_a_report_too() -> None:
    empty = replace(MACHINE, measurements=(), nvml=replace(MACHINE.nvml, devices=()))
    assert section(empty).title == "Nothing was measured"
    assert section(empty, "devices").blocks == ()


@pytest.mark.parametrize("second", [0.0, -1.0, 1e-320, 1e-12, 1e300], ids=str)
def test_times_that_make_no_sense_are_said_to_be_that(second: float) -> None:
    base = next(one for one in MACHINE.measurements if isinstance(one.task, GemmTask))
    assert isinstance(base.samples, Known)
    samples = replace(base.samples.value, seconds=(Seconds(second),))
    odd = replace(base, samples=Known(value=samples, source=Source.WORKLOAD))
    blocks = section(only(MACHINE, odd)).blocks
    told = [item for block in blocks if isinstance(block, Listing) for item in block.items]
    if second == 1e300:
        # Slow beyond belief, but a rate.
        assert told == []
    else:
        assert told == ["1 measurements have times that make no sense and are not shown: bf16 8,192³"]
    assert "<svg" in as_html(view_of(paper_of(only(MACHINE, *MACHINE.measurements[1:20], odd))))


@pytest.mark.parametrize("value", [-(2**63), 2**64 - 1, 0], ids=str)
def test_series_of_any_number_are_drawn(value: int) -> None:
    base = next(one for one in MACHINE.measurements if isinstance(one.telemetry, Known))
    assert isinstance(base.telemetry, Known)
    old = base.telemetry.value
    series = Known(value=(value,) * len(old.offsets_seconds), source=Source.NVML)
    offsets = (Seconds(1e300), *old.offsets_seconds[1:-1], Seconds(-5.0))
    odd = replace(
        old, offsets_seconds=offsets, sm_clock_megahertz=series, power_milliwatts=series, throttle_reasons_mask=series
    )
    bundle = only(MACHINE, replace(base, telemetry=Known(value=odd, source=Source.NVML)))
    assert "SM clock" in as_html(view_of(paper_of(bundle)))
