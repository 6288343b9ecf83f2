"""Words for "no value", and units."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gpuaudit.attester.capture import values
from gpuaudit.attester.capture.document import Element, parse_document
from gpuaudit.attester.capture.values import first_known, text_at, value_at
from gpuaudit.evidence.reading import Known, Reason, Source, Unknown


def element(inner: str) -> Element:
    return parse_document(f"<gpu>{inner}</gpu>".encode(), place="smi.xml").root


def reason_at(inner: str, path: str) -> Reason:
    reading = text_at(element(inner), path)
    assert isinstance(reading, Unknown)
    assert reading.source is Source.CAPTURE
    return reading.reason


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("N/A", Reason.NOT_SUPPORTED),
        ("[N/A]", Reason.NOT_SUPPORTED),
        ("[Not Supported]", Reason.NOT_SUPPORTED),
        ("Requested functionality has been deprecated", Reason.NOT_SUPPORTED),
        ("Function Not Found", Reason.NOT_SUPPORTED),
        ("Insufficient Permissions", Reason.NO_PERMISSION),
        ("[Insufficient Permissions]", Reason.NO_PERMISSION),
        ("Unknown Error", Reason.FAULT),
        ("[Unknown Error]", Reason.FAULT),
        ("ERR!", Reason.FAULT),
        ("[GPU is lost]", Reason.LOST),
        ("[GPU requires reset]", Reason.LOST),
        ("Timeout", Reason.TIMED_OUT),
        ("Not Found", Reason.NOT_FOUND),
        ("", Reason.NOT_CAPTURED),
    ],
)
def test_a_word_for_no_value_keeps_its_reason(text: str, reason: Reason) -> None:
    assert reason_at(f"<serial>{text}</serial>", "serial") is reason


def test_what_is_not_there_is_not_captured() -> None:
    assert reason_at("", "serial") is Reason.NOT_CAPTURED
    assert reason_at("<pci><bus>1</bus></pci>", "pci/device") is Reason.NOT_CAPTURED


def test_a_group_without_value_says_so_for_its_members() -> None:
    assert reason_at("<remapped_rows>N/A</remapped_rows>", "remapped_rows/remapped_row_corr") is Reason.NOT_SUPPORTED


@pytest.mark.parametrize(
    ("inner", "path"),
    [
        pytest.param("<uuid>GPU-1</uuid><uuid>GPU-2</uuid>", "uuid", id="two-uuids"),
        pytest.param("<pci><id>1</id></pci><pci><id>1</id></pci>", "pci/id", id="two-groups"),
        pytest.param("<uuid><b>GPU-1</b></uuid>", "uuid", id="elements-for-a-text"),
    ],
)
def test_a_field_that_readers_would_read_differently_is_a_fault(inner: str, path: str) -> None:
    assert reason_at(inner, path) is Reason.FAULT


def test_a_text_is_kept_as_it_is_and_made_harmless() -> None:
    assert text_at(element("<name> NVIDIA A100 \n</name>"), "name") == Known(value="NVIDIA A100", source=Source.CAPTURE)
    assert text_at(element("<name>A100&#x202e;</name>"), "name") == Known(value="A100\\u202e", source=Source.CAPTURE)


@pytest.mark.parametrize(
    ("parse", "text", "value"),
    [
        (values.whole, "0", 0),
        (values.hexadecimal, "0xca00", 0xCA00),
        (values.mebibytes, "81920 MiB", 81920 * 2**20),
        (values.megahertz, "1410 MHz", 1410),
        (values.milliwatts, "400.00 W", 400_000),
        (values.milliwatts, "68.57 W", 68_570),
        (values.milliwatts, "0.29 W", 290),
        (values.celsius, "-2 C", -2),
        (values.lanes, "16x", 16),
        (values.banks, "640 bank(s)", 640),
        (values.enabled, "Disabled", False),
        (values.yes, "Yes", True),
        (values.active, "Not Active", False),
        (values.pci_id, "20B010DE", "10de:20b0"),
        (values.pci_id, "161219DA", "19da:1612"),
        (values.pci_id, "0x20B010DE", "10de:20b0"),
    ],
)
def test_a_unit_is_parsed_exactly(parse: Callable[[str], object], text: str, value: object) -> None:
    assert value_at(element(f"<x>{text}</x>"), "x", parse) == Known(value=value, source=Source.CAPTURE)


@pytest.mark.parametrize(
    ("parse", "text"),
    [
        (values.whole, "-1"),
        (values.whole, "1.5"),
        (values.whole, "9" * 500),
        (values.whole, "\u0661"),
        (values.hexadecimal, "600"),
        (values.mebibytes, "80 GiB"),
        (values.mebibytes, "81920"),
        (values.megahertz, "1410"),
        (values.milliwatts, "400,00 W"),
        (values.milliwatts, "nan W"),
        (values.milliwatts, "1e9 W"),
        (values.celsius, "91 F"),
        (values.lanes, "16"),
        (values.banks, "640"),
        (values.enabled, "enabled"),
        (values.yes, "1"),
        (values.pci_id, "20B0"),
    ],
)
def test_another_unit_or_form_is_a_fault_and_never_a_number(parse: Callable[[str], object], text: str) -> None:
    reading = value_at(element(f"<x>{text}</x>"), "x", parse)
    assert isinstance(reading, Unknown)
    assert reading.reason is Reason.FAULT
    assert reading.detail.startswith("x: ")


def test_the_first_known_of_several_names_counts() -> None:
    absent = values.not_captured("old name")
    refused = Unknown(reason=Reason.NOT_SUPPORTED, source=Source.CAPTURE, detail="new name")
    known = Known(value=1, source=Source.CAPTURE)
    assert first_known(absent, refused, known) is known
    assert first_known(absent, refused) is refused
    assert first_known(absent, absent) is absent
