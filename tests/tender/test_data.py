"""The eleven tenders, claim by claim: what the documents say, and that what they do not say stays unsaid."""

from __future__ import annotations

import pytest

from gpuaudit.tender.model import AtLeast, Count, Exactly, HardwareLine, MoreThan, OtherLine, Status, Unsaid
from gpuaudit.tender.parse import known_tenders, load_tender

_OTHER = {
    "zhejiang-lab-2024": "computing-service",
    "eda-center-2024": "model-access",
    "changan-2023": "model-access",
    "sichuan-university-2024": "tokens",
}


def _lines(slug: str) -> list[HardwareLine]:
    return [line for line in load_tender(slug).tender.lines if isinstance(line, HardwareLine)]


def test_there_are_eleven_and_each_says_where_it_is_from() -> None:
    slugs = known_tenders()
    assert len(slugs) == 11
    for slug in slugs:
        tender = load_tender(slug).tender
        assert tender.slug == slug
        assert tender.source.startswith("Reuters factbox")
        assert tender.documents


@pytest.mark.parametrize(("slug", "kind"), [pytest.param(slug, kind, id=slug) for slug, kind in _OTHER.items()])
def test_what_is_no_hardware_has_no_hardware_line(slug: str, kind: str) -> None:
    (line,) = load_tender(slug).tender.lines
    assert isinstance(line, OtherLine)
    assert line.kind == kind


@pytest.mark.parametrize(
    ("slug", "line_id", "family", "per_server", "servers", "total", "months"),
    [
        pytest.param("shenzhen-university-2024", "a100", "A100", Unsaid(), Unsaid(), AtLeast(n=1), 0, id="shenzhen-a100"),
        pytest.param("shenzhen-university-2024", "h100", "H100", Unsaid(), Unsaid(), AtLeast(n=1), 0, id="shenzhen-h100"),
        pytest.param("fujian-chuanzheng-2023", "a100", "A100", Unsaid(), Unsaid(), MoreThan(n=4000), 0, id="fujian"),
        pytest.param("ustc-suzhou-2024", "a100", "A100", Exactly(n=8), Exactly(n=500), Unsaid(), 0, id="ustc"),
        pytest.param("sustech-2024", "a100", "A100", Exactly(n=8), Exactly(n=1), Unsaid(), 4, id="sustech"),
        pytest.param("tsinghua-2023", "a100", "A100", Exactly(n=8), AtLeast(n=10), Unsaid(), 0, id="tsinghua"),
        pytest.param("china-coal-2024", "a100", "A100", Unsaid(), Exactly(n=4), Unsaid(), 0, id="china-coal"),
        pytest.param("cnki", "a100", "A100", Unsaid(), Unsaid(), AtLeast(n=1), 36, id="cnki"),
    ],
)
def test_counts_are_those_of_the_document(
    slug: str, line_id: str, family: str, per_server: Count, servers: Count, total: Count, months: float
) -> None:
    (line,) = [line for line in _lines(slug) if line.id == line_id]
    assert (line.product.named, line.per_server, line.servers, line.total) == (family, per_server, servers, total)
    assert line.period.months == months


def test_no_form_factor_memory_or_day_was_guessed() -> None:
    for slug in known_tenders():
        for line in _lines(slug):
            assert line.product.form_factor == "unstated"
            assert line.product.marketed_gigabytes == 0
            assert (line.period.start, line.period.end) == ("", "")


def test_a_number_that_is_ours_says_so() -> None:
    for slug in known_tenders():
        for line in _lines(slug):
            read_by_us = isinstance(line.total, AtLeast | MoreThan) or isinstance(line.per_server, Unsaid)
            assert bool(line.our_reading) is read_by_us


@pytest.mark.parametrize(
    ("slug", "cloud"),
    [
        pytest.param("zhejiang-lab-2024", "AWS", id="zhejiang"),
        pytest.param("eda-center-2024", "AWS", id="eda"),
        pytest.param("shenzhen-university-2024", "AWS", id="shenzhen"),
        pytest.param("fujian-chuanzheng-2023", "AWS", id="fujian"),
        pytest.param("changan-2023", "Azure", id="changan"),
        pytest.param("sichuan-university-2024", "Azure", id="sichuan"),
        pytest.param("ustc-suzhou-2024", "", id="ustc-not-named"),
        pytest.param("sustech-2024", "", id="sustech-not-named"),
        pytest.param("tsinghua-2023", "", id="tsinghua-not-named"),
        pytest.param("china-coal-2024", "", id="china-coal-not-named"),
        pytest.param("cnki", "", id="cnki-not-named"),
    ],
)
def test_a_cloud_is_named_only_where_the_document_names_one(slug: str, cloud: str) -> None:
    assert load_tender(slug).tender.cloud == cloud


@pytest.mark.parametrize(
    ("slug", "sums"),
    [
        pytest.param("zhejiang-lab-2024", [(184_000, "exact")], id="zhejiang"),
        pytest.param("eda-center-2024", [(600_000, "exact")], id="eda"),
        pytest.param("shenzhen-university-2024", [(200_000, "exact")], id="shenzhen"),
        pytest.param("fujian-chuanzheng-2023", [(85_000, "exact")], id="fujian"),
        pytest.param("changan-2023", [], id="changan"),
        pytest.param("sichuan-university-2024", [], id="sichuan"),
        pytest.param("ustc-suzhou-2024", [], id="ustc"),
        pytest.param("sustech-2024", [(196_000, "exact")], id="sustech"),
        pytest.param("tsinghua-2023", [(500_000, "nearly")], id="tsinghua"),
        pytest.param("china-coal-2024", [], id="china-coal"),
        pytest.param("cnki", [], id="cnki"),
    ],
)
def test_sums_are_those_of_the_document(slug: str, sums: list[tuple[float, str]]) -> None:
    money = load_tender(slug).tender.money
    assert [(one.amount, one.bound) for one in money] == sums
    assert all((one.currency, one.units_per_dollar) == ("CNY", 7.1429) for one in money)


def test_a_year_that_was_worked_out_says_so() -> None:
    inferred = {
        (slug, document.date): document.year_inferred
        for slug in known_tenders()
        for document in load_tender(slug).tender.documents
    }
    assert {date for (_, date), guessed in inferred.items() if guessed} == {"2024-03", "2024-04", "2024-06"}
    assert {date for (_, date), guessed in inferred.items() if not guessed} == {"2023-05", "2023-08", "2023-11", ""}


def test_what_became_of_a_purchase_is_told_as_far_as_it_is_known() -> None:
    assert load_tender("zhejiang-lab-2024").tender.status is Status.GIVEN_UP
    assert load_tender("eda-center-2024").tender.status is Status.BOUGHT
    assert load_tender("tsinghua-2023").tender.status is Status.PLANNED
    assert load_tender("china-coal-2024").tender.status is Status.SOUGHT
    assert load_tender("ustc-suzhou-2024").tender.suppliers[0].role.startswith("unclear")
    assert load_tender("fujian-chuanzheng-2023").tender.replies[0].startswith("AWS: ")


def test_forty_million_tokens_are_a_number_and_not_a_claim_on_hardware() -> None:
    (line,) = load_tender("sichuan-university-2024").tender.lines
    assert isinstance(line, OtherLine)
    assert line.quantity == 40_000_000
