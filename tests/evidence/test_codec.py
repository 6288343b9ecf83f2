"""Evidence to bytes and back, strictly: what parsers disagree about, and what exhausts them, is refused."""

from __future__ import annotations

import json
import math
import time
import tracemalloc
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gpuaudit.errors import AuthenticityError
from gpuaudit.evidence.bundle import EvidenceBundle
from gpuaudit.evidence.codec import MAX_BYTES, decode, dump, encode, load, strict_json
from gpuaudit.evidence.device import DeviceEvidence
from gpuaudit.evidence.host import EnvironmentEvidence, HostEvidence, TorchEvidence
from gpuaudit.evidence.kernel import KernelEvidence
from gpuaudit.evidence.measurement import CapacityTask, Measurement, Samples, StopReason
from gpuaudit.evidence.reading import Known, Reason, Source, Unknown
from gpuaudit.evidence.telemetry import Telemetry
from gpuaudit.units import Seconds
from tests.evidence.bundles import empty_bundle
from tests.evidence.strategies import values_of

UNKNOWN = Unknown(reason=Reason.NOT_FOUND, source=Source.PROC, detail="not there")
KERNEL = KernelEvidence(
    pci_functions=UNKNOWN,
    driver_version=Known(value="570.148.08", source=Source.PROC),
    proc_gpus=UNKNOWN,
    device_files=UNKNOWN,
    dxg_present=Known(value=False, source=Source.DEVICE_FILES),
)
TEXT = dump(KernelEvidence, KERNEL).decode()


def refusal(text: str | bytes, kind: type[Any] = KernelEvidence) -> str:
    with pytest.raises(AuthenticityError) as caught:
        load(kind, text.encode() if isinstance(text, str) else text, place="evidence.json")
    message = str(caught.value)
    assert message.startswith("evidence.json: ")
    assert len(message) < 2000
    assert message.isprintable()
    return message


def changed(old: str, new: str) -> str:
    assert TEXT.count(old) >= 1
    return TEXT.replace(old, new, 1)


def test_keys_are_lower_camel_case_and_there_are_no_needless_blanks() -> None:
    assert '"driverVersion":{"value":"570.148.08","source":"proc","state":"known"}' in TEXT
    assert ": " not in TEXT


def test_what_was_written_is_read_back() -> None:
    assert load(KernelEvidence, TEXT.encode(), place="evidence.json") == KERNEL


@pytest.mark.parametrize(
    "kind",
    [DeviceEvidence, KernelEvidence, HostEvidence, EnvironmentEvidence, TorchEvidence, Measurement],
    ids=lambda kind: kind.__name__,
)
def test_any_evidence_survives_writing_and_reading(kind: type[Any]) -> None:
    @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
    @given(values_of(kind))
    def survives(value: Any) -> None:
        data = dump(kind, value)
        read = load(kind, data, place="evidence.json")
        assert read == value
        assert dump(kind, read) == data

    survives()


def test_a_whole_bundle_survives_writing_and_reading() -> None:
    bundle = empty_bundle()
    assert decode(encode(bundle), place="evidence.json") == bundle


def test_a_missing_state_is_an_error_although_the_types_have_a_default() -> None:
    assert "state" in refusal(changed(',"state":"known"', ""))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param('"state":"known"', '"state":"unknown"', id="known-called-unknown"),
        pytest.param('"state":"known"', '"state":"maybe"', id="a-third-state"),
        pytest.param('"state":"known"', '"state":null', id="state-null"),
        pytest.param('"value":"570.148.08"', '"value":570', id="number-for-text"),
        pytest.param('"value":"570.148.08"', '"value":null', id="null-for-text"),
        pytest.param('"value":"570.148.08",', "", id="value-missing"),
        pytest.param('"value":false', '"value":0', id="number-for-bool"),
        pytest.param('"value":false', '"value":"false"', id="text-for-bool"),
        pytest.param('"source":"proc"', '"source":"hearsay"', id="no-such-source"),
        pytest.param('"reason":"not-found"', '"reason":"shy"', id="no-such-reason"),
        pytest.param('"driverVersion"', '"driver_version"', id="field-name-for-its-key"),
        pytest.param('"driverVersion"', '"driverversion"', id="other-case"),
    ],
)
def test_types_are_strict(old: str, new: str) -> None:
    refusal(changed(old, new))


