"""Records of which nothing could be read: every field Unknown for one reason."""

from __future__ import annotations

from dataclasses import fields
from typing import TypeVar

from gpuaudit.evidence.reading import Unknown

T = TypeVar("T")


def unread(kind: type[T], unknown: Unknown) -> T:
    """Make a record of type `kind`, all of whose fields are readings, with `unknown` in each.

    Raises:
        TypeError: `kind` is not a record.
    """
    return kind(**{field.name: unknown for field in fields(kind)})  # type: ignore[arg-type]
