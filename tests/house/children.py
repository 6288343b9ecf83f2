"""The processor time of processes that a test starts and waits for: it does not grow because others use the machine."""

from __future__ import annotations

import resource


def processor_seconds() -> float:
    """Return how much all ended children have used so far."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
