from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import pynvml
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpuaudit.attester.nvml.session import collect_nvml
from gpuaudit.attester.nvml.watchdog import NvmlLimits
from gpuaudit.evidence.codec import dump, load
from gpuaudit.evidence.device import NvmlEvidence
from gpuaudit.evidence.reading import Known, Reason, Unknown
from gpuaudit.simulated.nvml import simulated_nvml
from gpuaudit.units import Seconds
from tests.attester.nvml.cards import (
    NEWER_FORM,
    OLDER_FORM,
    card,
    card_with_two_links,
    hang_on,
    readings,
    reason_of,
    value_of,
)

# nvmlReturn_t of nvml.h, but for success, and numbers that are not in it.
CODES = (*range(1, 31), 999, 31, 77, 998, 1000, -1, 2**31 - 1)
NOT_OFFERED = frozenset({3, 13, 22, 24, 25, 26, 30})


def functions_called() -> tuple[str, ...]:
    """Every C function that the collector calls: on a library of today, and on one that lacks each newer form."""
    called: set[str] = set()
    for refuses in ({}, dict.fromkeys(OLDER_FORM, 13)):
        with simulated_nvml([card(refuses=refuses)]) as library:
            collect_nvml()
            called |= set(library.calls)
    return tuple(sorted(called))


FUNCTIONS = functions_called()
WITHOUT_DEVICE = frozenset({"nvmlDeviceGetCount_v2", "nvmlDeviceGetHandleByIndex_v2"})
DEVICE_FUNCTIONS = tuple(name for name in FUNCTIONS if name.startswith("nvmlDevice") and name not in WITHOUT_DEVICE)
# Asked in another way where the library does not offer them.
FALLING_BACK = frozenset({*OLDER_FORM, "nvmlDeviceGetFieldValues"})
# A failing shutdown is nobody's reading.
SILENT = frozenset({"nvmlShutdown"})


# The older form of the question counts reserved memory as used.
COUNTED_OTHERWISE = frozenset({"devices.0.memory.used_bytes"})


def collect(refuses: dict[str, int]) -> dict[str, Known[Any] | Unknown]:
    with simulated_nvml([card_with_two_links(refuses=refuses)]):
        return readings(collect_nvml())


@pytest.fixture(scope="module")
def honest() -> dict[str, Known[Any] | Unknown]:
    return collect({})


def test_the_sweep_is_as_wide_as_it_says() -> None:
    assert len(FUNCTIONS) >= 55
    assert len(set(CODES)) >= 37
    assert set(OLDER_FORM) | set(NEWER_FORM) <= set(FUNCTIONS)


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_code_of_a_call_becomes_an_unknown_and_never_a_number(function: str) -> None:
    # An older form is asked only where the newer one is not there.
    missing = {NEWER_FORM[function]: 13} if function in NEWER_FORM else {}
    answering = collect(missing)
    for code in CODES:
        found = collect({**missing, function: code})
        changed = {path for path, reading in answering.items() if found.get(path) != reading}
        for path in changed & set(found):
            reading = found[path]
            if path in COUNTED_OTHERWISE and function == "nvmlDeviceGetMemoryInfo_v2" and code in NOT_OFFERED:
                continue
            assert isinstance(reading, Unknown), f"{function} {code}: {path}: {reading}"
            assert f" returned {code} (" in reading.detail, f"{function} {code}: {path}: {reading}"
        asked_otherwise = function in FALLING_BACK and code in NOT_OFFERED
        assert changed or asked_otherwise or function in SILENT, f"{function} {code}: nothing is missing"


@pytest.mark.parametrize("function", [*DEVICE_FUNCTIONS, "nvmlDeviceGetHandleByIndex_v2"])
def test_a_refusing_card_does_not_touch_its_neighbour(function: str, honest: dict[str, Known[Any] | Unknown]) -> None:
    with simulated_nvml([card_with_two_links(0, refuses={function: 15}), card_with_two_links(1)]):
        found = readings(collect_nvml())
    neighbour = {path: reading for path, reading in found.items() if path.startswith("devices.1.")}
    alone = {path: reading for path, reading in honest.items() if path.startswith("devices.0.")}
    assert len(neighbour) == len(alone)
    assert {type(reading) for reading in neighbour.values()} == {Known, Unknown}
    assert [type(reading) for reading in neighbour.values()] == [type(reading) for reading in alone.values()]


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    gate = threading.Event()
    yield gate
    gate.set()


