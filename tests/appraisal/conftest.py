"""The real catalogue and thresholds, prepared once."""

from __future__ import annotations

import pytest

from gpuaudit.appraisal.reference import Yardstick, prepare
from gpuaudit.appraisal.threshold import load_thresholds
from gpuaudit.catalogue.compiled import load_catalogue


@pytest.fixture(scope="session")
def yardstick() -> Yardstick:
    return prepare(load_catalogue(), load_thresholds().thresholds)
