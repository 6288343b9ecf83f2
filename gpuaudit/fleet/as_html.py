"""A fleet's result as one page: that of every report, with a map of the nodes and tables that can be sorted and filtered.

The page loads nothing. Its one script is allowed by its digest, so that no text of a machine can become another, and the page
is whole without it.
"""

from __future__ import annotations

import base64
import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Final

from markupsafe import Markup

from gpuaudit.appraisal.result import Verdict
from gpuaudit.fleet.page import page_of
from gpuaudit.fleet.result import FleetResult, FleetRow
from gpuaudit.report.as_html import render, template_of
from gpuaudit.report.quoting import quoted

_PACKAGE: Final = "gpuaudit.fleet"
_SCRIPT: Final = "fleet.js"
_PAGE: Final = "fleet.html"
# In units of the drawing.
_PITCH: Final = 12
_LEAST_COLUMNS: Final = 25
_SHOWN: Final = 8
_LOOKS: Final = {
    Verdict.REFUTED: "crossed out",
    Verdict.INCONCLUSIVE: "hollow",
    Verdict.OUT_OF_SCOPE: "a line",
    Verdict.CONFIRMED: "full",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Square:
    """One node of the map, by the corner of its square."""

    name: str
    verdict: str
    x: int
    y: int


def as_html(result: FleetResult) -> str:
    """Write everything that the result holds."""
    ordered = sorted(result.rows, key=lambda row: (row.node, row.file.name))
    # Half as high as wide.
    columns = max(_LEAST_COLUMNS, math.ceil(math.sqrt(2 * len(ordered))))
    script = _script()
    return render(
        page_of(result),
        template_of(_PACKAGE, _PAGE),
        squares=[
            Square(
                name=quoted(row.node),
                verdict=row.verdict.value,
                x=place % columns * _PITCH,
                y=place // columns * _PITCH,
            )
            for place, row in enumerate(ordered)
        ],
        map_width=columns * _PITCH,
        map_height=math.ceil(len(ordered) / columns) * _PITCH,
        in_words=_in_words(ordered, columns),
        # What is hashed is what stands between the tags, and it is no text of anybody else.
        script=Markup(script),  # noqa: S704 - see above
        script_digest=f"sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}",
    )


def _in_words(rows: Sequence[FleetRow], columns: int) -> str:
    """Say what the map shows: how many of each verdict, and which are not confirmed."""
    told = [f"{len(rows):,} nodes by name, {columns} to a row"]
    for verdict, looks in _LOOKS.items():
        names = [quoted(row.node) for row in rows if row.verdict is verdict]
        shown = ", ".join(names[:_SHOWN]) + (f" and {len(names) - _SHOWN:,} more" if len(names) > _SHOWN else "")
        if names:
            told.append(f"{len(names):,} {verdict.value} ({looks})" + ("" if verdict is Verdict.CONFIRMED else f": {shown}"))
    return "; ".join(told) + "."


@cache
def _script() -> str:
    return resources.files(_PACKAGE).joinpath("templates", _SCRIPT).read_text(encoding="utf-8")
