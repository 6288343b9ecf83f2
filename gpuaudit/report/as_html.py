"""A view as one page: one file, nothing loaded from anywhere, no script, light and dark, for A4 too.

Needs the extra `report` (jinja2, matplotlib); nothing else of gpuaudit imports this module unasked.
"""

from __future__ import annotations

from functools import cache
from typing import Final

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from gpuaudit.report.plots import as_svg
from gpuaudit.report.view import Picture, View

_PACKAGE: Final = "gpuaudit.report"
_PAGE: Final = "page.html"
_WIDE: Final = 6
_LONGEST_WORD: Final = 24


def as_html(view: View) -> str:
    """Write everything that the view holds, with its pictures drawn."""
    return render(view, template_of(_PACKAGE, _PAGE))


def render(view: View, template: Template, **more: object) -> str:
    """Fill `page.html`, or a template that extends it and uses what is in `more`."""
    return template.render(view=view, draw=_draw, wide=_WIDE, **more)


def _draw(picture: Picture, name: str) -> Markup:
    # matplotlib escapes the text that it writes; everything else on the page is escaped by the template.
    return Markup(as_svg(picture.chart, name))  # noqa: S704 - see above


@cache
def template_of(package: str, name: str) -> Template:
    """Load a template from the folder `templates` of a package; it may extend `page.html`."""
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(package), PackageLoader(_PACKAGE)]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.tests["long"] = _has_long_word
    return environment.get_template(name)


def _has_long_word(text: str) -> bool:
    """Whether a column that holds `text` must be allowed to break within a word, or the table would not fit on a sheet."""
    return any(len(word) > _LONGEST_WORD for word in text.split())
