"""The page that goes with a result, where the extra that draws it is installed."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Final

from gpuaudit.cli import console
from gpuaudit.errors import MachineError
from gpuaudit.report.compose import view_of
from gpuaudit.report.paper import Paper

REPORT_NAME: Final = "report.html"
_NEEDED: Final = ("jinja2", "matplotlib")


def can_draw() -> bool:
    """Whether what a page needs is installed; imports none of it."""
    return all(find_spec(name) is not None for name in _NEEDED)


def page_of(paper: Paper) -> str:
    """Write the page.

    Raises:
        MachineError: The extra is not installed.
    """
    if not can_draw():
        raise MachineError("--format html: jinja2 or matplotlib is not installed; pip install 'gpuaudit[report]'")
    from gpuaudit.report.as_html import as_html

    return as_html(view_of(paper))


def page_files(paper: Paper) -> dict[str, bytes]:
    """Return the page as a file to write beside the result, or none where it cannot be drawn.

    A page can be made again from the result at any time, and measurements cannot: nothing that goes wrong here ends an audit.
    """
    if not can_draw():
        return {}
    try:
        return {REPORT_NAME: page_of(paper).encode()}
    except Exception as error:  # noqa: BLE001 - see above
        console.complain(f"{REPORT_NAME}: not written: {error}; make it with gpuaudit report --format html")
        return {}
