from __future__ import annotations

import pytest

from gpuaudit.attester.nvml.codes import refusal
from gpuaudit.evidence.reading import Reason, Source

# nvmlReturn_t as nvml.h lists it, written out here a second time.
REASONS = {
    1: Reason.FAULT,
    2: Reason.FAULT,
    3: Reason.NOT_SUPPORTED,
    4: Reason.NO_PERMISSION,
    5: Reason.FAULT,
    6: Reason.NOT_FOUND,
    7: Reason.FAULT,
    8: Reason.FAULT,
    9: Reason.NOT_FOUND,
    10: Reason.TIMED_OUT,
    11: Reason.FAULT,
    12: Reason.NOT_FOUND,
    13: Reason.NOT_SUPPORTED,
    14: Reason.FAULT,
    15: Reason.LOST,
    16: Reason.LOST,
    17: Reason.NO_PERMISSION,
    18: Reason.FAULT,
    19: Reason.BUSY,
    20: Reason.OUT_OF_MEMORY,
    21: Reason.NOT_FOUND,
    22: Reason.NOT_SUPPORTED,
    23: Reason.BUSY,
    24: Reason.NOT_SUPPORTED,
    25: Reason.NOT_SUPPORTED,
    26: Reason.NOT_SUPPORTED,
    27: Reason.BUSY,
    28: Reason.NOT_FOUND,
    29: Reason.FAULT,
    30: Reason.NOT_SUPPORTED,
    999: Reason.FAULT,
}


@pytest.mark.parametrize(("code", "reason"), REASONS.items())
def test_a_code_of_nvml_h_has_its_reason(code: int, reason: Reason) -> None:
    unknown = refusal("nvmlDeviceGetSerial", code)
    assert unknown.reason is reason
    assert unknown.source is Source.NVML
    assert unknown.detail.startswith(f"nvmlDeviceGetSerial returned {code} (")


@pytest.mark.parametrize("code", [31, 998, 1000, -1, 2**31 - 1, "three", None, []], ids=str)
def test_any_other_code_is_a_fault_that_keeps_the_code(code: object) -> None:
    unknown = refusal("nvmlDeviceGetSerial", code)
    assert unknown.reason is Reason.FAULT
    assert unknown.detail == f"nvmlDeviceGetSerial returned {code} (a code that nvml.h does not have)"
