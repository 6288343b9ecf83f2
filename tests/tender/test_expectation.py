"""What follows from a tender: the products that would do, and the price where there is one."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuaudit.catalogue.compiled import load_catalogue
from gpuaudit.catalogue.model import FormFactor, ProductKind
from gpuaudit.errors import UsageError
from gpuaudit.tender.expectation import NotDerivable, PerGpuHour, implied_price, implied_prices, products_of
from gpuaudit.tender.model import (
    AtLeast,
    Count,
    Exactly,
    HardwareLine,
    Money,
    MoreThan,
    OtherLine,
    Period,
    ProductClaim,
    Tender,
    Unsaid,
)
from gpuaudit.tender.parse import known_tenders, load_tender

_CATALOGUE = load_catalogue()
_SUSTECH = load_tender("sustech-2024").tender
_A100 = {"a100-sxm4-40gb", "a100-sxm4-80gb", "a100-pcie-40gb", "a100-pcie-80gb", "a100-sxm-64gb", "a100x"}
_LINE = next(line for line in _SUSTECH.lines if isinstance(line, HardwareLine))
_COUNTS = st.one_of(
    st.builds(Exactly, n=st.integers(1, 1000)),
    st.builds(AtLeast, n=st.integers(1, 1000)),
    st.builds(MoreThan, n=st.integers(1, 1000)),
    st.just(Unsaid()),
)


def test_sustech_pays_a_dollar_and_seventeen_cents() -> None:
    price = implied_price(_SUSTECH, _LINE)
    assert isinstance(price, PerGpuHour)
    assert round(price.dollars) == 27_440
    assert price.gpu_hours == 23_360
    assert round(price.dollars_per_gpu_hour, 2) == 1.17


def test_no_other_tender_says_enough_for_a_price() -> None:
    derived = {
        slug
        for slug in known_tenders()
        for price in implied_prices(load_tender(slug).tender).values()
        if isinstance(price, PerGpuHour)
    }
    assert derived == {"sustech-2024"}


@pytest.mark.parametrize(
    ("slug", "line", "reason"),
    [
        pytest.param("ustc-suzhou-2024", "a100", "no sum is given; the length of the period is not given", id="no-sum"),
        pytest.param("tsinghua-2023", "a100", "the sum is not exact (nearly); the number of GPUs is not exact; the length of the period is not given", id="three-gaps"),
        pytest.param("shenzhen-university-2024", "h100", "the sum is for several lines together; the number of GPUs is not exact; the length of the period is not given", id="one-sum-for-two-lines"),
        pytest.param("cnki", "a100", "no sum is given; the number of GPUs is not exact", id="period-alone-is-not-enough"),
    ],
)  # fmt: skip
def test_what_is_missing_is_said(slug: str, line: str, reason: str) -> None:
    assert implied_prices(load_tender(slug).tender)[line] == NotDerivable(reason=reason)


@given(
    per_server=_COUNTS,
    servers=_COUNTS,
    total=_COUNTS,
    months=st.sampled_from([0.0, 1.0, 36.0]),
    amounts=st.lists(st.floats(1, 1e9), max_size=2),
    bound=st.sampled_from(["exact", "nearly", "at-most", "at-least"]),
)
def test_a_price_is_worked_out_only_from_exact_words(
    per_server: Count, servers: Count, total: Count, months: float, amounts: list[float], bound: str
) -> None:
    line = dataclasses.replace(_LINE, per_server=per_server, servers=servers, total=total, period=Period(months=months))
    money = tuple(
        Money(amount=amount, currency="CNY", bound=bound, units_per_dollar=7.1429, rate_source="a test")  # type: ignore[arg-type]
        for amount in amounts
    )
    tender: Tender = dataclasses.replace(_SUSTECH, money=money, lines=(line,))
    price = implied_price(tender, line)
    exact_count = isinstance(total, Exactly) or (isinstance(per_server, Exactly) and isinstance(servers, Exactly))
    assert isinstance(price, PerGpuHour) is (exact_count and months > 0 and len(amounts) == 1 and bound == "exact")
    if isinstance(price, PerGpuHour):
        assert price.dollars_per_gpu_hour * price.gpu_hours == pytest.approx(price.dollars)


def test_a_sum_for_hardware_and_something_else_is_no_price() -> None:
    other = OtherLine(kind="model-access", id="model", text="access to a model")
    tender = dataclasses.replace(_SUSTECH, lines=(_LINE, other))
    assert implied_price(tender, _LINE) == NotDerivable(reason="the sum is for several lines together")


@pytest.mark.parametrize(
    ("claim", "products"),
    [
        pytest.param(ProductClaim(named="A100"), _A100, id="family"),
        pytest.param(ProductClaim(named=" nvidia  a100 "), _A100, id="family-as-people-write-it"),
        pytest.param(ProductClaim(named="A100", form_factor=FormFactor.SXM), {"a100-sxm4-40gb", "a100-sxm4-80gb", "a100-sxm-64gb"}, id="by-form-factor"),
        pytest.param(ProductClaim(named="A100", marketed_gigabytes=80), {"a100-sxm4-80gb", "a100-pcie-80gb", "a100x"}, id="by-memory"),
        pytest.param(ProductClaim(named="A100", form_factor=FormFactor.SXM, marketed_gigabytes=80), {"a100-sxm4-80gb"}, id="by-both"),
        pytest.param(ProductClaim(named="a100-sxm4-80gb"), {"a100-sxm4-80gb"}, id="exact-product"),
        pytest.param(ProductClaim(named="Tesla T4"), {"t4"}, id="brand-in-front"),
        pytest.param(ProductClaim(named="GeForce RTX 4090"), {"rtx-4090"}, id="rebuilt-card-is-not-the-product"),
        pytest.param(ProductClaim(named="A10"), {"a10"}, id="a10-is-not-a-beginning-of-a100"),
        pytest.param(ProductClaim(named="H100", form_factor=FormFactor.NVL), {"h100-nvl-94gb"}, id="nvl"),
    ],
)  # fmt: skip
def test_a_claim_stands_for_these_products(claim: ProductClaim, products: set[str]) -> None:
    assert set(products_of(claim, _CATALOGUE)) == products


@pytest.mark.parametrize(
    ("claim", "message"),
    [
        pytest.param(ProductClaim(named="A1000"), "nothing in the catalogue counts as 'A1000'.*gpuaudit catalogue list", id="unknown"),
        pytest.param(ProductClaim(named=""), "nothing in the catalogue counts as ''", id="empty"),
        pytest.param(ProductClaim(named="mig-a100-80-3g.40gb"), "nothing in the catalogue counts as", id="slice"),
        pytest.param(ProductClaim(named="A100", marketed_gigabytes=96), "no A100 has 96 GB; A100 counts a100-pcie-40gb", id="engineering-size"),
        pytest.param(ProductClaim(named="A100", form_factor=FormFactor.NVL), "no A100 is of form factor nvl", id="form-factor-that-does-not-exist"),
        pytest.param(ProductClaim(named="t4", form_factor=FormFactor.SXM, marketed_gigabytes=80), "no t4 has 80 GB and is of form factor sxm", id="exact-product-narrowed-away"),
    ],
)  # fmt: skip
def test_a_claim_that_nothing_satisfies_is_a_mistake_and_not_an_empty_set(claim: ProductClaim, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        products_of(claim, _CATALOGUE)


@given(st.sampled_from(sorted({name for product in _CATALOGUE.products for name in product.counts_as})))
def test_no_claim_counts_a_slice_or_a_share(name: str) -> None:
    for product_id in products_of(ProductClaim(named=name), _CATALOGUE):
        assert _CATALOGUE.product(product_id).kind not in (ProductKind.MIG, ProductKind.VGPU)


def test_a100_and_h100_share_no_product_with_their_rivals() -> None:
    h100 = set(products_of(ProductClaim(named="H100"), _CATALOGUE))
    assert not _A100 & h100
    for rival in ("A800", "H800", "H200", "H20", "GH200", "L20Y", "PG506", "PG509", "DRIVE A100", "CMP 170HX", "GRID A100A"):
        assert not (_A100 | h100) & set(products_of(ProductClaim(named=rival), _CATALOGUE))
