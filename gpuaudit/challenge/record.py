"""`message`: how the types are declared that go over the wire, where a key too many is an attack and not a newer version."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeVar, dataclass_transform

from gpuaudit.evidence.record import camel_case

T = TypeVar("T")

_MESSAGE: Final = {"strict": True, "alias_generator": camel_case, "extra": "forbid"}


@dataclass_transform(frozen_default=True, kw_only_default=True)
def message(cls: type[T]) -> type[T]:
    """Declare a type of the protocol: frozen, slotted, keyword-only; camelCase keys, all of them known."""
    declared = dataclass(frozen=True, slots=True, kw_only=True)(cls)
    declared.__pydantic_config__ = _MESSAGE  # type: ignore[attr-defined]
    return declared
