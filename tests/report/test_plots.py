"""What a picture looks like, where no browser can tell: axe does not judge text that lies on a chart."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest

from gpuaudit.report.plots import as_svg
from gpuaudit.report.view import Cell, HeatChart

_SVG = "{http://www.w3.org/2000/svg}"


def luminance(colour: str) -> float:
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


def drawn(values: list[float]) -> tuple[list[str], list[str]]:
    """The colours of the fields and those of the numbers on them, each in the order drawn."""
    cells = tuple(Cell(row=0, column=column, value=value) for column, value in enumerate(values))
    labels = tuple(f"device {number}" for number in range(len(values)))
    tree = ET.fromstring(as_svg(HeatChart(unit="GB/s", labels=labels, cells=cells), "heat"))  # noqa: S314 - just drawn here
    (mesh,) = (group for group in tree.iter(f"{_SVG}g") if "QuadMesh_1" in group.get("id", ""))
    styles = [path.get("style", "") for path in mesh.iter(f"{_SVG}path")]
    # Axes are in the colour of the page's text.
    texts = [text for text in tree.iter(f"{_SVG}text") if (text.text or "").isdigit()]
    numbers = [style for style in (text.get("style", "") for text in texts) if "currentColor" not in style]
    return [_fill(style) for style in styles if "none" not in style], [_fill(style) for style in numbers]


def _fill(style: str) -> str:
    """Without a fill, SVG is black."""
    found = re.search(r"fill: (#[0-9a-f]{6})", style)
    return found[1] if found else "#000000"


@pytest.mark.parametrize("top", [100.0, 535.0])
def test_every_number_on_a_heat_map_stands_out_from_its_field(top: float) -> None:
    values = [top * part / 15 for part in range(16)]
    fields, numbers = drawn(values)
    assert len(numbers) == len(values)
    assert len(set(numbers)) == 2
    for field, number in zip(fields, numbers, strict=True):
        assert contrast(field, number) >= 4.5


def test_a_map_of_nothing_but_zeros_can_be_drawn() -> None:
    assert as_svg(HeatChart(unit="GB/s", labels=("device 0",), cells=(Cell(row=0, column=0, value=0.0),)), "zeros")
