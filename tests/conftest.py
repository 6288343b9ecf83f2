"""Set before anything imports numpy."""

from __future__ import annotations

import os

# Two threads that wait for each other on a busy machine make products of small matrices ten times slower.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
