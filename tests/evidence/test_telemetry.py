from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuaudit.errors import AuthenticityError
from gpuaudit.evidence.codec import dump, load
from gpuaudit.evidence.reading import Known, Reason, Source, Unknown
from gpuaudit.evidence.telemetry import SeriesSummary, Telemetry, Throttle, pack, summary_of, throttled_seconds
from gpuaudit.units import Seconds

VALUES = st.lists(st.integers(-(2**31), 2**62), max_size=60).map(tuple)


def telemetry(series: tuple[int, ...], offsets: tuple[float, ...] = (0.0,)) -> Telemetry:
    known = Known(value=series, source=Source.NVML)
    return Telemetry(
        offsets_seconds=tuple(Seconds(offset) for offset in offsets),
        sm_clock_megahertz=known,
        memory_clock_megahertz=known,
        power_milliwatts=known,
        energy_millijoules=known,
        temperature_celsius=known,
        throttle_reasons_mask=known,
        gpu_utilization_percent=known,
        pcie_transmit_kilobytes_per_second=known,
        pcie_receive_kilobytes_per_second=known,
        process_count=known,
        cost_relative=0.001,
    )


@given(VALUES)
def test_a_series_comes_back_as_it_was(series: tuple[int, ...]) -> None:
    written = telemetry(series)
    assert load(Telemetry, dump(Telemetry, written), place="test") == written


@given(st.lists(st.integers(0, 10_000_000), max_size=60).map(tuple))
def test_offsets_come_back_to_the_millisecond(milliseconds: tuple[int, ...]) -> None:
    written = telemetry((), tuple(each / 1e3 for each in milliseconds))
    assert load(Telemetry, dump(Telemetry, written), place="test") == written


@pytest.mark.parametrize(
    ("series", "text"),
    [
        ((), ""),
        ((7,), "7"),
        ((210, 210, 210, 1410), "210 0*2 1200"),
        ((0, 1, 2, 3), "0 1*3"),
        ((5, 3, 1, 1), "5 -2*2 0"),
    ],
)
def test_the_packed_form(series: tuple[int, ...], text: str) -> None:
    assert pack(series) == text
    assert json.loads(dump(Telemetry, telemetry(series)))["smClockMegahertz"]["value"] == text


def test_a_constant_series_costs_next_to_nothing() -> None:
    assert len(pack((1593,) * 10_000)) == 11


@pytest.mark.parametrize(
    "text", ["x", "1 ", "1  2", "1*0", "1*-1", "1.5", "0x10", "1_0", "1*1*1", "0*99999999", "0*1999999 0*1999999 0*1999999"]
)
def test_what_is_no_packed_series_is_refused(text: str) -> None:
    good = dump(Telemetry, telemetry((1,)))
    for bad in (good.replace(b'"value":"1"', json.dumps({"value": text})[1:-1].encode(), 1),):
        with pytest.raises(AuthenticityError, match="packed series"):
            load(Telemetry, bad, place="test")


def test_a_summary_has_the_ends_and_the_middle() -> None:
    reading: Known[tuple[int, ...]] = Known(value=(3, 1, 2, 10), source=Source.NVML)
    assert summary_of(reading) == Known(value=SeriesSummary(smallest=1, median=2.5, largest=10), source=Source.NVML)


def test_a_summary_of_the_unknown_is_unknown_and_of_nothing_an_error() -> None:
    lost = Unknown(reason=Reason.LOST, source=Source.NVML, detail="gone")
    assert summary_of(lost) == lost
    with pytest.raises(ValueError, match="got none"):
        summary_of(Known(value=(), source=Source.NVML))


def test_throttling_is_counted_per_reason_from_one_moment_to_the_next() -> None:
    masks = (0x1, 0x4, 0x24, 0x24, 0x0)
    times = throttled_seconds(telemetry(masks, (0.0, 1.0, 2.0, 4.0, 5.0)))
    assert isinstance(times, Known)
    assert times.value == {Throttle.GPU_IDLE: 1.0, Throttle.SW_POWER_CAP: 4.0, Throttle.SW_THERMAL: 3.0}


def test_bits_that_nvml_has_not_named_are_passed_over() -> None:
    times = throttled_seconds(telemetry((1 << 40, 1 << 40), (0.0, 1.0)))
    assert isinstance(times, Known)
    assert times.value == {}
