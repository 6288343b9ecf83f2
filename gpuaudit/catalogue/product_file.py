"""One product's file, as a person writes it, checked for what its types cannot say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Final, get_type_hints

from gpuaudit.catalogue.model import Attribute, Listing, Product, ProductKind, Span
from gpuaudit.errors import MalformedFileError
from gpuaudit.evidence.device import DeviceEvidence
from gpuaudit.evidence.measurement import Dtype
from gpuaudit.evidence.toml_file import Fault, load_toml
from gpuaudit.evidence.toml_lines import KeyPath

_SCHEMA: Final = 1
_PCI_ID: Final = re.compile(r"[0-9a-f]{4}:[0-9a-f]{4}")
_SLICES: Final = frozenset({ProductKind.VGPU, ProductKind.MIG})
_MEASUREMENTS: Final = frozenset({*(f"gemm-{dtype}" for dtype in Dtype), "copy", "capacity", "peer-both-ways"})


def read_product(path: Path) -> Product:
    """Read the file of one product; its name is the product's id.

    Raises:
        MalformedFileError: The file breaks the format; all faults at once, each with its line.
    """
    return parse_product(path.read_bytes(), product_id=path.stem, place=path.name)


def parse_product(data: bytes, *, product_id: str, place: str) -> Product:
    """Read a product from TOML.

    Args:
        data: The whole file.
        product_id: The id that the file must give.
        place: Where it came from, for the message.

    Raises:
        MalformedFileError: It breaks the format; all faults at once, each with its line.
    """
    return load_toml(Product, data, place=place, check=lambda product: _faults(product, product_id))


def read_products(folder: Path) -> tuple[Product, ...]:
    """Read every product of a folder, in the order of their ids.

    Raises:
        MalformedFileError: Files break the format; the faults of all files at once.
    """
    products: list[Product] = []
    faults: list[str] = []
    for path in sorted(folder.glob("*.toml"), key=lambda path: path.stem):
        try:
            products.append(read_product(path))
        except MalformedFileError as error:
            faults.append(str(error))
    if faults:
        raise MalformedFileError("; ".join(faults))
    return tuple(products)


def _faults(product: Product, product_id: str) -> Iterator[Fault]:
    if product.schema != _SCHEMA:
        yield Fault(path=("schema",), message=f"expected {_SCHEMA}, got {product.schema}")
    if product.id != product_id:
        yield Fault(path=("id",), message=f"expected {product_id!r}, the name of the file, got {product.id!r}")
    if (product.kind in _SLICES) is bool(product.counts_as):
        yield Fault(path=("counts_as",), message="expected no name for a slice or share of a card, and one or more for a card")
    for quantity, span in product.spans.items():
        yield from _span_faults(span, ("spans", quantity.value))
    for dtype, span in product.rates.items():
        yield from _span_faults(span, ("rates", dtype.value))
    for attribute, listing in product.listings.items():
        yield from _listing_faults(attribute, listing)
    yield from _required_faults(product)


def _span_faults(span: Span, path: KeyPath) -> Iterator[Fault]:
    if not 0 <= span.smallest <= span.largest:
        yield Fault(path=path, message=f"expected 0 <= smallest <= largest, got {span.smallest:g} and {span.largest:g}")
    if not span.cited:
        yield Fault(path=(*path, "cited"), message="expected at least one source")


def _listing_faults(attribute: Attribute, listing: Listing) -> Iterator[Fault]:
    path: KeyPath = ("listings", attribute.value)
    if not listing.values or len(set(listing.values)) < len(listing.values):
        yield Fault(path=(*path, "values"), message="expected one or more values, each once")
    if not listing.cited:
        yield Fault(path=(*path, "cited"), message="expected at least one source")
    if attribute in (Attribute.PCI_DEVICE_IDS, Attribute.PCI_SUBSYSTEM_IDS):
        for index, value in enumerate(listing.values):
            if not _PCI_ID.fullmatch(value):
                yield Fault(path=(*path, "values", index), message=f"expected an id such as 10de:20b2, got {value!r}")


def _required_faults(product: Product) -> Iterator[Fault]:
    readings = _device_readings()
    for index, reading in enumerate(product.required.readings):
        if reading not in readings:
            yield Fault(path=("required", "readings", index), message=f"no such reading of a device: {reading!r}")
    for index, measurement in enumerate(product.required.measurements):
        if measurement not in _MEASUREMENTS:
            yield Fault(path=("required", "measurements", index), message=f"no such measurement: {measurement!r}")


def _device_readings() -> frozenset[str]:
    """Name every reading of a device by its path, as `memory.total_bytes`."""
    groups = get_type_hints(DeviceEvidence)
    return frozenset(
        f"{name}.{field.name}"
        for name, group in groups.items()
        if hasattr(group, "__dataclass_fields__")
        for field in fields(group)
    )