@pytest.mark.parametrize("number", ["1.0", "1e0", "true", '"1"', "1.5", "-0.0"])
def test_a_whole_number_is_written_as_one(number: str) -> None:
    text = '{"kind":"capacity","requestedBytes":1,"blockBytes":1}'
    assert load(CapacityTask, text.encode(), place="x").block_bytes == 1
    refusal(text.replace('"blockBytes":1', f'"blockBytes":{number}'), CapacityTask)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        pytest.param('{"a":1,"a":1}', "'a' occurs twice", id="duplicate-key"),
        pytest.param('{"b":{"a":1,"\\u0061":2}}', "'a' occurs twice", id="duplicate-behind-an-escape"),
        pytest.param('{"\\u202ea":1,"\\u202ea":2}', "occurs twice", id="duplicate-of-hidden-characters"),
        pytest.param("[NaN]", "NaN", id="nan"),
        pytest.param("[Infinity]", "Infinity", id="infinity"),
        pytest.param("[-Infinity]", "-Infinity", id="minus-infinity"),
        pytest.param("[1e999]", "finite", id="1e999"),
        pytest.param("[-1e999]", "finite", id="minus-1e999"),
        pytest.param("[" + "9" * 5000 + "]", "5000 characters", id="5000-digits"),
        pytest.param("[0." + "1" * 5000 + "]", "5002 characters", id="5000-decimals"),
        pytest.param("[18446744073709551616]", "64 bits", id="2-to-the-64"),
        pytest.param("[-9223372036854775809]", "64 bits", id="below-minus-2-to-the-63"),
        pytest.param('["\\ud800"]', "surrogates", id="lone-surrogate"),
        pytest.param('{"\\udc00":1}', "surrogates", id="lone-surrogate-in-a-key"),
        pytest.param("[" * 100_000, "deep", id="deep-lists"),
        pytest.param('{"a":' * 100_000, "deep", id="deep-objects"),
        pytest.param("[1,]", "not strict JSON", id="trailing-comma"),
        pytest.param("{'a':1}", "not strict JSON", id="single-quotes"),
        pytest.param("[1] [2]", "not strict JSON", id="two-values"),
        pytest.param("[01]", "not strict JSON", id="leading-zero"),
        pytest.param('["\t"]', "not strict JSON", id="raw-control-character"),
        pytest.param("", "not strict JSON", id="empty"),
        pytest.param(b"\xef\xbb\xbf[]", "not strict JSON", id="byte-order-mark"),
        pytest.param(b'["\xff"]', "not strict JSON", id="not-utf-8"),
        pytest.param(b'["\xed\xa0\x80"]', "not strict JSON", id="surrogate-in-utf-8"),
        pytest.param("[]".encode("utf-16"), "not strict JSON", id="utf-16"),
    ],
)
def test_what_parsers_disagree_about_is_refused(text: str | bytes, says: str) -> None:
    assert says in refusal(text)


@pytest.mark.parametrize(
    "text", ["[18446744073709551615]", "[-9223372036854775808]", "[1.7976931348623157e308]", '["\\ud83d\\ude00"]']
)
def test_the_last_allowed_values_are_read(text: str) -> None:
    assert json.dumps(strict_json(text.encode(), place="x")).replace(" ", "") == text.replace("e308", "e+308")


def test_unknown_fields_are_ignored_and_stay_in_the_bytes() -> None:
    newer = changed('{"pciFunctions"', '{"fromTheFuture":[{"x":[1,2,{"state":"odd"}]}],"pciFunctions"')
    newer = newer.replace('"state":"known"', '"state":"known","confidence":0.5', 1)
    assert load(KernelEvidence, newer.encode(), place="evidence.json") == KERNEL


@pytest.mark.parametrize("document", ["null", "[]", "7", '"text"', "{}"])
def test_another_kind_of_document_is_refused(document: str) -> None:
    refusal(document)


def test_all_missing_fields_are_counted_but_not_all_are_shown() -> None:
    with pytest.raises(AuthenticityError, match=r"schemaVersion: Field required; .*and \d+ more"):
        decode(b"{}", place="evidence.json")


