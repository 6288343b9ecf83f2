"""What a tender implies beyond its words: which products would do, and what an hour of a GPU costs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final, TypeAlias

from gpuaudit.catalogue.model import Catalogue, FormFactor, Product, ProductId
from gpuaudit.errors import UsageError
from gpuaudit.tender.model import Exactly, HardwareLine, Money, ProductClaim, Tender

# 365 days of 24 hours over twelve months.
HOURS_PER_MONTH: Final = 730
_BRANDS: Final = ("nvidia ", "tesla ", "geforce ")


@dataclass(frozen=True, slots=True, kw_only=True)
class PerGpuHour:
    """The price of one GPU for one hour, in U.S. dollars, with what it was worked out from."""

    dollars_per_gpu_hour: float
    dollars: float
    gpu_hours: float


@dataclass(frozen=True, slots=True, kw_only=True)
class NotDerivable:
    """The document does not say enough for a price; why, in words."""

    reason: str


ImpliedPrice: TypeAlias = PerGpuHour | NotDerivable


def implied_prices(tender: Tender) -> dict[str, ImpliedPrice]:
    """Work out what each hardware line costs per GPU and hour, by the line's id."""
    lines = [line for line in tender.lines if isinstance(line, HardwareLine)]
    return {line.id: implied_price(tender, line) for line in lines}


def implied_price(tender: Tender, line: HardwareLine) -> ImpliedPrice:
    """Work out what one line costs per GPU and hour.

    A price needs one sum for this line alone, stated exactly, and exact numbers of GPUs and of months. A bound on any of them gives
    a bound on the price at best, which reads like a price and is none.
    """
    gaps = [*_gaps_in_money(tender), *_gaps_in_line(line)]
    if gaps:
        return NotDerivable(reason="; ".join(gaps))
    dollars = sum(_dollars(money) for money in tender.money)
    gpu_hours = _gpus(line) * line.period.months * HOURS_PER_MONTH
    if not (math.isfinite(dollars) and math.isfinite(gpu_hours) and gpu_hours > 0 and math.isfinite(dollars / gpu_hours)):
        return NotDerivable(reason="the numbers are too large or too small for a price")
    return PerGpuHour(dollars_per_gpu_hour=dollars / gpu_hours, dollars=dollars, gpu_hours=gpu_hours)


def products_of(claim: ProductClaim, catalogue: Catalogue) -> tuple[ProductId, ...]:
    """Return the products that would satisfy `claim`, in the order of the catalogue.

    `claim.named` is a name that products count as ("A100", whatever the case, with or without maker and brand), or the id of one product;
    form factor and memory narrow it where they are stated.

    Raises:
        UsageError: No product does.
    """
    wanted = _plain(claim.named)
    named = [product for product in catalogue.products if _is_called(product, wanted)]
    if not named:
        raise UsageError(
            f"nothing in the catalogue counts as {claim.named!a}; expected a name such as A100 or an id such as a100-sxm4-80gb; "
            "see gpuaudit catalogue list"
        )
    fitting = tuple(product.id for product in named if _fits(product, claim))
    if not fitting:
        counted = ", ".join(product.id for product in named)
        raise UsageError(f"no {claim.named} {_narrowing(claim)}; {claim.named} counts {counted}")
    return fitting


def _gaps_in_money(tender: Tender) -> list[str]:
    match tender.money:
        case ():
            return ["no sum is given"]
        case (Money(bound="exact"),) if len(tender.lines) == 1:
            return []
        case (Money(bound="exact"),):
            return ["the sum is for several lines together"]
        case (Money(bound=bound),):
            return [f"the sum is not exact ({bound})"]
        case _:
            return ["several sums are given"]


def _gaps_in_line(line: HardwareLine) -> list[str]:
    gaps = []
    if not _gpus(line):
        gaps.append("the number of GPUs is not exact")
    if not line.period.months:
        gaps.append("the length of the period is not given")
    return gaps


def _gpus(line: HardwareLine) -> int:
    """Return the exact number of GPUs, 0 where the line gives none."""
    match line:
        case HardwareLine(total=Exactly(n=total)):
            return total
        case HardwareLine(per_server=Exactly(n=per_server), servers=Exactly(n=servers)):
            return per_server * servers
        case _:
            return 0


def _dollars(money: Money) -> float:
    return money.amount / money.units_per_dollar


def _plain(name: str) -> str:
    """Leave out what people put before a name or do not: case, maker and brand."""
    plain = " ".join(name.casefold().split())
    for brand in _BRANDS:
        plain = plain.removeprefix(brand)
    return plain


def _is_called(product: Product, wanted: str) -> bool:
    """Whether a claim by that name counts the product; slices and shares of cards count for nothing, not even by their id."""
    return bool(product.counts_as) and wanted in {product.id, *(_plain(name) for name in product.counts_as)}


def _fits(product: Product, claim: ProductClaim) -> bool:
    form = claim.form_factor in (FormFactor.UNSTATED, product.form_factor)
    return form and (not claim.marketed_gigabytes or claim.marketed_gigabytes in product.marketed_gigabytes)


def _narrowing(claim: ProductClaim) -> str:
    parts = []
    if claim.marketed_gigabytes:
        parts.append(f"has {claim.marketed_gigabytes} GB")
    if claim.form_factor is not FormFactor.UNSTATED:
        parts.append(f"is of form factor {claim.form_factor}")
    return " and ".join(parts)
