"""How many cores there are for this process."""

from __future__ import annotations

import os


def available_cores() -> int:
    """Return on how many cores this process may run; where the system does not say (macOS), how many there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
