"""Rules on what a card says of its limits. Genuine cards are sold with several, or set otherwise: hints, all of them."""

from __future__ import annotations

from typing import Final

from gpuaudit.appraisal.amount import Unit
from gpuaudit.appraisal.result import Basis, Effect
from gpuaudit.appraisal.rule import Band, Expected, rule
from gpuaudit.appraisal.threshold import Thresholds
from gpuaudit.catalogue.model import NoData, Product, ProductKind, Quantity

_WITH_ECC: Final = (ProductKind.DATACENTER, ProductKind.EXPORT_VARIANT)


@rule("bar1-size", basis=Basis.REPORTED, effect=Effect.IDENTITY, reads="memory.bar1_total_bytes", unit=Unit.BYTES)
def bar1_is_no_larger_than_that_of_the_product(product: Product, thresholds: Thresholds) -> Expected:
    """The window through which the host sees the card's memory is one that the product has.

    Looks at: the total of BAR1 that NVML reports.
    Catches: a CMP 170HX (64 MiB) called A100, an A100-40 (64 GiB) called A100-80 (128 GiB) by a forger who forgot the window.
    Does not catch: a forged size. With resizable BAR off a genuine card shows 256 MiB, so anything from there up to the product's own
    size fits; some platforms show more.
    Numbers from: captures cited in the catalogue; the lower end from captures of cards with resizable BAR off (thresholds.toml).
    Checked on: captures of A100, H100, H200, B200, L40S, A40, T4 and RTX 4090.
    """
    span = product.span(Quantity.BAR1_BYTES)
    if isinstance(span, NoData):
        return span
    return Band(low=min(span.smallest, thresholds.plausible.bar1_smallest_bytes), high=span.largest)


@rule(
    "power-limit-default",
    basis=Basis.REPORTED,
    effect=Effect.IDENTITY,
    reads="power.limit_default_milliwatts",
    unit=Unit.MILLIWATTS,
)
def default_power_limit_is_one_that_the_product_is_sold_with(product: Product, thresholds: Thresholds) -> Expected:
    """The default power limit is one with which the product is sold (275 to 500 W for an A100-80 SXM, 300 W for PCIe).

    Looks at: the default limit that NVML reports, which a user cannot set.
    Catches: a PCIe card (250 W) called SXM (400 W), a T4 (70 W) called anything.
    Does not catch: a forged limit. Makers of servers order other limits, so it is a hint.
    Numbers from: captures and vendors' tables cited in the catalogue, a span where several values were seen.
    Checked on: the captures of A100, H100, L40S and T4.
    """
    del thresholds
    span = product.span(Quantity.POWER_LIMIT_DEFAULT_MILLIWATTS)
    return span if isinstance(span, NoData) else Band(low=span.smallest, high=span.largest)


@rule("power-limit-max", basis=Basis.REPORTED, effect=Effect.IDENTITY, reads="power.limit_max_milliwatts", unit=Unit.MILLIWATTS)
def highest_power_limit_is_not_above_that_of_the_product(product: Product, thresholds: Thresholds) -> Expected:
    """The highest power limit that can be set is within what the product allows.

    Looks at: the upper constraint of the power limit that NVML reports.
    Catches: a larger card under a smaller one's name, an RTX 4090 (600 W) called A100 PCIe.
    Does not catch: a forged constraint; guests often see none.
    Numbers from: captures cited in the catalogue.
    Checked on: the captures of A100, H100, L40S and T4.
    """
    del thresholds
    span = product.span(Quantity.POWER_LIMIT_MAX_MILLIWATTS)
    return span if isinstance(span, NoData) else Band(low=span.smallest, high=span.largest)


@rule("ecc", basis=Basis.REPORTED, effect=Effect.SHORTFALL, reads="reliability.ecc_enabled", unit=Unit.COUNT)
def error_correction_is_as_the_product_has_it(product: Product, thresholds: Thresholds) -> Expected:
    """Error correction of the memory is on (1) where datacentre cards have it, and off (0) on a mining board, which has none.

    Looks at: the current ECC mode that NVML reports.
    Catches: a CMP 170HX or a consumer card with a datacentre card's name and its own ECC mode.
    Does not catch: a forged mode. An owner may turn ECC off on a genuine card, so nothing is excluded by it.
    Numbers from: the kind of product; no threshold.
    Checked on: captures of A100, H100, L40S and T4 (on) and of a CMP 170HX (off).
    """
    del thresholds
    if product.kind in _WITH_ECC:
        return Band(low=1, high=1)
    return Band(low=0, high=0) if product.kind is ProductKind.MINING else NoData()
