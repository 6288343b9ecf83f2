"""Pictures as SVG, by matplotlib. Only numbers and our own words are drawn: matplotlib reads mathematics into a `$` of others'.

A picture has no colour of its own for text and axes: it takes that of the page, light or dark.
"""

from __future__ import annotations

import hashlib
import io
import re
from collections.abc import Sequence
from typing import Any, Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from gpuaudit.report.view import Chart, CurveChart, DotChart, HeatChart, TimeChart

# Stands for the page's text colour until the SVG is written; no drawing uses it otherwise.
_INK: Final = "#010203"
_BAND: Final = "#8a8fa0"
_MARK: Final = "#d9822b"
# Each at least 3:1 against white and against the page's dark background.
_LINES: Final = ("#2f7fd1", "#c2571a", "#2f8f5b", "#a35bc4", "#b8860b", "#d1495b", "#5f7d8c", "#8a6d3b")
_WIDTH: Final = 7.2
_INCHES_PER_LETTER: Final = 0.075
# A `Any`: the stubs have a literal type of every key.
_STYLE: Final[Any] = {
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": _INK,
    "axes.labelcolor": _INK,
    "axes.titlecolor": _INK,
    "text.color": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "legend.frameon": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "grid.color": _BAND,
}
_PROLOGUE: Final = re.compile(r"\A.*?(?=<svg )", re.DOTALL)
_METADATA: Final = re.compile(r"<metadata>.*?</metadata>", re.DOTALL)
_SIZE: Final = re.compile(r'<svg ([^>]*?)width="([0-9.]+)pt"([^>]*?)height="[^"]*"')
_PIXELS_PER_POINT: Final = 1.5


def as_svg(chart: Chart, name: str) -> str:
    """Draw `chart` as an SVG element without a fixed size. Equal charts and names give equal bytes.

    Args:
        chart: What to draw.
        name: Keeps the ids of several pictures on one page apart.
    """
    with mpl.rc_context():
        # The folder in which one stands may hold a matplotlibrc.
        mpl.rcdefaults()
        mpl.rcParams.update({**_STYLE, "svg.hashsalt": name})
        figure = _figure(chart)
        written = io.StringIO()
        figure.savefig(written, format="svg", metadata={"Date": None, "Creator": None})
    text = _METADATA.sub("", _PROLOGUE.sub("", written.getvalue(), count=1))
    text = _SIZE.sub(_sized, text, count=1)
    return _with_own_ids(text.replace(_INK, "currentColor"), name)


def _sized(found: re.Match[str]) -> str:
    """Let a picture shrink with the page, and not grow beyond the size at which its text is as large as that of the others."""
    pixels = float(found[2]) * _PIXELS_PER_POINT
    return f'<svg {found[1]}style="max-width: {pixels:.0f}px"{found[3]}focusable="false" aria-hidden="true"'


def _with_own_ids(svg: str, name: str) -> str:
    """Give every id a prefix: matplotlib calls the figure of every picture `figure_1`."""
    prefix = hashlib.sha256(name.encode()).hexdigest()[:6]
    svg = re.sub(r'\bid="([^"]+)"', rf'id="p{prefix}-\1"', svg)
    svg = re.sub(r"url\(#([^)]+)\)", rf"url(#p{prefix}-\1)", svg)
    return re.sub(r'xlink:href="#([^"]+)"', rf'xlink:href="#p{prefix}-\1"', svg)


def _figure(chart: Chart) -> Figure:
    match chart:
        case DotChart():
            return _dots(chart)
        case CurveChart():
            return _curves(chart)
        case TimeChart():
            return _time(chart)
        case HeatChart():
            return _heat(chart)


def _dots(chart: DotChart) -> Figure:
    figure = Figure(figsize=(_WIDTH, 0.8 + 0.25 * len(chart.rows)))
    axes = figure.subplots()
    for place, row in enumerate(chart.rows):
        for band in row.bands:
            axes.plot([band.low, band.high], [place, place], color=_BAND, linewidth=7, alpha=0.6, solid_capstyle="butt")
            axes.plot([band.high], [place], marker="|", color=_BAND, markersize=13, markeredgewidth=2)
        axes.plot(row.values, [place] * len(row.values), "o", color=_LINES[0], markersize=4, alpha=0.75)
    axes.plot([], [], color=_BAND, linewidth=7, alpha=0.6, label=chart.band_label)
    axes.plot([], [], "o", color=_LINES[0], markersize=4, label="a device, measured")
    axes.set_yticks(range(len(chart.rows)), [row.label for row in chart.rows])
    axes.invert_yaxis()
    axes.set_xscale("log")
    _plain_numbers(axes.xaxis, LogLocator(subs=(1, 2, 5)))
    axes.set_xlabel(chart.unit)
    axes.grid(visible=False, axis="y")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=2, fontsize=8)
    longest = max(len(row.label) for row in chart.rows)
    _margins(figure, left=0.2 + _INCHES_PER_LETTER * longest, bottom=0.42, top=0.3)
    return figure


