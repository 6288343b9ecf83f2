"""The page of a fleet: every form shows the same, the worst first."""

from __future__ import annotations

from gpuaudit.fleet.page import page_of
from gpuaudit.fleet.testimony import NoTestimony
from gpuaudit.report.as_text import as_brief, as_text
from gpuaudit.report.view import Table
from tests.fleet.heard import BAD, OPEN, folded, machine

LOST = NoTestimony(node="node-900", file="node-900.json", state="not-authentic", reason="too large")


def test_nodes_are_listed_the_worst_first() -> None:
    view = page_of(folded([machine(0), machine(1, OPEN), machine(2, BAD)], "tsinghua-2023", silent=[LOST]))
    (nodes,) = (section.blocks[0] for section in view.sections if section.id == "nodes")
    assert isinstance(nodes, Table)
    assert [row[0] for row in nodes.rows] == ["node-002", "node-001", "node-900", "node-000"]


def test_the_short_form_shows_who_is_not_confirmed_and_why() -> None:
    text = as_brief(page_of(folded([machine(0), machine(2, BAD)], "tsinghua-2023", silent=[LOST])))
    assert "node-002" in text
    assert "too large" in text
    assert "node-000: verdict" not in text


def test_the_long_form_shows_everybody() -> None:
    text = as_text(page_of(folded([machine(number) for number in range(20)], "tsinghua-2023")))
    assert all(f"node-{number:03}" in text for number in range(20))
    assert max(map(len, text.splitlines())) <= 80


def test_out_of_scope_names_nobody() -> None:
    text = as_brief(page_of(folded([machine(0, BAD, count=0)], "changan-2023")))
    assert text.startswith("OUT-OF-SCOPE")
