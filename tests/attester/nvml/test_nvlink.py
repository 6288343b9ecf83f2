from __future__ import annotations

import ctypes
import dataclasses
from typing import Any

import pytest

from gpuaudit.attester.nvml.session import collect_nvml
from gpuaudit.evidence.device import NvLinkReadings
from gpuaudit.evidence.reading import Known, Reading, Reason
from gpuaudit.simulated.device import SimulatedDevice
from gpuaudit.simulated.nvml import simulated_nvml
from gpuaudit.simulated.nvml_structs import FieldValue, address
from gpuaudit.simulated.profile import load_profile
from gpuaudit.simulated.spec import honest_device
from tests.attester.nvml.cards import card, reason_of, value_of

FIELDS = "nvmlDeviceGetFieldValues"
STATE = "nvmlDeviceGetNvLinkState"


def links_of(device: SimulatedDevice) -> Reading[tuple[NvLinkReadings, ...]]:
    with simulated_nvml([device]):
        return collect_nvml().devices[0].nvlinks


@pytest.mark.parametrize(("profile", "count"), [("a100-sxm4-80gb", 12), ("a800-sxm4-80gb", 8), ("h100-sxm5-80gb", 18)])
def test_every_link_is_listed(profile: str, count: int) -> None:
    links = value_of(links_of(honest_device(0, load_profile(profile))))
    assert [link.link for link in links] == list(range(count))
    assert all(value_of(link.active) for link in links)
    assert all(value_of(link.remote_bus_id).startswith("00000000:f") for link in links)


def test_links_without_a_bridge_are_inactive_not_missing() -> None:
    links = value_of(links_of(honest_device(0, load_profile("a100-pcie-80gb"))))
    assert [value_of(link.active) for link in links] == [False] * 12
    assert {reason_of(link.remote_bus_id) for link in links} == {Reason.NOT_SUPPORTED}


@pytest.mark.parametrize("profile", ["l40s", "t4", "rtx-4090"])
def test_a_card_without_nvlink_is_not_known_to_have_no_links(profile: str) -> None:
    assert reason_of(links_of(honest_device(0, load_profile(profile)))) is Reason.NOT_SUPPORTED


def test_where_the_count_is_not_offered_links_are_counted_by_asking_each() -> None:
    assert len(value_of(links_of(card(refuses={FIELDS: 13})))) == 12


def test_a_count_that_was_refused_for_another_reason_is_not_made_up() -> None:
    assert reason_of(links_of(card(refuses={FIELDS: 15}))) is Reason.LOST


def test_links_that_refuse_their_state_are_still_links() -> None:
    links = value_of(links_of(card(refuses={STATE: 4})))
    assert len(links) == 12
    assert {reason_of(link.active) for link in links} == {Reason.NO_PERMISSION}


def test_a_link_that_refuses_between_two_that_answer_is_a_link() -> None:
    with simulated_nvml([card(refuses={FIELDS: 3})]) as library:

        def state(handle: Any, link: Any, target: Any) -> int:
            return 3 if link == 5 else int(before(handle, link, target))

        before = library.replace(STATE, state)
        links = value_of(collect_nvml().devices[0].nvlinks)
    assert len(links) == 12
    assert [link.link for link in links if not isinstance(link.active, Known)] == [5]


def test_if_no_link_answers_there_is_no_number_of_links() -> None:
    assert reason_of(links_of(card(refuses={FIELDS: 3, STATE: 3}))) is Reason.NOT_SUPPORTED


@pytest.mark.parametrize(
    ("code", "kind", "count"),
    [
        pytest.param(0, 3, 2**40, id="a-million-million-links"),
        pytest.param(0, 3, 37, id="one-more-than-nvml-allows"),
        pytest.param(0, 0, 12, id="a-floating-count"),
        pytest.param(0, 9, 12, id="a-kind-that-nvml-h-does-not-have"),
        pytest.param(999, 3, 12, id="the-field-has-failed"),
    ],
)
def test_a_count_that_makes_no_sense_is_a_fault(code: int, kind: int, count: int) -> None:
    with simulated_nvml([card()]) as library:

        def field_values(_handle: Any, _count: Any, values: Any) -> int:
            ctypes.memmove(address(values), ctypes.byref(FieldValue(code=code, kind=kind, as_long_long=count)), 40)
            return 0

        library.replace(FIELDS, field_values)
        assert reason_of(collect_nvml().devices[0].nvlinks) is Reason.FAULT


def test_a_library_that_writes_one_field_too_many_breaks_nothing() -> None:
    with simulated_nvml([card()]) as library:

        def field_values(handle: Any, count: Any, values: Any) -> int:
            FieldValue.from_address(address(values) + ctypes.sizeof(FieldValue)).as_long_long = 2**63
            return int(before(handle, count, values))

        before = library.replace(FIELDS, field_values)
        assert len(value_of(collect_nvml().devices[0].nvlinks)) == 12


def test_a_forged_number_of_links_is_reported_as_it_is() -> None:
    a800 = load_profile("a800-sxm4-80gb")
    forged = dataclasses.replace(a800, reported=dataclasses.replace(a800.reported, nvlink_count=12))
    assert len(value_of(links_of(honest_device(0, forged)))) == 12
