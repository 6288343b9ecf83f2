"""Draws that everybody can repeat, and plans that somebody changed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gpuaudit.errors import AuthenticityError, UsageError
from gpuaudit.evidence.codec import dump
from gpuaudit.fleet.plan import (
    FleetPlan,
    PlanTerms,
    commitment_to,
    draw,
    make_plan,
    numbered,
    plan_in_words,
    read_plan,
    seed_of,
    servers_claimed,
)
from gpuaudit.tender.parse import load_tender

START = datetime(2026, 1, 1, tzinfo=UTC)
TERMS = PlanTerms(confidence=0.95, tolerance=0.02, absence=0.1, audits=0, start=START)


def made(slug: str = "ustc-suzhou-2024", count: int = 500, nonce: str = "ab" * 32) -> FleetPlan:
    return make_plan(load_tender(slug), numbered(count), TERMS, date="2026-01-01", nonce=nonce)


def test_a_draw_can_be_repeated_whatever_the_order_of_names() -> None:
    names = numbered(500)
    seed = seed_of("00" * 32, "2026-01-01", "ab" * 32)
    drawn = draw(names, seed, 119)
    assert drawn == draw(tuple(reversed(names)), seed, 119)
    assert len(frozenset(drawn)) == 119
    assert frozenset(drawn) <= frozenset(names)


def test_another_nonce_draws_others() -> None:
    assert made(nonce="ab" * 32).drawn != made(nonce="cd" * 32).drawn


def test_every_server_is_drawn_about_as_often() -> None:
    names = numbered(20)
    counts = dict.fromkeys(names, 0)
    for number in range(2000):
        for server in draw(names, seed_of("00", "2026-01-01", str(number)), 5):
            counts[server] += 1
    # 500 each; five standard deviations of a binomial of 2,000 at a quarter are 97.
    assert all(abs(count - 500) < 97 for count in counts.values())


def test_a_plan_says_what_it_can_and_cannot_show() -> None:
    plan = made()
    assert len(plan.drawn) == 119
    assert plan.commitment == commitment_to(plan.seed)
    assert plan.audit_times == ()
    text = plan_in_words(plan)
    assert "at least 98 % of the servers, at 95 %" in text
    assert "cannot show  that all 500 servers are as claimed" in text


def test_a_tender_with_a_period_gets_random_times_in_it() -> None:
    plan = made("sustech-2024", 1)
    moments = [datetime.fromisoformat(time) for time in plan.audit_times]
    assert len(moments) == 29
    assert moments == sorted(moments)
    assert all(0 <= (moment - START).total_seconds() <= 4 * 730 * 3600 for moment in moments)
    assert plan.audit_times != made("sustech-2024", 1, nonce="cd" * 32).audit_times
    assert any("9.8 % of the period" in text for text in plan.can_conclude)


def test_a_plan_reads_back(tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_bytes(dump(FleetPlan, made()))
    assert read_plan(tmp_path / "plan.json", load_tender("ustc-suzhou-2024")) == made()


@pytest.mark.parametrize(
    ("change", "says"),
    [
        pytest.param({"drawn": numbered(119)}, "not those", id="draw-of-ones-liking"),
        pytest.param({"nonce": "cd" * 32}, "not those", id="other-nonce"),
        pytest.param({"servers": numbered(499)}, "not those", id="a-server-fewer"),
        pytest.param({"confidence": 0.9}, "not those", id="other-confidence"),
        pytest.param({"confidence": 7.0}, "expected a share", id="no-confidence"),
        pytest.param({"servers": ()}, "0 names", id="no-servers"),
        pytest.param({"tender_sha256": "00" * 32}, "another file", id="other-tender"),
    ],
)
def test_a_plan_that_was_changed_is_refused(change: dict[str, object], says: str, tmp_path: Path) -> None:
    (tmp_path / "plan.json").write_bytes(dump(FleetPlan, replace(made(), **change)))  # type: ignore[arg-type]
    with pytest.raises(AuthenticityError, match=says):
        read_plan(tmp_path / "plan.json", load_tender("ustc-suzhou-2024"))


def test_a_server_named_twice_is_refused() -> None:
    with pytest.raises(UsageError, match="each once"):
        make_plan(load_tender("ustc-suzhou-2024"), ("a", "b", "a"), TERMS, date="2026-01-01", nonce="00")


@pytest.mark.parametrize(
    ("slug", "count"),
    [("ustc-suzhou-2024", 500), ("tsinghua-2023", 10), ("fujian-chuanzheng-2023", 0), ("sichuan-university-2024", 0)],
)
def test_a_tender_says_how_many_servers_or_does_not(slug: str, count: int) -> None:
    assert servers_claimed(load_tender(slug).tender) == count


@pytest.mark.parametrize("count", [0, -1, 1_000_001])
def test_servers_are_counted_from_one(count: int) -> None:
    with pytest.raises(UsageError, match="--servers"):
        numbered(count)
