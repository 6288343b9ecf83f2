"""Lesser rivals: products that could be handed over in place of a claimed one."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Final, TypeAlias

from gpuaudit.catalogue.model import Catalogue, Product, ProductId, Quantity, Span

Strengths: TypeAlias = Mapping[ProductId, Mapping[str, float]]

_RESPECTS: Final = (
    Quantity.MEMORY_TOTAL_BYTES,
    Quantity.MEMORY_BANDWIDTH_BYTES_PER_SECOND,
    Quantity.NVLINK_BIDIRECTIONAL_BYTES_PER_SECOND,
)


def lesser_products(claimed: Iterable[Product], catalogue: Catalogue, fraction: float) -> frozenset[ProductId]:
    """Return who is lower than every claimed product, by more than `fraction`, in at least one respect.

    Respects are the dense rate of each dtype, memory, its bandwidth and NVLink. Where the catalogue has no value on one of the two
    sides the two are not compared in that respect; a product of which nothing is known is not called lesser.
    """
    return lesser_than(frozenset(product.id for product in claimed), strengths_of(catalogue), fraction)


def strengths_of(catalogue: Catalogue) -> Strengths:
    """Work out once, for all products, how strong each is in every respect in which it has a verified value."""
    return {product.id: _strengths(product) for product in catalogue.products}


def lesser_than(claimed: frozenset[ProductId], strengths: Strengths, fraction: float) -> frozenset[ProductId]:
    """Do as `lesser_products`, with the strengths prepared."""
    bars = {respect: value * (1 - fraction) for respect, value in _lowest(claimed, strengths).items()}
    return frozenset(
        product
        for product, own in strengths.items()
        if product not in claimed and any(respect in bars and value < bars[respect] for respect, value in own.items())
    )


def nearest_first(rivals: Iterable[ProductId], claimed: frozenset[ProductId], strengths: Strengths) -> tuple[ProductId, ...]:
    """Order rivals by how near each is to the least that a claimed product offers; alike ones by name."""
    lowest = _lowest(claimed, strengths)
    return tuple(sorted(rivals, key=lambda rival: (_distance(strengths[rival], lowest), rival)))


def _lowest(claimed: frozenset[ProductId], strengths: Strengths) -> dict[str, float]:
    lowest: dict[str, float] = {}
    for product in claimed:
        for respect, value in strengths[product].items():
            lowest[respect] = min(value, lowest.get(respect, value))
    return lowest


def _distance(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    """Return by which factor two products differ on average, as a logarithm, over the respects in which both have a value."""
    factors = [
        abs(math.log(value / other[name])) for name, value in one.items() if name in other and min(value, other[name]) > 0
    ]
    return sum(factors) / len(factors) if factors else math.inf


def _strengths(product: Product) -> dict[str, float]:
    spans = {quantity.value: product.span(quantity) for quantity in _RESPECTS}
    rates = {f"rate-{dtype}": product.rate(dtype) for dtype in product.rates}
    return {name: span.largest for name, span in {**spans, **rates}.items() if isinstance(span, Span)}
