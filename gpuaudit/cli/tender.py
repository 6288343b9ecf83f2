"""`gpuaudit tender`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Annotated, Any, Final

import typer
from pydantic import TypeAdapter

from gpuaudit.catalogue.compiled import load_catalogue
from gpuaudit.cli import console
from gpuaudit.cli.commands import command_app
from gpuaudit.cli.format import Format, as_json, as_table
from gpuaudit.cli.options import FormatOption
from gpuaudit.tender.expectation import ImpliedPrice, NotDerivable, implied_price, implied_prices, products_of
from gpuaudit.tender.model import ClaimLine, HardwareLine, Tender
from gpuaudit.tender.parse import LoadedTender, known_tenders, load_tender
from gpuaudit.tender.wording import claim_in_words, money_in_words

app = command_app(help="List, show and check tenders: the claims that evidence is appraised against.")

TenderArgument = Annotated[
    str, typer.Argument(metavar="TENDER", help="A slug (see `tender list`) or a TOML file.", show_default=False)
]

_HEADER: Final = ("tender", "status", "cloud", "claims")
_LABEL: Final = 12
_CAMEL: Final = {"dollars_per_gpu_hour": "dollarsPerGpuHour", "dollars": "dollars", "gpu_hours": "gpuHours"}


@app.command("list")
def list_(format_: FormatOption = Format.TEXT) -> None:
    """List the tenders that come with gpuaudit.

    Example: gpuaudit tender list

    Exit status: 0 done.
    """
    tenders = [load_tender(slug).tender for slug in known_tenders()]
    if format_ is Format.JSON:
        console.result(as_json([{**dict(zip(_HEADER, _row(one), strict=True)), "title": one.title} for one in tenders]))
    else:
        console.result(as_table(_HEADER, [_row(one) for one in tenders]))


@app.command()
def show(tender: TenderArgument, format_: FormatOption = Format.TEXT) -> None:
    """Show TENDER: who claims what, where it is written, and what it implies.

    For each line on hardware: the products that would satisfy it, and the price
    per GPU and hour, or why it cannot be worked out.

    Example: gpuaudit tender show ustc-suzhou-2024

    Exit status: 0 done, 2 no such tender, or its file is at fault.
    """
    loaded = load_tender(tender)
    console.result(as_json(_as_plain(loaded)) if format_ is Format.JSON else "\n".join(_as_text(loaded)))


@app.command()
def check(tender: TenderArgument) -> None:
    """Check that TENDER can be appraised; name every fault with its line.

    Example: gpuaudit tender check sustech-2024

    Exit status: 0 it can, 2 it cannot.
    """
    loaded = load_tender(tender)
    claims = "; ".join(_claim(line) for line in loaded.tender.lines)
    console.result(f"{loaded.place}: can be appraised: {claims}; sha256:{loaded.sha256}")


def _row(tender: Tender) -> tuple[str, ...]:
    claims = "; ".join(_claim(line) for line in tender.lines)
    return tender.slug, tender.status.value, tender.cloud or "not named", claims


def _claim(line: ClaimLine) -> str:
    return claim_in_words(line) if isinstance(line, HardwareLine) else f"{line.kind.replace('-', ' ')} (out of scope)"


def _as_text(loaded: LoadedTender) -> Iterator[str]:
    tender = loaded.tender
    yield tender.title
    yield tender.summary
    yield ""
    yield from _labelled("buyer", tender.buyer)
    yield from _labelled("status", ". ".join(part for part in (tender.status.value, tender.status_note) if part))
    yield from _labelled("cloud", tender.cloud or "not named")
    for document in tender.documents:
        year = " (year worked out)" if document.year_inferred else ""
        yield from _labelled("document", f"{document.date or 'not dated'}{year}: {document.what}")
    for supplier in tender.suppliers:
        yield from _labelled("supplier", f"{supplier.name} ({supplier.role})")
    for money in tender.money:
        yield from _labelled("money", f"{money_in_words(money)}, rate: {money.rate_source}")
    for reply in tender.replies:
        yield from _labelled("reply", reply)
    yield from _labelled("source", tender.source)
    yield from _labelled("file", f"{loaded.place} sha256:{loaded.sha256}")
    for line in tender.lines:
        yield ""
        yield from _line_as_text(tender, line)


def _line_as_text(tender: Tender, line: ClaimLine) -> Iterator[str]:
    yield from _labelled(f"line {line.id}", line.text)
    yield from _labelled("", _claim(line))
    if isinstance(line, HardwareLine):
        if line.our_reading:
            yield from _labelled("our reading", line.our_reading)
        yield from _labelled("products", ", ".join(products_of(line.product, load_catalogue())))
        yield from _labelled("price", _price_in_words(implied_price(tender, line)))


def _labelled(label: str, text: str) -> Iterator[str]:
    yield f"{label.ljust(_LABEL)} {text}"


def _price_in_words(price: ImpliedPrice) -> str:
    if isinstance(price, NotDerivable):
        return f"not derivable: {price.reason}"
    return f"${price.dollars_per_gpu_hour:.2f} per GPU and hour (${price.dollars:,.0f} for {price.gpu_hours:,.0f} GPU-hours)"


def _as_plain(loaded: LoadedTender) -> dict[str, Any]:
    tender = loaded.tender
    lines = [line for line in tender.lines if isinstance(line, HardwareLine)]
    return {
        "tender": TypeAdapter(Tender).dump_python(tender, mode="json"),
        "products": {line.id: list(products_of(line.product, load_catalogue())) for line in lines},
        "pricePerGpuHour": {line_id: _price_as_plain(price) for line_id, price in implied_prices(tender).items()},
        "place": loaded.place,
        "sha256": loaded.sha256,
    }


def _price_as_plain(price: ImpliedPrice) -> dict[str, Any]:
    if isinstance(price, NotDerivable):
        return {"derivable": False, "reason": price.reason}
    return {"derivable": True, **{_CAMEL[key]: value for key, value in asdict(price).items()}}
