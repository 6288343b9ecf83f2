"""JSON Schemas, made from the types, so that they cannot say anything else than what is written and read."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Any, Final

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode
from typing_extensions import override

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"


class Direction(StrEnum):
    """Whether the schema is of what gpuaudit writes, or of what it takes from people."""

    WRITTEN = "written"
    READ = "read"


_MODES: Final[dict[Direction, JsonSchemaMode]] = {Direction.WRITTEN: "serialization", Direction.READ: "validation"}


class _Plain(GenerateJsonSchema):
    """Leaves out titles, which only repeat the names."""

    @override
    def field_title_should_be_set(self, schema: Any) -> bool:
        return False


def json_schema(kind: type[Any], name: str, direction: Direction) -> dict[str, object]:
    """Return the schema (draft 2020-12) of a record or entry.

    A record is open: keys of a newer version are ignored when it is read. An entry is closed, as a misspelt key is a mistake. What
    the schema cannot say (that a packed series unpacks, that subjects are devices) is checked when the file is read.

    Args:
        kind: The type.
        name: `evidence`; the id becomes `urn:gpuaudit:schema:evidence:v1`.
        direction: Fields with a default are always written, and may be left out by people.
    """
    made = TypeAdapter(kind).json_schema(mode=_MODES[direction], by_alias=True, schema_generator=_Plain)
    if direction is Direction.WRITTEN:
        _require_all(made)
    _require_tags(made)
    return {"$schema": _DIALECT, "$id": f"urn:gpuaudit:schema:{name}:v1", **made}


def _require_all(made: dict[str, Any]) -> None:
    """Require every field: what is written holds the default ones too."""
    for member in (made, *made.get("$defs", {}).values()):
        if "properties" in member:
            member["required"] = list(member["properties"])


def _require_tags(made: dict[str, Any]) -> None:
    """Require the field that tells the members of a union apart: it has a default only where Python makes the object."""
    for tag, reference in tuple(_tags(made)):
        member = made["$defs"][reference.rpartition("/")[2]]
        member["required"] = sorted({*member.get("required", ()), tag}, key=list(member["properties"]).index)


def _tags(value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        match value.get("discriminator"):
            case {"propertyName": str(tag), "mapping": dict(mapping)}:
                yield from ((tag, reference) for reference in mapping.values())
            case _:
                pass
        for item in value.values():
            yield from _tags(item)
    elif isinstance(value, list):
        for item in value:
            yield from _tags(item)
