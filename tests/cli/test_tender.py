"""`gpuaudit tender`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gpuaudit.cli.exits import Exit
from gpuaudit.tender.parse import known_tenders, load_tender
from tests.cli.conftest import Gpuaudit

_SUSTECH = Path(__file__).parents[2] / "gpuaudit" / "tender" / "data" / "sustech-2024.toml"


def test_the_list_has_every_tender_with_what_it_claims(gpuaudit: Gpuaudit) -> None:
    ran = gpuaudit("tender", "list")
    assert (ran.code, ran.err) == (Exit.DONE, "")
    assert [line.split()[0] for line in ran.out.splitlines()[1:]] == list(known_tenders())
    assert "A100, exactly 8 per server, exactly 500 servers" in ran.out
    assert "tokens (out of scope)" in ran.out
    assert [one["tender"] for one in json.loads(gpuaudit("tender", "list", "--format", "json").out)] == list(known_tenders())


def test_show_tells_the_price_where_there_is_one(gpuaudit: Gpuaudit) -> None:
    out = gpuaudit("tender", "show", "sustech-2024").out
    assert "$1.17 per GPU and hour ($27,440 for 23,360 GPU-hours)" in out
    assert "196,000 CNY ($27,440)" in out
    assert "2024-04 (year worked out)" in out
    assert "a100x" in out
    assert "a800" not in out


def test_show_tells_why_there_is_no_price(gpuaudit: Gpuaudit) -> None:
    out = gpuaudit("tender", "show", "tsinghua-2023").out
    assert "nearly 500,000 CNY ($70,000)" in out
    assert "not derivable: the sum is not exact (nearly)" in out


def test_show_keeps_our_reading_apart_from_the_document(gpuaudit: Gpuaudit) -> None:
    out = gpuaudit("tender", "show", "fujian-chuanzheng-2023").out
    assert "our reading  the total that can be reached" in out
    assert "reply        AWS: " in out


@pytest.mark.parametrize("slug", [pytest.param(slug, id=slug) for slug in known_tenders()])
def test_every_tender_is_shown_and_checked(gpuaudit: Gpuaudit, slug: str) -> None:
    shown = gpuaudit("tender", "show", slug)
    assert (shown.code, shown.err) == (Exit.DONE, "")
    assert "None" not in shown.out
    checked = gpuaudit("tender", "check", slug)
    assert (checked.code, checked.out.strip().rpartition("sha256:")[2]) == (Exit.DONE, load_tender(slug).sha256)


def test_json_holds_tender_products_price_and_digest(gpuaudit: Gpuaudit) -> None:
    told = json.loads(gpuaudit("tender", "show", "sustech-2024", "--format", "json").out)
    assert told["tender"]["lines"][0]["per_server"] == {"kind": "exactly", "n": 8}
    assert told["pricePerGpuHour"]["a100"]["gpuHours"] == 23360
    assert "a100-sxm4-80gb" in told["products"]["a100"]
    assert told["sha256"] == load_tender("sustech-2024").sha256
    told = json.loads(gpuaudit("tender", "show", "cnki", "--format", "json").out)
    assert told["pricePerGpuHour"]["a100"]["derivable"] is False


def test_a_fault_is_named_with_its_line_and_prints_nothing_else(gpuaudit: Gpuaudit, home: Path) -> None:
    (home / "t.toml").write_text(_SUSTECH.read_text().replace("n = 8", "n = -8"))
    ran = gpuaudit("tender", "check", "t.toml")
    assert (ran.code, ran.out) == (Exit.USAGE, "")
    line = _SUSTECH.read_text().split("n = 8")[0].count("\n") + 1
    assert ran.err.startswith(f"gpuaudit: t.toml:{line}: lines[0].per_server.n: ")


def test_an_unknown_slug_lists_the_known_ones(gpuaudit: Gpuaudit) -> None:
    ran = gpuaudit("tender", "show", "sustech")
    assert ran.code == Exit.USAGE
    assert all(slug in ran.err for slug in known_tenders())
