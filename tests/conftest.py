"""What holds for every test: set before anything imports numpy, or before a law is stated."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

# Two threads that wait for each other on a busy machine make products of small matrices ten times slower.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

# A machine that others use too may take any time for one example.
settings.register_profile("shared-machine", parent=settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("shared-machine")
