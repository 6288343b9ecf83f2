"""How one reading is compared with one product's reference value: the only place where that is decided.

Two kinds of reference value, two comparisons. A span excludes what lies outside of it. A listing is a list of what has been
seen, never of all there is, so a value that nobody lists excludes nothing: it may be a new board of a genuine product. Only a
value that is listed for other products, and not for this one, excludes.

Values are compared by key, not letter by letter: ids by their lower case, names without surplus blanks, a GPU part number by the
PCI device id with which it begins, a board part number without its last group (a revision), a VBIOS version by its first two
groups (the chip family).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from gpuaudit.catalogue.model import Attribute, Catalogue, Listing, NoData, Product, ProductId, Quantity

# As nvidia-smi of schema v12 and later prints it; older ones print the board number in its place, which has another form.
_GPU_PART_NUMBER: Final = re.compile(r"([0-9A-Fa-f]{4})-[0-9A-Za-z]{3}-[0-9A-Za-z]{2}")
_BOARD_PART_NUMBER: Final = re.compile(r"(\w+-\w+-\w+)-\w+")
_VBIOS_VERSION: Final = re.compile(r"(\w{2}\.\w{2})(?:\.\w{2})*")
_NVIDIA: Final = "10de"


class Fit(StrEnum):
    """What a value says of a product. Only `EXCLUDED` takes the product away."""

    FITS = "fits"
    EXCLUDED = "excluded"
    UNLISTED = "unlisted"
    NO_DATA = "no-data"


@dataclass(frozen=True, slots=True, kw_only=True)
class CatalogueIndex:
    """Every verified listing of a catalogue, by key: made once, looked up for every device.

    `keys` holds what each product lists, `products` who lists a key. A product without a verified listing is in neither.
    """

    keys: Mapping[Attribute, Mapping[ProductId, frozenset[str]]]
    products: Mapping[Attribute, Mapping[str, frozenset[ProductId]]]


def index_catalogue(catalogue: Catalogue) -> CatalogueIndex:
    """Prepare the listings of `catalogue` for `compare_listing`."""
    keys: dict[Attribute, dict[ProductId, frozenset[str]]] = {}
    products: dict[Attribute, dict[str, frozenset[ProductId]]] = {}
    for attribute in Attribute:
        listed = {product.id: _listed_keys(product, attribute) for product in catalogue.products}
        keys[attribute] = {product_id: found for product_id, found in listed.items() if found}
        products[attribute] = _turned_round(keys[attribute])
    return CatalogueIndex(keys=keys, products=products)


def compare_listing(product: Product, attribute: Attribute, value: str, index: CatalogueIndex) -> Fit:
    """Say what `value`, as a device reports it, says of `product`.

    Args:
        product: A product of the catalogue from which `index` was made.
        attribute: Which listing to look at.
        value: The reading, as read.
        index: From `index_catalogue`.

    Returns:
        `FITS` where the product lists the value, `EXCLUDED` where only others do, `UNLISTED` where nobody does ("not in the
        catalogue"), `NO_DATA` where the product has no verified listing of this attribute.
    """
    keys = index.keys[attribute].get(product.id)
    if keys is None:
        return Fit.NO_DATA
    key = comparison_key(attribute, value)
    if key in keys:
        return Fit.FITS
    return Fit.EXCLUDED if key in index.products[attribute] else Fit.UNLISTED


def compare_span(product: Product, quantity: Quantity, value: float) -> Fit:
    """Say whether a genuine `product` can report `value`, in the unit that the quantity's name ends with.

    Returns:
        `FITS` inside the verified span, ends included, `EXCLUDED` outside of it, `NO_DATA` where there is none.
    """
    span = product.span(quantity)
    if isinstance(span, NoData):
        return Fit.NO_DATA
    return Fit.FITS if value in span else Fit.EXCLUDED


def comparison_key(attribute: Attribute, value: str) -> str:
    """Return the part of `value` that tells products apart; two values with equal keys are taken for the same.

    A value that has not the form of its attribute is its own key: it will be listed nowhere, and excludes nothing.
    """
    text = " ".join(value.split())
    match attribute:
        case Attribute.NAMES | Attribute.COMPUTE_CAPABILITIES:
            return text
        case Attribute.PCI_DEVICE_IDS | Attribute.PCI_SUBSYSTEM_IDS:
            return text.lower()
        case Attribute.GPU_PART_NUMBERS:
            form = _GPU_PART_NUMBER.fullmatch(text)
            return f"{_NVIDIA}:{form[1].lower()}" if form else text
        case Attribute.BOARD_PART_NUMBERS:
            form = _BOARD_PART_NUMBER.fullmatch(text)
            return form[1].upper() if form else text
        case Attribute.VBIOS_PREFIXES:
            form = _VBIOS_VERSION.fullmatch(text)
            return form[1].lower() if form else text


def _listed_keys(product: Product, attribute: Attribute) -> frozenset[str]:
    keys = _keys(attribute, product.listing(attribute))
    if attribute is Attribute.GPU_PART_NUMBERS:
        # Seen in every capture: the part number begins with the device id, so the ids of a product tell its part numbers.
        keys |= _keys(Attribute.PCI_DEVICE_IDS, product.listing(Attribute.PCI_DEVICE_IDS))
    return keys


def _keys(attribute: Attribute, listing: Listing | NoData) -> frozenset[str]:
    values: Iterable[str] = () if isinstance(listing, NoData) else listing.values
    return frozenset(comparison_key(attribute, value) for value in values)


def _turned_round(keys: Mapping[ProductId, frozenset[str]]) -> dict[str, frozenset[ProductId]]:
    products: defaultdict[str, set[ProductId]] = defaultdict(set)
    for product_id, listed in keys.items():
        for key in listed:
            products[key].add(product_id)
    return {key: frozenset(ids) for key, ids in products.items()}
