"""Lesser rivals: products that could be handed over in place of a claimed one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from gpuaudit.appraisal.reference import Products
from gpuaudit.catalogue.model import Catalogue, Product, Quantity, Span

_RESPECTS: Final = (
    Quantity.MEMORY_TOTAL_BYTES,
    Quantity.MEMORY_BANDWIDTH_BYTES_PER_SECOND,
    Quantity.NVLINK_BIDIRECTIONAL_BYTES_PER_SECOND,
)


def lesser_products(claimed: Iterable[Product], catalogue: Catalogue, fraction: float) -> Products:
    """Return who is lower than every claimed product, by more than `fraction`, in at least one respect.

    Respects are the dense rate of each dtype, memory, its bandwidth and NVLink. Where the catalogue has no value on one of the two
    sides the two are not compared in that respect; a product of which nothing is known is not called lesser.
    """
    wanted = tuple(claimed)
    lowest = _lowest(wanted)
    ids = frozenset(product.id for product in wanted)
    return frozenset(
        product.id
        for product in catalogue.products
        if product.id not in ids
        and any(value < lowest[respect] * (1 - fraction) for respect, value in _values(product).items() if respect in lowest)
    )


def _values(product: Product) -> dict[str, float]:
    spans = {quantity.value: product.span(quantity) for quantity in _RESPECTS}
    rates = {f"rate-{dtype}": product.rate(dtype) for dtype in product.rates}
    return {name: span.largest for name, span in {**spans, **rates}.items() if isinstance(span, Span)}


def _lowest(products: tuple[Product, ...]) -> dict[str, float]:
    lowest: dict[str, float] = {}
    for product in products:
        for respect, value in _values(product).items():
            lowest[respect] = min(value, lowest.get(respect, value))
    return lowest
