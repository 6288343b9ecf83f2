"""`gpuaudit schema`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from gpuaudit.appraisal.result import AttestationResult
from gpuaudit.cli import console
from gpuaudit.cli.commands import command_app
from gpuaudit.cli.format import as_json
from gpuaudit.evidence.bundle import EvidenceBundle
from gpuaudit.evidence.schema import Direction, json_schema
from gpuaudit.tender.model import Tender

app = command_app()


class SchemaName(StrEnum):
    """What has a schema."""

    EVIDENCE = "evidence"
    RESULT = "result"
    TENDER = "tender"


@app.command()
def schema(
    name: Annotated[SchemaName, typer.Argument(metavar="NAME", help="evidence, result or tender.", show_default=False)],
) -> None:
    """Print the JSON Schema of NAME: evidence, result or tender.

    Of evidence and result it is the schema of the predicate: what is signed, not
    the envelope around it. A tender is a TOML file.

    Example: gpuaudit schema tender > tender.schema.json

    Exit status: 0 done, 2 wrong usage.
    """
    console.result(as_json(schema_of(name)))


def schema_of(name: SchemaName) -> dict[str, object]:
    """Return the schema of what is called `name`, made from its types."""
    match name:
        case SchemaName.EVIDENCE:
            return json_schema(EvidenceBundle, "evidence", Direction.WRITTEN)
        case SchemaName.RESULT:
            return json_schema(AttestationResult, "result", Direction.WRITTEN)
        case SchemaName.TENDER:
            return json_schema(Tender, "tender", Direction.READ)
