"""Small products for the laws of comparison; the real ones are in the catalogue."""

from __future__ import annotations

from collections.abc import Iterable

from gpuaudit.catalogue.model import (
    Attribute,
    Catalogue,
    Citation,
    CitationKind,
    FormFactor,
    Listing,
    Product,
    ProductKind,
    Quantity,
    Required,
    Span,
)


def product(
    product_id: str,
    *,
    listings: dict[Attribute, tuple[str, ...]] | None = None,
    spans: dict[Quantity, tuple[float, float]] | None = None,
    kind: CitationKind = CitationKind.CAPTURE,
) -> Product:
    cited = (Citation(kind=kind, source="a test"),)
    return Product(
        schema=1,
        id=product_id,
        title=product_id,
        kind=ProductKind.DATACENTER,
        family=product_id,
        counts_as=(product_id,),
        form_factor=FormFactor.UNSTATED,
        marketed_gigabytes=(),
        spans={quantity: Span(smallest=low, largest=high, cited=cited) for quantity, (low, high) in (spans or {}).items()},
        listings={attribute: Listing(values=values, cited=cited) for attribute, values in (listings or {}).items()},
        rates={},
        required=Required(readings=(), measurements=()),
    )


def catalogue(products: Iterable[Product]) -> Catalogue:
    return Catalogue(version="test", products=tuple(products))
