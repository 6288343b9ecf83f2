"""The real catalogue, thresholds and rules, prepared once."""

from __future__ import annotations

import pytest

from benchmarks.soundness_study.questions import real_yardstick
from gpuaudit.appraisal.reference import Yardstick


@pytest.fixture(scope="session")
def yardstick() -> Yardstick:
    return real_yardstick()
