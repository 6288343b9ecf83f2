"""`record` and `entry`: how the types of signed evidence and of written files are declared.

A record is a frozen, slotted, keyword-only dataclass whose JSON keys are its field names in lowerCamelCase. Parsing is strict
(no text taken for a number, no number for text) and ignores keys it does not know, so that evidence of a newer gpuaudit can
still be read; the signed bytes keep them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeVar, dataclass_transform

T = TypeVar("T")


def camel_case(name: str) -> str:
    """Turn `memory_total_bytes` into `memoryTotalBytes`."""
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


# A plain dict: pydantic reads this attribute, and the evidence types need not import pydantic for it.
_RECORD: Final = {"strict": True, "alias_generator": camel_case, "extra": "ignore"}
_ENTRY: Final = {"strict": True, "extra": "forbid"}


@dataclass_transform(frozen_default=True, kw_only_default=True)
def record(cls: type[T]) -> type[T]:
    """Declare a type of the evidence: frozen, slotted, keyword-only, strict when parsed."""
    declared = dataclass(frozen=True, slots=True, kw_only=True)(cls)
    declared.__pydantic_config__ = _RECORD  # type: ignore[attr-defined]
    return declared


@dataclass_transform(frozen_default=True, kw_only_default=True)
def entry(cls: type[T]) -> type[T]:
    """Declare a type of the files that people write (tender, policy, catalogue, profile).

    As `record`, but keys are the field names as they are and an unknown key is an error: a misspelt threshold must not become a
    default.
    """
    declared = dataclass(frozen=True, slots=True, kw_only=True)(cls)
    declared.__pydantic_config__ = _ENTRY  # type: ignore[attr-defined]
    return declared
