"""Every form shows everything that the view holds."""

from __future__ import annotations

import dataclasses
import html
import json
import re
from collections.abc import Iterator
from itertools import takewhile
from typing import Any

import pytest

from gpuaudit.appraisal.result import Digest
from gpuaudit.report.as_html import as_html
from gpuaudit.report.as_json import as_json
from gpuaudit.report.as_text import as_brief, as_text
from gpuaudit.report.compose import view_of
from gpuaudit.report.view import Picture, Table, View
from tests.report.papers import CASES, HOSTILE, hostile, page, paper

# Names of things within the page, not words on it.
UNSHOWN = {"kind", "id", "chart"}


def leaves(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from leaves(item)
    elif dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            if field.name not in UNSHOWN:
                yield from leaves(getattr(value, field.name))


def squeezed(text: str) -> str:
    """Lines may be broken anywhere between words, or within one that is too long."""
    return re.sub(r"\s+", "", text)


def folded_columns(view: View) -> Iterator[str]:
    """Read the columns of each table, from top to bottom, where its cells take several lines."""
    lines = as_text(view).splitlines()
    for table in (block for section in view.sections for block in section.blocks if isinstance(block, Table)):
        caption = squeezed(f"{table.caption}:")
        for begin in (number for number, line in enumerate(lines) if squeezed(line) == caption):
            body = list(takewhile(lambda line: line.startswith("    "), lines[begin + 1 :]))
            # Where a name takes two lines, that of the others is on the lower.
            top = next((line for line in body if line.startswith(f"    {table.header[0]} ")), "")
            starts = [found.start() for found in re.finditer(r"(?<=  )\S", top)]
            for start, stop in zip(starts, [*starts[1:], None], strict=True):
                yield "".join(line[start:stop] for line in body)


def page_text(page: str) -> str:
    return html.unescape(re.sub(r"<[^>]*>", "", page))


def charts(view: View) -> list[Any]:
    return [block.chart for section in view.sections for block in section.blocks if isinstance(block, Picture)]


@pytest.mark.parametrize("case", CASES)
def test_every_text_of_the_view_is_in_the_text_the_page_and_the_json(case: str) -> None:
    view = view_of(paper(case))
    text, web = squeezed(as_text(view)), squeezed(page_text(page(case)))
    columns = [squeezed(column) for column in folded_columns(view)]
    written = json.loads(as_json(paper(case).result, view))["page"]
    in_json = set(leaves_of_json(written))
    told = list(leaves(view))
    assert len(told) > 150
    for leaf in told:
        assert squeezed(leaf) in web
        assert leaf in in_json
        # A verdict is in capitals at the head of the text, and as it is in the lines.
        assert squeezed(leaf) in text or any(squeezed(leaf) in column for column in columns)


def leaves_of_json(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from leaves_of_json(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from leaves_of_json(item)


@pytest.mark.parametrize("case", CASES)
def test_the_json_holds_the_result_under_the_names_of_its_schema(case: str) -> None:
    result = paper(case).result
    written = json.loads(as_json(result, view_of(paper(case))))
    assert written["verdict"] == result.verdict.value
    assert written["accepted"] is result.accepted
    assert [line["id"] for line in written["lines"]] == [line.id for line in result.lines]


@pytest.mark.parametrize("case", CASES)
def test_every_finding_of_the_result_is_in_the_page(case: str) -> None:
    web = squeezed(page_text(page(case)))
    findings = [*paper(case).result.machine_findings, *(one for line in paper(case).result.lines for one in line.findings)]
    assert len(findings) > 100
    for one in findings:
        assert squeezed(one.rule) in web
        assert squeezed(one.observed) in web
        assert squeezed(one.expected) in web


@pytest.mark.parametrize("case", CASES)
def test_text_survives_80_columns_and_has_no_colour(case: str) -> None:
    for text in (as_text(view_of(paper(case))), as_brief(view_of(paper(case)))):
        assert all(len(line) <= 80 for line in text.splitlines() if not line.startswith("  $ "))
        assert "\x1b" not in text


@pytest.mark.parametrize(("case", "stamp"), [("simulated", "SIMULATED"), ("capture", "CAPTURE"), ("confirmed", "")])
def test_a_stamp_is_in_every_form_and_only_where_it_is_true(case: str, stamp: str) -> None:
    view = view_of(paper(case))
    forms = [as_text(view), as_brief(view), page_text(page(case)), as_json(paper(case).result, view)]
    for text in forms:
        assert ("SIMULATED" in text) == (stamp == "SIMULATED")
        assert ("CAPTURE" in text) == (stamp == "CAPTURE")


def test_a_challenge_that_took_part_is_named_in_every_form() -> None:
    one = paper("confirmed")
    file = Digest(name="challenge.json", sha256="c" * 64)
    asked = dataclasses.replace(one, result=dataclasses.replace(one.result, challenges=(file,)))
    view = view_of(asked)
    for form in (as_text(view), as_brief(view), as_html(view), as_json(asked.result, view)):
        assert "c" * 64 in form


def test_the_short_form_says_what_it_leaves_out() -> None:
    one = paper("confirmed")
    crowded = dataclasses.replace(one.result, coverage=tuple(f"thing {number}" for number in range(20)))
    text = as_brief(view_of(dataclasses.replace(one, result=crowded)))
    assert "and 12 more; gpuaudit report shows all" in text
    assert "thing 7" in text
    assert "thing 8" not in text
    assert "thing 19" in as_text(view_of(dataclasses.replace(one, result=crowded)))


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: ascii(text[:16]))
def test_hostile_text_is_inert_in_every_form(text: str) -> None:
    shown = hostile(text)
    view = view_of(shown)
    web = as_html(view)
    assert not re.search(r"<(script|img)", web.lower())
    for form in (web, as_text(view), as_brief(view), as_json(shown.result, view)):
        assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b-\u200f\u202a-\u202e\u2066-\u2069]", form)
    assert len(web) < 1_000_000
    assert len(as_text(view)) < 500_000


def test_what_looks_like_a_template_is_not_one() -> None:
    assert "{{ 7*7 }}{% raw %}" in page_text(as_html(view_of(hostile("{{ 7*7 }}{% raw %}"))))


def test_markup_of_others_is_shown_as_they_wrote_it() -> None:
    web = as_html(view_of(hostile('<b>&amp;"quoted"</b>')))
    assert "&lt;b&gt;&amp;amp;" in web
    assert "<b>" not in web


def test_a_page_loads_nothing_and_runs_nothing() -> None:
    web = page("simulated")
    assert "default-src 'none'" in web
    # Names of XML, which nobody fetches, and no other address.
    assert set(re.findall(r"https?://[^\"' <]+", web)) <= {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}
    assert not re.search(r"<(script|link|iframe|img|image|object|embed|base)\b", web)
    assert not re.search(r"url\((?!#)", web)


def test_ids_on_a_page_are_distinct() -> None:
    ids = re.findall(r'\bid="([^"]+)"', page("simulated"))
    assert len(ids) > 20
    assert len(ids) == len(set(ids))


def test_equal_papers_give_equal_pages() -> None:
    assert page("simulated") == as_html(view_of(paper("simulated")))


def test_every_picture_has_words_in_its_place_and_they_hold_its_extremes() -> None:
    view = view_of(paper("simulated"))
    kinds = [chart.kind for chart in charts(view)]
    assert kinds == ["dots", "dots", "curves", "heat", "time"]
    pictures = [block for section in view.sections for block in section.blocks if isinstance(block, Picture)]
    assert all(len(picture.alternative) > 40 for picture in pictures)


def test_a_page_for_eight_cards_is_small() -> None:
    assert len(page("simulated").encode()) < 1_000_000
