"""Dates as people type them."""

from __future__ import annotations

from datetime import UTC, datetime

from gpuaudit.errors import UsageError

_A_MONTH = "2024-04"


def moment_of(text: str, *, option: str) -> datetime:
    """Read a date, a month or a moment in ISO 8601; of UTC, unless it says otherwise.

    Raises:
        UsageError: It is none; names the option.
    """
    try:
        moment = datetime.fromisoformat(text if len(text) > len(_A_MONTH) else f"{text}-01")
    except ValueError:
        raise UsageError(f"{option}: got {text[:40]!a}, expected a date such as 2026-12-01") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