@pytest.mark.parametrize("function", FUNCTIONS)
def test_a_call_that_never_returns_ends_in_bounded_time(
    function: str, honest: dict[str, Known[Any] | Unknown], gate: threading.Event
) -> None:
    # Short, so that a machine under load may miss other answers too; what must not be is a wrong one, or no end.
    short = Seconds(0.02)
    missing = {NEWER_FORM[function]: 13} if function in NEWER_FORM else {}
    with simulated_nvml([card_with_two_links(refuses=missing)]) as library:
        library.replace(function, lambda *_arguments: int(gate.wait()))
        began = time.monotonic()
        start = short if function == "nvmlInitWithFlags" else Seconds(5.0)
        evidence = collect_nvml(NvmlLimits(start_seconds=start, call_seconds=short, total_seconds=Seconds(120.0)))
        assert time.monotonic() - began < 60
        gate.set()
    found = readings(evidence)
    timed_out = [reading for reading in found.values() if isinstance(reading, Unknown) and reading.reason is Reason.TIMED_OUT]
    assert timed_out or function in SILENT
    for path, reading in found.items():
        if isinstance(reading, Known) and path not in COUNTED_OTHERWISE:
            assert reading == honest[path]


def test_one_hang_costs_one_reading(honest: dict[str, Known[Any] | Unknown], gate: threading.Event) -> None:
    with simulated_nvml([card_with_two_links()]) as library:
        library.replace("nvmlDeviceGetName", lambda *_arguments: int(gate.wait()))
        found = readings(collect_nvml(NvmlLimits(call_seconds=Seconds(2.0))))
        gate.set()
    name = found.pop("devices.0.identity.name")
    assert isinstance(name, Unknown)
    assert name.detail == "nvmlDeviceGetName did not return within 2 s"
    assert found == {path: reading for path, reading in honest.items() if path != "devices.0.identity.name"}


def test_when_everything_hangs_the_deadline_holds_and_every_card_is_listed(gate: threading.Event) -> None:
    with simulated_nvml([card(index) for index in range(8)]) as library:
        for function in DEVICE_FUNCTIONS:
            library.replace(function, lambda *_arguments: int(gate.wait()))
        began = time.monotonic()
        evidence = collect_nvml(NvmlLimits(call_seconds=Seconds(0.3), total_seconds=Seconds(1.0)))
        assert time.monotonic() - began < 60
        gate.set()
    assert len(evidence.devices) == 8
    last = readings(evidence)["devices.7.identity.name"]
    assert isinstance(last, Unknown)
    assert last.reason is Reason.TIMED_OUT
    assert last.detail == "not asked: nvmlDeviceGetName; the 1 s for all of NVML are used up"


def test_a_dead_card_does_not_use_up_the_time_of_the_others(gate: threading.Event) -> None:
    with simulated_nvml([card(0), card(1)]) as library:
        for name in DEVICE_FUNCTIONS:
            hang_on(library, name, position=0, gate=gate)
        evidence = collect_nvml(NvmlLimits(call_seconds=Seconds(1.0)))
        gate.set()
    assert reason_of(evidence.devices[0].identity.uuid) is Reason.TIMED_OUT
    assert reason_of(evidence.devices[0].processes.used_bytes) is Reason.TIMED_OUT
    assert value_of(evidence.devices[1].identity.uuid) == card(1).uuid
    assert value_of(evidence.devices[1].processes.used_bytes) == 0


def test_a_card_that_cannot_be_opened_is_listed_with_the_reason() -> None:
    with simulated_nvml([card(0), card(1, refuses={"nvmlDeviceGetHandleByIndex_v2": 15}), card(2)]):
        evidence = collect_nvml()
    assert value_of(evidence.device_count) == 3
    assert [device.index for device in evidence.devices] == [0, 1, 2]
    closed = {path: each for path, each in readings(evidence).items() if path.startswith("devices.1.")}
    assert len(closed) > 50
    assert {reason_of(each) for each in closed.values()} == {Reason.LOST}
    assert value_of(evidence.devices[2].identity.uuid) == card(2).uuid


