"""Devices for these tests: nothing known, and then what a test says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any, get_type_hints

from gpuaudit.evidence.device import DeviceEvidence
from gpuaudit.evidence.reading import Known, Reason, Source, Unknown

_UNREAD = Unknown(reason=Reason.NOT_ATTEMPTED, source=Source.NVML, detail="not part of this test")


def device(known: Mapping[str, Any]) -> DeviceEvidence:
    """Make a device of which only `known` is known: values by path, as `memory.total_bytes`."""
    groups: dict[str, Any] = {"index": 0, "nvlinks": _UNREAD}
    for name, kind in get_type_hints(DeviceEvidence).items():
        if name not in groups:
            groups[name] = kind(
                **{
                    field.name: Known(value=known[path], source=Source.NVML)
                    if (path := f"{name}.{field.name}") in known
                    else _UNREAD
                    for field in fields(kind)
                }
            )
    return DeviceEvidence(**groups)
