"""The forms of a fleet's result, as `fleet appraise` and `fleet report` print them."""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from gpuaudit.cli import console
from gpuaudit.cli.extras import needs_extra

# `fleet` itself needs the names of the forms; what makes them is imported by who prints one.
if TYPE_CHECKING:
    from gpuaudit.fleet.result import FleetResult


class FleetFormat(StrEnum):
    """The forms of a fleet's result."""

    TEXT = "text"
    JSON = "json"
    HTML = "html"
    PROMETHEUS = "prometheus"


def shown(result: FleetResult, form: FleetFormat, *, whole: bool = False) -> str:
    """Write a result in one of the forms; as text the short one, or the `whole`."""
    from gpuaudit.fleet.page import page_of
    from gpuaudit.fleet.prometheus import as_prometheus
    from gpuaudit.fleet.result import dump_fleet_result
    from gpuaudit.report.as_text import USUAL_WIDTH, as_brief, as_text

    match form:
        case FleetFormat.JSON:
            return dump_fleet_result(result).decode()
        case FleetFormat.PROMETHEUS:
            return as_prometheus(result)
        case FleetFormat.HTML:
            return _page(result)
        case FleetFormat.TEXT:
            form_of = as_text if whole else as_brief
            return form_of(page_of(result), width=console.width(USUAL_WIDTH))


@needs_extra("report")
def _page(result: FleetResult) -> str:
    from gpuaudit.fleet.as_html import as_html

    return as_html(result)


def read_result(file: Path, keyring: Iterable[Path]) -> FleetResult:
    """Open a fleet's sealed result.

    Raises:
        AuthenticityError: It is not one, or no trusted key signed it.
    """
    from gpuaudit.envelope import PredicateType, load_keyring, open_sealed, read_bounded
    from gpuaudit.envelope.keystore import own_keys
    from gpuaudit.errors import AuthenticityError
    from gpuaudit.fleet.result import read_fleet_result

    data = read_bounded(file, refusal=AuthenticityError)
    opened = open_sealed(data, load_keyring(own_keys(), keyring), PredicateType.RESULT, place=str(file))
    return read_fleet_result(opened.predicate, place=str(file))
