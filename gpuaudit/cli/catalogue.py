"""`gpuaudit catalogue`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from pydantic import TypeAdapter

from gpuaudit.appraisal.amount import Unit, show_band
from gpuaudit.catalogue.compiled import load_catalogue
from gpuaudit.catalogue.identify import Identification, Observation, identify, identify_name
from gpuaudit.catalogue.model import Catalogue, Citation, FormFactor, Product, Quantity, Span
from gpuaudit.cli import console
from gpuaudit.cli.commands import command_app
from gpuaudit.cli.format import Format, as_json, as_table
from gpuaudit.cli.options import FormatOption, KeyringOption
from gpuaudit.envelope import is_unsigned, load_keyring, open_evidence, read_bounded, read_unsigned
from gpuaudit.envelope.keystore import own_keys
from gpuaudit.errors import AuthenticityError, UsageError
from gpuaudit.evidence.bundle import EvidenceBundle, Origin
from gpuaudit.report.words import HEADS

app = command_app(help="Show what is known of each product, and what a device can be.")

_HEADER: Final = ("product", "counts as", "kind", "form", "GB", "title")
_A_NAME: Final = "name"
_UNITS: Final = (
    ("_bytes_per_second", Unit.BYTES_PER_SECOND),
    ("_bytes", Unit.BYTES),
    ("_milliwatts", Unit.MILLIWATTS),
    ("_megahertz", Unit.MEGAHERTZ),
    ("_bits", Unit.BITS),
)


@app.command("list")
def list_(format_: FormatOption = Format.TEXT) -> None:
    """List all products, slices (MIG) and shares (vGPU) of cards included.

    What counts as nothing satisfies no claim.

    Example: gpuaudit catalogue list

    Exit status: 0 done.
    """
    catalogue = load_catalogue()
    if format_ is Format.JSON:
        console.result(
            as_json({"version": catalogue.version, "products": [_as_plain_row(product) for product in catalogue.products]})
        )
    else:
        console.result(as_table(_HEADER, [_row(product) for product in catalogue.products]))


@app.command()
def show(
    product: Annotated[
        str, typer.Argument(metavar="PRODUCT", help="A product's id, from `catalogue list`.", show_default=False)
    ],
    format_: FormatOption = Format.TEXT,
) -> None:
    """Show everything known of PRODUCT, each value with its sources.

    A value marked unverified is shown and excludes nothing.

    Example: gpuaudit catalogue show a800-sxm4-80gb

    Exit status: 0 done, 2 no such product.
    """
    catalogue = load_catalogue()
    found = _product(product, catalogue)
    if format_ is Format.JSON:
        plain: Any = TypeAdapter(Product).dump_python(found, mode="json")
        console.result(as_json({"version": catalogue.version, "product": plain}))
    else:
        console.result("\n".join(_as_text(found, catalogue)))


@app.command("identify")
def identify_(
    evidence: Annotated[
        Path | None,
        typer.Argument(metavar="[EVIDENCE]", help="Sealed evidence, or what `import` wrote.", show_default=False),
    ] = None,
    name: Annotated[str, typer.Option(metavar="NAME", help="No evidence, but a device's name alone.", show_default=False)] = "",
    keyring: KeyringOption = None,
    format_: FormatOption = Format.TEXT,
) -> None:
    """Say which products each device of EVIDENCE can be, by its own words.

    For a look, not for a verdict: nothing is measured, and a device that lies
    about all of it is believed.

    Example: gpuaudit catalogue identify evidence.json

    Exit status: 0 done, 2 wrong usage, 3 the evidence is not authentic.
    """
    catalogue = load_catalogue()
    if (evidence is None) == (not name):
        raise UsageError("catalogue identify: expected either EVIDENCE or --name")
    if evidence is None:
        origin, found = _A_NAME, [identify_name(name, catalogue)]
    else:
        bundle = _open(evidence, keyring or [])
        origin, found = bundle.origin.value, [identify(device, catalogue) for device in bundle.nvml.devices]
    if format_ is Format.JSON:
        devices = [_as_plain(one) for one in found]
        console.result(as_json({"origin": origin, "catalogueVersion": catalogue.version, "devices": devices}))
    else:
        head = [HEADS[Origin(origin)]] if origin in {Origin.SIMULATED, Origin.CAPTURE} else []
        lines = [line for index, one in enumerate(found) for line in _identified(index, one, catalogue)]
        console.result("\n".join([*head, *(lines or ["no device in this evidence"])]))


def _open(evidence: Path, keyring: list[Path]) -> EvidenceBundle:
    data = read_bounded(evidence, refusal=AuthenticityError)
    if is_unsigned(data):
        return read_unsigned(data, place=str(evidence))
    return open_evidence(data, load_keyring(own_keys(), keyring), place=str(evidence)).bundle


def _product(product_id: str, catalogue: Catalogue) -> Product:
    try:
        return catalogue.product(product_id)
    except KeyError:
        raise UsageError(f"catalogue show: no product {product_id!r}; see gpuaudit catalogue list") from None


def _row(product: Product) -> tuple[str, ...]:
    # In words, which a narrow terminal may break.
    kind = product.kind.value.replace("-", " ")
    form = "" if product.form_factor is FormFactor.UNSTATED else product.form_factor.value
    gigabytes = "/".join(str(size) for size in product.marketed_gigabytes)
    return product.id, ", ".join(product.counts_as) or "nothing", kind, form, gigabytes, product.title


def _as_plain_row(product: Product) -> dict[str, Any]:
    return {
        "id": product.id,
        "title": product.title,
        "kind": product.kind.value,
        "countsAs": list(product.counts_as),
        "formFactor": product.form_factor.value,
        "marketedGigabytes": list(product.marketed_gigabytes),
    }


def _as_text(product: Product, catalogue: Catalogue) -> Iterator[str]:
    yield f"{product.title} ({product.id}), {product.kind.value}"
    yield f"counts as: {', '.join(product.counts_as) or 'nothing'}; catalogue {catalogue.version}"
    yield from (f"note: {note}" for note in product.notes)
    if product.required.readings:
        yield f"must be known: {', '.join(product.required.readings)}"
        yield f"must be measured: {', '.join(product.required.measurements)}"
    for attribute, listing in product.listings.items():
        yield f"\n{attribute.value.replace('_', ' ')}: {', '.join(listing.values)}{_doubt(verified=listing.verified)}"
        yield from _sources(listing.cited)
    for quantity, span in product.spans.items():
        yield f"\n{_label(quantity)}: {_range(span, _unit(quantity))}{_doubt(verified=span.verified)}"
        yield from _sources(span.cited)
    for dtype, span in product.rates.items():
        yield f"\n{dtype.value} dense peak: {_range(span, Unit.FLOP_PER_SECOND)}{_doubt(verified=span.verified)}"
        yield from _sources(span.cited)


def _sources(cited: tuple[Citation, ...]) -> Iterator[str]:
    for citation in cited:
        yield f"  {citation.kind.value}: {citation.source}{f' ({citation.note})' if citation.note else ''}"


def _doubt(*, verified: bool) -> str:
    return "" if verified else " (unverified: excludes nothing)"


def _unit(quantity: Quantity) -> Unit:
    return next((unit for suffix, unit in _UNITS if quantity.value.endswith(suffix)), Unit.COUNT)


def _label(quantity: Quantity) -> str:
    label = quantity.value
    for suffix, _ in _UNITS:
        label = label.removesuffix(suffix)
    return label.replace("_", " ")


def _range(span: Span, unit: Unit) -> str:
    return show_band(span.smallest, span.largest, unit)


def _identified(index: int, found: Identification, catalogue: Catalogue) -> Iterator[str]:
    titles = {product.id: product.title for product in catalogue.products}
    who = ", ".join(f"{titles[product]} ({product})" for product in found.named)
    yield f"device {index}: {found.recognition.value}{f': {who}' if who else ''}"
    for observation in found.observations:
        yield f"  {observation.reading}: {observation.seen}: {_said(observation)}"
    rest = [product for product in found.candidates if product not in found.named]
    if rest and found.observations:
        yield f"  not excluded, for want of data: {', '.join(rest)}"


def _said(observation: Observation) -> str:
    if not observation.listed:
        return "not in the catalogue"
    return f"fits {len(observation.fits)}, excludes {len(observation.excluded)}"


def _as_plain(found: Identification) -> dict[str, Any]:
    return {
        "recognition": found.recognition.value,
        "named": list(found.named),
        "candidates": list(found.candidates),
        "observations": [
            {
                "reading": one.reading,
                "seen": one.seen,
                "listed": one.listed,
                "fits": sorted(one.fits),
                "excluded": sorted(one.excluded),
            }
            for one in found.observations
        ],
    }
