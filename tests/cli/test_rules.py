"""`gpuaudit rules`."""

from __future__ import annotations

import pytest

from gpuaudit.appraisal.rules.manual import HEADINGS, manuals
from gpuaudit.catalogue.compiled import load_catalogue
from gpuaudit.cli.exits import Exit
from tests.cli.conftest import Gpuaudit


@pytest.mark.parametrize("rule", [one.slug for one in manuals()])
def test_every_rule_is_explained_under_every_heading(gpuaudit: Gpuaudit, rule: str) -> None:
    ran = gpuaudit("rules", "explain", rule)
    assert (ran.code, ran.err) == (Exit.DONE, "")
    assert [line.partition(":")[0] for line in ran.out.splitlines() if line.partition(":")[0] in HEADINGS] == list(HEADINGS)


def test_a_rule_says_of_how_many_products_its_reading_is_required(gpuaudit: Gpuaudit) -> None:
    products = load_catalogue().products
    asking = [one for one in products if "pci.device_id" in one.required.readings]
    assert 0 < len(asking) < len(products)
    assert f"Required of {len(asking)} of the {len(products)} products" in gpuaudit("rules", "explain", "pci-device-id").out


def test_a_note_requires_nothing(gpuaudit: Gpuaudit) -> None:
    assert "Required of" not in gpuaudit("rules", "explain", "energy").out


def test_an_unknown_rule_is_refused_with_the_known_ones(gpuaudit: Gpuaudit) -> None:
    ran = gpuaudit("rules", "explain", "pci-id")
    assert ran.code == Exit.USAGE
    assert "no rule 'pci-id'; expected one of count," in ran.err
