from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpuaudit.attester.nvml import answers
from gpuaudit.attester.nvml.answers import MalformedAnswerError
from gpuaudit.evidence.device import MigMode, VirtualizationMode


def test_pci_ids_are_unpacked_as_in_pci_ids() -> None:
    info = SimpleNamespace(pciDeviceId=0x20B010DE, pciSubSystemId=0x134F10DE)
    assert answers.device_id(info) == "10de:20b0"
    assert answers.subsystem_id(info) == "10de:134f"


@pytest.mark.parametrize(
    ("written", "read"),
    [
        pytest.param("00000000:00:1E.0", "00000000:00:1e.0", id="lower-case"),
        pytest.param("0000:07:00.0", "0000:07:00.0", id="four-digits-are-kept-they-betray-a-mock"),
        pytest.param("00010000:07:00.0", "00010000:07:00.0", id="a-wide-domain-is-kept"),
    ],
)
def test_a_bus_id_is_kept_as_nvml_gives_it_in_lower_case(written: str, read: str) -> None:
    assert answers.bus_id(SimpleNamespace(busId=written)) == read


@pytest.mark.parametrize("written", ["", "07:00.0", "00000000:07:00.9", "00000000:07:00.0\n", "x" * 200])
def test_a_bus_id_of_another_form_is_malformed(written: str) -> None:
    with pytest.raises(MalformedAnswerError):
        answers.bus_id(SimpleNamespace(busId=written))


@pytest.mark.parametrize(
    ("take", "answer"),
    [
        pytest.param(answers.text, 5, id="number-for-text"),
        pytest.param(answers.number, "5", id="text-for-number"),
        pytest.param(answers.number, True, id="flag-for-number"),
        pytest.param(answers.number, 1.5, id="fraction"),
        pytest.param(answers.flag, 2, id="flag-of-two"),
        pytest.param(answers.compute_capability, (-1, 0), id="negative-compute-capability"),
        pytest.param(answers.mig_mode, [7, 0], id="mig-mode-of-seven"),
        pytest.param(answers.virtualization_mode, 5, id="mode-beyond-the-last"),
        pytest.param(answers.virtualization_mode, -1, id="mode-before-the-first"),
    ],
)
def test_an_answer_that_nvml_h_does_not_allow_is_malformed(take: Any, answer: Any) -> None:
    with pytest.raises(MalformedAnswerError):
        take(answer)


def test_text_that_is_not_utf8_is_refused() -> None:
    with pytest.raises(UnicodeDecodeError):
        answers.text(b"\xff\xfe")


def test_modes_are_those_of_nvml_h() -> None:
    assert answers.mig_mode([1, 0]) is MigMode.ENABLED
    assert answers.mig_mode([0, 1]) is MigMode.DISABLED
    assert [answers.virtualization_mode(mode) for mode in range(5)] == [
        VirtualizationMode.NONE,
        VirtualizationMode.PASSTHROUGH,
        VirtualizationMode.VGPU,
        VirtualizationMode.HOST_VGPU,
        VirtualizationMode.HOST_VSGA,
    ]


@settings(deadline=None)
@given(st.one_of(st.text(), st.binary(), st.integers(), st.floats(), st.none()))
def test_a_complaint_is_short_and_plain_whatever_came(answer: object) -> None:
    complaint = str(answers.malformed("a flag", answer))
    assert complaint.isascii()
    assert len(complaint) < 100
