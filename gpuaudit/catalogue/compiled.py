"""The catalogue as one JSON file, because reading a hundred TOML files costs more than the appraisal of eight devices.

`scripts/compile-catalogue` writes it from the products' files, which are checked there; a test compiles them again and compares
the bytes. What is read here is checked by the digest that its version carries, and then taken as it is: checking two thousand
values once more would cost every command three times as long.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any, Final, TypeVar

from pydantic import TypeAdapter

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
from gpuaudit.errors import MalformedFileError
from gpuaudit.evidence.measurement import Dtype

K = TypeVar("K")
V = TypeVar("V")

_PACKAGE: Final = "gpuaudit.catalogue"
_FILE: Final = "catalogue.json"
_DIGITS: Final = 12
_HEAD: Final = '{{"version":"{version}","products":[\n'
_TAIL: Final = "\n]}\n"


@cache
def load_catalogue() -> Catalogue:
    """Return the catalogue that comes with gpuaudit.

    Raises:
        MalformedFileError: The compiled file is damaged.
    """
    return parse_catalogue(resources.files(_PACKAGE).joinpath("data", _FILE).read_bytes(), place=_FILE)


def compile_catalogue(products: Sequence[Product], *, date: str) -> bytes:
    """Write products as one JSON file, one line for each, so that a change shows as a line.

    Args:
        products: In the order in which they are to stand.
        date: Of the last change, as `2026-11-23`; it goes into the version with a digest of the content.
    """
    adapter = TypeAdapter(Product)
    content = ",\n".join(
        json.dumps(adapter.dump_python(product, mode="json", exclude_defaults=True), ensure_ascii=False, separators=(",", ":"))
        for product in products
    )
    return (_HEAD.format(version=f"{date}+{_digest(content)}") + content + _TAIL).encode()


def parse_catalogue(data: bytes, *, place: str) -> Catalogue:
    """Read a compiled catalogue.

    Raises:
        MalformedFileError: It is not one, or it was changed after it was compiled.
    """
    try:
        text = data.decode()
        raw = json.loads(text)
        version = raw["version"]
        content = text.removeprefix(_HEAD.format(version=version)).removesuffix(_TAIL)
        if version.partition("+")[2] != _digest(content):
            raise ValueError("the digest in its version is not that of its content")  # noqa: TRY301 - as damaged as the rest
        return Catalogue(version=version, products=tuple(_product(one) for one in raw["products"]))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise MalformedFileError(
            f"{place}: damaged: {error}; install gpuaudit again, or run scripts/compile-catalogue"
        ) from None


def date_of(catalogue: Catalogue) -> str:
    """Return the date of the last change, from the version."""
    return catalogue.version.partition("+")[0]


def _digest(content: str) -> str:
    return hashlib.sha256(content.encode()).hexdigest()[:_DIGITS]


def _product(raw: Mapping[str, Any]) -> Product:
    return Product(
        schema=raw["schema"],
        id=raw["id"],
        title=raw["title"],
        kind=ProductKind(raw["kind"]),
        family=raw["family"],
        counts_as=tuple(raw["counts_as"]),
        form_factor=FormFactor(raw["form_factor"]),
        marketed_gigabytes=tuple(raw["marketed_gigabytes"]),
        spans=_table(raw["spans"], Quantity, _span),
        listings=_table(raw["listings"], Attribute, _listing),
        rates=_table(raw["rates"], Dtype, _span),
        required=Required(
            readings=tuple(raw["required"]["readings"]),
            measurements=tuple(raw["required"]["measurements"]),
        ),
        notes=tuple(raw.get("notes", ())),
    )


def _table(raw: Mapping[str, Any], key: Callable[[str], K], value: Callable[[Mapping[str, Any]], V]) -> dict[K, V]:
    return {key(name): value(one) for name, one in raw.items()}


def _span(raw: Mapping[str, Any]) -> Span:
    return Span(smallest=raw["smallest"], largest=raw["largest"], cited=_cited(raw))


def _listing(raw: Mapping[str, Any]) -> Listing:
    return Listing(values=tuple(raw["values"]), cited=_cited(raw))


def _cited(raw: Mapping[str, Any]) -> tuple[Citation, ...]:
    return tuple(_citation(one["kind"], one["source"], one.get("note", "")) for one in raw["cited"])


@cache
def _citation(kind: str, source: str, note: str) -> Citation:
    """Make a citation once: a fifth of them is different."""
    return Citation(kind=CitationKind(kind), source=source, note=note)