def _curves(chart: CurveChart) -> Figure:
    figure = Figure(figsize=(_WIDTH, 2.2))
    axes = figure.subplots()
    for place, curve in enumerate(chart.curves):
        axes.plot(curve.x, curve.y, marker="o", markersize=3, linewidth=1, color=_LINES[place % len(_LINES)], label=curve.label)
    axes.set_xscale("log", base=2)
    _plain_numbers(axes.xaxis, LogLocator(base=2))
    axes.set_ylim(bottom=0)
    axes.set_xlabel(chart.x_label)
    axes.set_ylabel(chart.y_label)
    _legend(axes, len(chart.curves))
    _margins(figure, left=0.62, bottom=0.42, top=0.42)
    return figure


def _time(chart: TimeChart) -> Figure:
    figure = Figure(figsize=(_WIDTH, 0.5 + 1.5 * len(chart.panels)))
    panels = figure.subplots(len(chart.panels), 1, sharex=True, squeeze=False)[:, 0]
    for axes, panel in zip(panels, chart.panels, strict=True):
        for begin, end in chart.marks:
            axes.axvspan(begin, end, color=_MARK, alpha=0.22, linewidth=0)
        for place, curve in enumerate(panel.curves):
            axes.plot(curve.x, curve.y, linewidth=0.8, color=_LINES[place % len(_LINES)], label=curve.label)
        axes.set_ylabel(panel.label)
        axes.set_ylim(bottom=0)
    if chart.marks:
        panels[0].axvspan(0, 0, color=_MARK, alpha=0.22, label=chart.mark_label)
    panels[-1].set_xlabel("seconds of sampled work")
    _legend(panels[0], len(chart.panels[0].curves))
    _margins(figure, left=0.62, bottom=0.42, top=0.42)
    return figure


def _heat(chart: HeatChart) -> Figure:
    size = len(chart.labels)
    values = [[float("nan")] * size for _ in range(size)]
    for cell in chart.cells:
        values[cell.row][cell.column] = cell.value
    figure = Figure(figsize=(_WIDTH * 0.75, 0.8 + 0.33 * size))
    axes = figure.subplots()
    top = max(cell.value for cell in chart.cells) or 1
    # Few shades, so that neither the fields nor the scale become a bitmap.
    shades = mpl.colormaps["viridis"].resampled(16)
    # From zero: 515 and 535 are the same to a reader who asks whether a link is there.
    image = axes.pcolormesh(values, cmap=shades, vmin=0, vmax=top)
    middles = [place + 0.5 for place in range(size)]
    axes.set_xticks(middles, [label.removeprefix("device ") for label in chart.labels])
    axes.set_yticks(middles, list(chart.labels))
    axes.invert_yaxis()
    axes.grid(visible=False)
    for cell in chart.cells if size <= 16 else ():
        shade = _readable_on(shades(cell.value / top))
        axes.text(cell.column + 0.5, cell.row + 0.5, f"{cell.value:.0f}", ha="center", va="center", fontsize=7, color=shade)
    figure.colorbar(image, ax=axes, label=chart.unit)
    _margins(figure, left=0.85, bottom=0.3, top=0.1, right=0.0)
    return figure


def _readable_on(field: Sequence[float]) -> str:
    """Return black or white, whichever stands out more from a colour of red, green and blue from 0 to 1; always by 4.5:1.

    Source:
        WCAG 2.2, https://www.w3.org/TR/WCAG22/#dfn-relative-luminance
    """
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in field[:3]]
    luminance = sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
    return "#ffffff" if 1.05 / (luminance + 0.05) >= (luminance + 0.05) / 0.05 else "#000000"


def _legend(axes: Axes, lines: int) -> None:
    if lines <= len(_LINES):
        axes.legend(fontsize=7, ncols=5, loc="lower center", bbox_to_anchor=(0.5, 1.0))


def _plain_numbers(axis: Axis, places: LogLocator) -> None:
    axis.set_major_locator(places)
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def _margins(figure: Figure, *, left: float, bottom: float, top: float, right: float = 0.12) -> None:
    """Leave these inches free for labels. Fitting them by drawing twice would take half as long again."""
    width, height = figure.get_size_inches()
    figure.subplots_adjust(left=left / width, right=1 - right / width, bottom=bottom / height, top=1 - top / height)
