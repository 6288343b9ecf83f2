"""What every form of a result shows: sections of blocks of text, and pictures with the numbers behind them.

A form (text, HTML, JSON) renders blocks and knows nothing of verdicts, so that none says more than another. All text is ready to
be read: what a machine said has been through `quoted`.
"""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from gpuaudit.evidence.record import record


@record
class Fact:
    """A name and what belongs beside it."""

    label: str
    value: str


@record
class Facts:
    """Facts, one a line."""

    kind: Literal["facts"] = "facts"
    items: tuple[Fact, ...]


@record
class Listing:
    """Sentences, one a line."""

    kind: Literal["listing"] = "listing"
    items: tuple[str, ...]


@record
class Commands:
    """Command lines to be typed as they are."""

    kind: Literal["commands"] = "commands"
    items: tuple[str, ...]


@record
class Table:
    """Rows of cells; the first cell of a row names it."""

    kind: Literal["table"] = "table"
    caption: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@record
class Band:
    """What the catalogue gives for a row of a picture: for the claimed products of the family `of`."""

    of: str
    low: float
    high: float


@record
class Dots:
    """One row of a `DotChart`: what each device reached, and the catalogue's bands for it, none where it has no value."""

    label: str
    values: tuple[float, ...]
    bands: tuple[Band, ...]


@record
class DotChart:
    """Values by row on a logarithmic scale in `unit`; what the bands are stands in `band_label`."""

    kind: Literal["dots"] = "dots"
    unit: str
    band_label: str
    rows: tuple[Dots, ...]


@record
class Curve:
    """One line of a picture."""

    label: str
    x: tuple[float, ...]
    y: tuple[float, ...]


@record
class CurveChart:
    """Lines over a logarithmic axis."""

    kind: Literal["curves"] = "curves"
    x_label: str
    y_label: str
    curves: tuple[Curve, ...]


@record
class TimePanel:
    """One quantity over time, a line for each device."""

    label: str
    curves: tuple[Curve, ...]


@record
class TimeChart:
    """Panels over one axis of seconds; `marks` are times, from and to, that are marked in all of them."""

    kind: Literal["time"] = "time"
    mark_label: str
    panels: tuple[TimePanel, ...]
    marks: tuple[tuple[float, float], ...]


@record
class Cell:
    """One field of a `HeatChart`."""

    row: int
    column: int
    value: float


@record
class HeatChart:
    """A square of values between things of one kind; fields that are not there are left blank."""

    kind: Literal["heat"] = "heat"
    unit: str
    labels: tuple[str, ...]
    cells: tuple[Cell, ...]


Chart: TypeAlias = Annotated[DotChart | CurveChart | TimeChart | HeatChart, Field(discriminator="kind")]


@record
class Picture:
    """A chart with the words that stand in for it where it cannot be seen."""

    kind: Literal["picture"] = "picture"
    caption: str
    alternative: str
    chart: Chart


Block: TypeAlias = Annotated[Facts | Listing | Commands | Table | Picture, Field(discriminator="kind")]


@record
class Section:
    """A heading with its blocks; `brief` ones belong to the short form too."""

    id: str
    title: str
    brief: bool
    blocks: tuple[Block, ...]


@record
class View:
    """A whole report. `stamp` is empty for hardware; `remarks` stand beside the headline and change how it is to be read."""

    stamp: str
    verdict: str
    tender: str
    title: str
    headline: str
    remarks: tuple[str, ...]
    sections: tuple[Section, ...]