def test_where_the_count_is_refused_cards_are_listed_up_to_the_first_that_does_not_open() -> None:
    with simulated_nvml([card(0, refuses={"nvmlDeviceGetCount_v2": 4}), card(1)]):
        evidence = collect_nvml()
    assert reason_of(evidence.device_count) is Reason.NO_PERMISSION
    assert len(evidence.devices) == 2


def test_a_count_beyond_belief_is_malformed_and_does_not_fill_the_evidence() -> None:
    with simulated_nvml([card()]) as library:

        def four_thousand_million(target: Any) -> int:
            target._obj.value = 2**32 - 1
            return 0

        library.replace("nvmlDeviceGetCount_v2", four_thousand_million)
        evidence = collect_nvml()
    assert reason_of(evidence.device_count) is Reason.FAULT
    assert len(evidence.devices) == 1


@pytest.mark.parametrize(
    ("code", "reason", "words"),
    [
        pytest.param(9, Reason.NOT_FOUND, "the NVIDIA driver is not loaded", id="driver-not-loaded"),
        pytest.param(18, Reason.FAULT, "library and kernel driver are of different versions", id="after-an-update"),
        pytest.param(4, Reason.NO_PERMISSION, "no permission", id="forbidden"),
    ],
)
def test_where_nvml_does_not_start_every_reading_says_why_in_one_line(code: int, reason: Reason, words: str) -> None:
    with simulated_nvml([card(refuses={"nvmlInitWithFlags": code})]) as library:
        evidence = collect_nvml()
        assert library.calls == ["nvmlInitWithFlags"]
    assert evidence.devices == ()
    unknowns = [each for each in readings(evidence).values() if isinstance(each, Unknown)]
    assert len(unknowns) == 5
    assert {each.reason for each in unknowns} == {reason}
    assert {each.detail for each in unknowns} == {f"NVML did not start: nvmlInit returned {code} ({words})"}


def test_without_a_library_collection_finishes_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def no_such_file(name: str) -> None:
        raise OSError(f"{name}: cannot open shared object file")

    monkeypatch.setattr(pynvml, "CDLL", no_such_file)
    monkeypatch.setattr(pynvml, "nvmlLib", None)
    monkeypatch.setattr(pynvml, "_nvmlGetFunctionPointer_cache", {})
    evidence = collect_nvml()
    assert evidence.devices == ()
    driver = evidence.driver_version
    assert isinstance(driver, Unknown)
    assert driver.reason is Reason.NOT_FOUND
    assert driver.detail == "NVML did not start: nvmlInit returned 12 (there is no NVML library (libnvidia-ml.so.1))"


def test_confidential_computing_is_asked_first_and_its_two_dangerous_calls_never() -> None:
    with simulated_nvml([card()]) as library:
        collect_nvml()
        assert library.calls[:2] == ["nvmlInitWithFlags", "nvmlSystemGetConfComputeState"]
        assert not [name for name in library.calls if "Certificate" in name or "AttestationReport" in name]
        assert library.calls[-1] == "nvmlShutdown"


def test_a_session_that_others_opened_stays_open() -> None:
    with simulated_nvml([card()]):
        pynvml.nvmlInit()
        collect_nvml()
        assert pynvml.nvmlDeviceGetCount() == 1


@settings(max_examples=40, deadline=None)
@given(
    refuses=st.dictionaries(st.sampled_from(FUNCTIONS), st.one_of(st.sampled_from(CODES), st.integers(-(2**31), 2**31 - 1))),
)
def test_no_set_of_refusals_ends_the_collection_or_makes_a_number(refuses: dict[str, int]) -> None:
    honest = collect({})
    with simulated_nvml([card_with_two_links(refuses=refuses)]):
        evidence = collect_nvml()
    for path, reading in readings(evidence).items():
        if isinstance(reading, Known) and path not in COUNTED_OTHERWISE:
            assert reading == honest[path]
    assert load(NvmlEvidence, dump(NvmlEvidence, evidence), place="evidence") == evidence
