"""Every rule: an honest value, a dishonest one, and none."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gpuaudit.appraisal.amount import PeerRates, Ratio
from gpuaudit.appraisal.derived import KNEE, PER_CORE_CLOCK
from gpuaudit.appraisal.reference import RuleReference, Yardstick
from gpuaudit.appraisal.result import Effect
from gpuaudit.appraisal.rule import Band, OneOf, PeerBand, RatioFloor
from gpuaudit.appraisal.rules import ALL_RULES
from gpuaudit.appraisal.rules.manual import HEADINGS, manuals
from gpuaudit.catalogue.model import Attribute, Listing
from gpuaudit.evidence.device import DeviceEvidence
from tests.appraisal.machines import device

FACTS = Path(__file__).parents[2] / "../shared/facts/accelerators.json"
SLUGS = [rule.slug for rule in ALL_RULES]
QUANTITIES = {
    "gemm-bf16",
    "gemm-fp16",
    "gemm-fp64",
    "copy",
    "peer-both-ways",
    "capacity",
    "host-to-device",
    KNEE,
    PER_CORE_CLOCK,
}


def reference(yardstick: Yardstick, slug: str) -> RuleReference:
    return next(one for one in yardstick.references if one.rule.slug == slug)


def inside(one: RuleReference, product: str, yardstick: Yardstick) -> Any:
    """A value that a genuine card of the product gives."""
    if isinstance(one.listed, Attribute):
        listing = yardstick.catalogue.product(product).listing(one.listed)
        assert isinstance(listing, Listing)
        return listing.values[0]
    match one.expected[product]:
        case Band(low=low, high=high):
            return high if high != float("inf") else low
        case OneOf(allowed=allowed):
            return min(allowed)
        case PeerBand(floor=floor, ceiling=ceiling):
            return _peers((floor + ceiling) / 2)
        case RatioFloor(low=low, denominator_least=least):
            return Ratio(numerator=2 * low * least, denominator=least)
        case _:
            raise AssertionError(one.rule.slug)


@pytest.mark.parametrize("slug", SLUGS)
def test_an_honest_value_excludes_and_blocks_nobody_who_gives_it(slug: str, yardstick: Yardstick) -> None:
    one = reference(yardstick, slug)
    products = [product for product in yardstick.everyone if _refers(one, product, yardstick)]
    assert products
    for product in products:
        division = one.divide(inside(one, product, yardstick), yardstick.index, peers_needed=7)
        assert product in division.fits


@pytest.mark.parametrize("slug", SLUGS)
def test_a_dishonest_value_excludes_the_a100_or_withholds_it(slug: str, yardstick: Yardstick) -> None:
    one = reference(yardstick, slug)
    victim = "t4" if "fp16" in slug else "a100-sxm4-80gb"
    if not _refers(one, victim, yardstick):
        victim = "a100-sxm4-40gb"
    division = one.divide(_foreign(one, victim, yardstick), yardstick.index, peers_needed=7)
    against = division.blocked if one.rule.effect is Effect.SHORTFALL or slug == "mig-mode" else division.excluded
    assert victim in against


@pytest.mark.parametrize("slug", SLUGS)
def test_a_shortfall_excludes_nobody(slug: str, yardstick: Yardstick) -> None:
    one = reference(yardstick, slug)
    if one.rule.effect is Effect.SHORTFALL:
        assert not one.divide(1.0, yardstick.index, peers_needed=1).excluded


@pytest.mark.parametrize("slug", SLUGS)
def test_what_a_rule_reads_exists(slug: str, yardstick: Yardstick) -> None:
    card: DeviceEvidence = device(yardstick.catalogue.product("a100-sxm4-80gb"), 0)
    for reads in reference(yardstick, slug).rule.reads:
        value: Any = card
        if reads == "nvlinks" or "." in reads:
            for part in reads.split("."):
                value = getattr(value, part)
        else:
            assert reads in QUANTITIES


@pytest.mark.parametrize("manual", manuals(), ids=lambda manual: manual.slug)
def test_every_manual_has_its_headings_and_says_something_under_each(manual: Any) -> None:
    sections = manual.sections()
    assert tuple(sections) == HEADINGS
    assert all(len(text) > 5 for text in sections.values())


def test_slugs_and_statements_are_unique() -> None:
    assert len({manual.slug for manual in manuals()}) == len(manuals())
    assert len({manual.statement for manual in manuals()}) == len(manuals())


RECORDS = {"bf16": "bf16-ceiling", "bfloat16": "bf16-ceiling", "fp16": "fp16-ceiling"}


@pytest.mark.skipif(not FACTS.exists(), reason="the facts from which the catalogue was made are not here")
def test_no_measured_record_lies_above_its_own_products_ceiling(yardstick: Yardstick) -> None:
    checked = 0
    for entry in json.loads(FACTS.read_text()):
        for record in entry.get("measured") or ():
            slug = RECORDS.get(record.get("dtype", ""))
            band = slug and reference(yardstick, slug).expected.get(entry["id"])
            if record["metric"] != "matmul" or not isinstance(band, Band):
                continue
            checked += 1
            assert float(record["value"]) * 1e12 <= band.high, (entry["id"], record)
    assert checked >= 90


@pytest.mark.skipif(not FACTS.exists(), reason="the facts from which the catalogue was made are not here")
def test_no_copy_or_link_record_lies_outside_its_own_products_band(yardstick: Yardstick) -> None:
    units = {"GB/s": 1e9, "TB/s": 1e12}
    copies = {"device_to_device_copy": ("copy-ceiling", "copy-floor"), "copy": ("copy-ceiling", "copy-floor")}
    checked = 0
    for entry in json.loads(FACTS.read_text()):
        for record in entry.get("measured") or ():
            for slug in copies.get(record["metric"], ()):
                band = reference(yardstick, slug).expected.get(entry["id"])
                if isinstance(band, Band):
                    checked += 1
                    assert band.low <= float(record["value"]) * units[record["unit"]] <= band.high, (entry["id"], record)
            if record["metric"] == "nvlink_p2p_duplex":
                band = reference(yardstick, "peer-rate").expected[entry["id"]]
                assert isinstance(band, PeerBand)
                assert band.floor <= float(record["value"]) * units[record["unit"]] <= band.ceiling
                checked += 1
    assert checked >= 5


def _refers(one: RuleReference, product: str, yardstick: Yardstick) -> bool:
    if isinstance(one.listed, Attribute):
        return isinstance(yardstick.catalogue.product(product).listing(one.listed), Listing)
    return product in one.expected


def _foreign(one: RuleReference, victim: str, yardstick: Yardstick) -> Any:
    """A value that the victim cannot give."""
    if isinstance(one.listed, Attribute):
        return inside(one, "h100-sxm5-80gb", yardstick)
    match one.expected[victim]:
        case Band(low=low, high=high):
            return high * 2 if high != float("inf") else low / 2
        case OneOf(refused=refused):
            return min(refused) if refused else "enabled"
        case PeerBand(ceiling=ceiling):
            return _peers(ceiling * 2)
        case RatioFloor(low=low, denominator_least=least):
            return Ratio(numerator=low * least / 2, denominator=least)
        case _:
            raise AssertionError(one.rule.slug)


def _peers(rate: float) -> PeerRates:
    return PeerRates.of([[rate]] * 8)
