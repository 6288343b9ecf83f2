from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pynvml
import pytest

from gpuaudit.attester.nvml.answers import text
from gpuaudit.attester.nvml.read import Reader, unless_missing
from gpuaudit.attester.nvml.watchdog import NvmlLimits, Watchdog
from gpuaudit.evidence.reading import Known, Reading, Reason, Source, Unknown
from gpuaudit.simulated.libnvml import SimulatedLibrary
from gpuaudit.simulated.nvml import simulated_nvml
from gpuaudit.units import Seconds
from tests.attester.nvml.cards import card, reason_of, value_of

LIMITS = NvmlLimits(call_seconds=Seconds(5.0))


@pytest.fixture
def library() -> Iterator[SimulatedLibrary]:
    with simulated_nvml([card()]) as library:
        pynvml.nvmlInit()
        yield library


@pytest.fixture
def reader(library: SimulatedLibrary) -> Iterator[Reader]:
    with closing(Watchdog(LIMITS)) as watchdog:
        yield Reader(watchdog, LIMITS)


def test_an_answer_is_known(reader: Reader) -> None:
    assert reader.read("nvmlSystemGetDriverVersion", of=text) == Known(value="580.105.08", source=Source.NVML)


def test_a_pynvml_too_old_to_have_the_function_does_not_support_it(reader: Reader) -> None:
    unknown = reader.read("nvmlDeviceGetTomorrow", of=text)
    assert reason_of(unknown) is Reason.NOT_SUPPORTED
    assert isinstance(unknown, Unknown)
    assert unknown.detail == "this pynvml has no nvmlDeviceGetTomorrow"


def test_a_library_too_old_to_have_the_function_does_not_support_it(reader: Reader, library: SimulatedLibrary) -> None:
    library.remove("nvmlSystemGetDriverVersion")
    unknown = reader.read("nvmlSystemGetDriverVersion", of=text)
    assert isinstance(unknown, Unknown)
    assert unknown.reason is Reason.NOT_SUPPORTED
    assert unknown.detail == "nvmlSystemGetDriverVersion returned 13 (the library has no such function)"


def test_pynvmls_own_complaint_of_a_version_mismatch_is_a_missing_function(reader: Reader, library: SimulatedLibrary) -> None:
    library.remove("nvmlDeviceGetComputeRunningProcesses_v3")
    handle = pynvml.nvmlDeviceGetHandleByIndex(0)
    unknown = reader.read("nvmlDeviceGetComputeRunningProcesses", handle, of=len)
    assert reason_of(unknown) is Reason.NOT_SUPPORTED


def test_text_that_is_not_utf8_is_malformed_not_an_exception(reader: Reader, library: SimulatedLibrary) -> None:
    def garbage(buffer: Any, _length: Any) -> int:
        buffer.value = b"580\xff\xfe"
        return 0

    library.replace("nvmlSystemGetDriverVersion", garbage)
    unknown = reader.read("nvmlSystemGetDriverVersion", of=text)
    assert isinstance(unknown, Unknown)
    assert unknown.reason is Reason.FAULT
    assert "makes no sense" in unknown.detail


@pytest.mark.parametrize(
    "error",
    [RuntimeError("\ud800 and \x1b[2J"), MemoryError(), OverflowError("x" * 10_000), pynvml.NVMLError(77), KeyError("k")],
    ids=["lone-surrogate", "memory", "endless", "unknown-code", "key"],
)
def test_whatever_is_raised_beneath_becomes_a_short_plain_reason(
    reader: Reader, library: SimulatedLibrary, error: Exception
) -> None:
    def fail(*_arguments: Any) -> int:
        raise error

    library.replace("nvmlSystemGetDriverVersion", fail)
    unknown = reader.read("nvmlSystemGetDriverVersion", of=text)
    assert isinstance(unknown, Unknown)
    assert unknown.reason is Reason.FAULT
    assert unknown.detail.isascii()
    assert unknown.detail.isprintable()
    assert len(unknown.detail) < 300


def test_no_words_are_asked_of_the_library_for_a_code(reader: Reader, library: SimulatedLibrary) -> None:
    library.replace("nvmlSystemGetDriverVersion", lambda *_arguments: 12345)
    reader.read("nvmlSystemGetDriverVersion", of=text)
    assert "nvmlErrorString" not in library.calls


def test_after_three_hangs_a_reader_asks_nothing_more(library: SimulatedLibrary) -> None:
    gate = threading.Event()
    library.replace("nvmlSystemGetDriverVersion", lambda *_arguments: int(gate.wait()))
    limits = NvmlLimits(call_seconds=Seconds(0.02))
    with closing(Watchdog(limits)) as watchdog:
        reader, neighbour = Reader(watchdog, limits), Reader(watchdog, NvmlLimits())
        hung = [reader.read("nvmlSystemGetDriverVersion", of=text) for _ in range(5)]
        assert [reason_of(each) for each in hung] == [Reason.TIMED_OUT] * 5
        assert library.calls.count("nvmlSystemGetDriverVersion") == 3
        assert "not asked" in str(hung[3])
        assert value_of(neighbour.read("nvmlSystemGetNVMLVersion", of=text)) == "13.580.105.08"
        gate.set()


@pytest.mark.parametrize("reason", [reason for reason in Reason if reason is not Reason.NOT_SUPPORTED])
def test_a_refusal_other_than_not_supported_is_not_asked_in_another_way(reason: Reason) -> None:
    refused = Unknown(reason=reason, source=Source.NVML, detail="refused")
    assert unless_missing(refused, _never) is refused


def test_a_form_that_is_not_offered_is_asked_in_the_older_way() -> None:
    missing = Unknown(reason=Reason.NOT_SUPPORTED, source=Source.NVML, detail="missing")
    older: Callable[[], Reading[int]] = lambda: Known(value=7, source=Source.NVML)  # noqa: E731 - typed for the call
    assert value_of(unless_missing(missing, older)) == 7


def _never() -> Reading[int]:
    raise AssertionError("the older form was asked")