def test_what_the_file_says_does_not_reach_the_terminal_raw_or_whole() -> None:
    message = refusal(changed('"state":"known"', '"state":"' + "\\u001b[31m" * 10_000 + '"'))
    assert "\\x1b[31m" in message


@pytest.mark.parametrize(
    "number",
    [pytest.param(math.nan, id="nan"), pytest.param(math.inf, id="infinity"), pytest.param(-math.inf, id="minus-infinity")],
)
def test_a_number_that_is_not_finite_cannot_be_written(number: float) -> None:
    samples = Samples(
        amount_per_run=1.0,
        seconds=(Seconds(number),),
        warmup_runs=0,
        warmup_seconds=Seconds(0.0),
        stop=StopReason.COUNT,
        half_width_relative=1.0,
    )
    with pytest.raises(ValueError, match="JSON"):
        dump(Samples, samples)


def test_a_value_of_another_type_cannot_be_written() -> None:
    with pytest.raises(ValueError, match="Expected `str`"):
        dump(KernelEvidence, replace(KERNEL, driver_version=Known(value=570, source=Source.PROC)))  # type: ignore[arg-type]


def test_a_text_that_is_no_text_cannot_be_written() -> None:
    with pytest.raises(ValueError, match="surrogates"):
        dump(KernelEvidence, replace(KERNEL, driver_version=Known(value="\ud800", source=Source.PROC)))


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"x" * (100 * 1024 * 1024), id="junk"),
        pytest.param(b"[" + b"[]," * (MAX_BYTES // 3) + b"0]" + b" " * 100, id="just-too-large"),
    ],
)
def test_more_than_evidence_ever_has_is_refused_at_once(data: bytes) -> None:
    started = time.monotonic()
    assert "too large" in refusal(data)
    assert time.monotonic() - started < 0.5


def test_a_duplicate_among_very_many_keys_is_found_in_time() -> None:
    keys = ",".join(f'"{index}":0' for index in range(200_000))
    started = time.monotonic()
    assert "'199999' occurs twice" in refusal(f'{{{keys},"199999":0}}')
    assert time.monotonic() - started < 3


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_noise_is_refused_or_read_and_nothing_else(data: st.DataObject) -> None:
    noisy = bytearray(TEXT.encode())
    for _ in range(data.draw(st.integers(1, 8))):
        noisy[data.draw(st.integers(0, len(noisy) - 1))] = data.draw(st.integers(0, 255))
    try:
        read = load(KernelEvidence, bytes(noisy), place="evidence.json")
    except AuthenticityError:
        return
    assert load(KernelEvidence, dump(KernelEvidence, read), place="again") == read


SERIES = '{"value":"%s","source":"nvml","state":"known"}'


def telemetry(packed: str) -> str:
    """Write a measurement whose telemetry has `packed` in every series."""
    names = [name for name in Telemetry.__dataclass_fields__ if name not in {"offsets_seconds", "cost_relative"}]
    camel = [name.split("_")[0] + "".join(part.capitalize() for part in name.split("_")[1:]) for name in names]
    return '{"offsetsSeconds":"","costRelative":0.0,' + ",".join(f'"{name}":{SERIES % packed}' for name in camel) + "}"


def test_a_few_bytes_that_stand_for_millions_of_values_are_refused_in_time_and_memory() -> None:
    tracemalloc.start()
    started = time.monotonic()
    message = refusal(telemetry("0*1999999"), Telemetry)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert "values in one document" in message
    assert time.monotonic() - started < 10
    assert peak < 100_000_000


@pytest.mark.parametrize(
    "packed",
    [
        "9" * 4000,
        "1*0",
        "1*-1",
        "x",
        "1  2",
        "\u0661",
        "1_0",
        "18446744073709551616",
        "9223372036854775807*9",
        "0*2000001",
        " 1",
        "1.5",
    ],
)
def test_a_packed_series_that_is_none_is_refused(packed: str) -> None:
    refusal(telemetry(packed), Telemetry)


def test_bundles_are_the_type_that_is_signed() -> None:
    assert isinstance(decode(encode(empty_bundle()), place="x"), EvidenceBundle)
