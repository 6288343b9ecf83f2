"""A reading is a value or the reason why there is none, and neither a yes nor a no."""

from __future__ import annotations

import dataclasses

import pytest

from gpuaudit.evidence.reading import Known, Reading, Reason, Source, Unknown

KNOWN = Known(value=0, source=Source.NVML)
UNKNOWN = Unknown(reason=Reason.LOST, source=Source.NVML, detail="gone")


@pytest.mark.parametrize("reading", [pytest.param(KNOWN, id="known-zero"), pytest.param(UNKNOWN, id="unknown")])
def test_a_reading_has_no_truth_value(reading: Reading[int]) -> None:
    with pytest.raises(TypeError, match="no truth value"):
        bool(reading)
    with pytest.raises(TypeError, match="no truth value"):
        assert not reading


def test_an_unknown_is_not_ordered_with_numbers() -> None:
    with pytest.raises(TypeError):
        assert UNKNOWN > 0  # type: ignore[operator]


def test_what_another_source_says_is_another_reading() -> None:
    assert Known(value=0, source=Source.PCI) != KNOWN


@pytest.mark.parametrize("reading", [KNOWN, UNKNOWN], ids=["known", "unknown"])
def test_a_reading_cannot_be_changed(reading: Reading[int]) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        reading.source = Source.PCI  # type: ignore[misc]
