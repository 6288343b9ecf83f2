"""Tenders from files: the ones that come with gpuaudit, by slug, and anybody's, by path."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Final

from gpuaudit.catalogue.compiled import load_catalogue
from gpuaudit.envelope.intake import read_bounded
from gpuaudit.errors import MalformedFileError, UsageError
from gpuaudit.evidence.toml_file import MAX_TOML_BYTES, Fault, load_toml
from gpuaudit.tender.expectation import products_of
from gpuaudit.tender.model import HardwareLine, Tender, Unsaid

_PACKAGE: Final = "gpuaudit.tender"
_FOLDER: Final = "data"
_SUFFIX: Final = ".toml"
_SLUG: Final = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_PARTIAL_DATE: Final = re.compile(r"(?:\d{4}(?:-(?:0[1-9]|1[0-2])(?:-(?:0[1-9]|[12]\d|3[01]))?)?)?")
_CURRENCY: Final = re.compile(r"[A-Z]{3}")


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedTender:
    """A tender with the SHA-256, in hexadecimal, of the very bytes that it was read from, and where they came from."""

    tender: Tender
    sha256: str
    place: str


def known_tenders() -> tuple[str, ...]:
    """Return the slugs of the tenders that come with gpuaudit, in alphabetical order."""
    folder = resources.files(_PACKAGE).joinpath(_FOLDER)
    return tuple(sorted(file.name.removesuffix(_SUFFIX) for file in folder.iterdir() if file.name.endswith(_SUFFIX)))


def load_tender(reference: str | Path) -> LoadedTender:
    """Read a tender.

    Args:
        reference: The slug of one that comes with gpuaudit, or the path of a file. A slug is tried first, so a file of that name in
            the working folder cannot take its place; write `./NAME` for the file.

    Raises:
        UsageError: It is neither.
        MalformedFileError: The file breaks the format; all faults at once, each with its line.
        MachineError: The file is there and cannot be read.
    """
    known = known_tenders()
    if str(reference) in known:
        place = f"{reference}{_SUFFIX}"
        return parse_tender(resources.files(_PACKAGE).joinpath(_FOLDER, place).read_bytes(), place=place)
    path = Path(reference)
    if not path.exists():
        raise UsageError(
            f"tender: no tender and no file is called {str(reference)!r}; expected a path, or one of {', '.join(known)}"
        )
    return parse_tender(read_bounded(path, refusal=MalformedFileError, limit=MAX_TOML_BYTES), place=str(path))


def parse_tender(data: bytes, *, place: str) -> LoadedTender:
    """Read a tender from TOML. A product that the catalogue does not know is a fault: no machine could satisfy it.

    Args:
        data: The whole file.
        place: Where it came from, for messages.

    Raises:
        MalformedFileError: It breaks the format; all faults at once, each with its line.
    """
    tender = load_toml(Tender, data, place=place, check=_faults)
    return LoadedTender(tender=tender, sha256=hashlib.sha256(data).hexdigest(), place=place)


def _faults(tender: Tender) -> Iterator[Fault]:
    if not _SLUG.fullmatch(tender.slug):
        yield Fault(path=("slug",), message=f"expected lower-case words joined by hyphens, got {tender.slug!a}")
    for index, document in enumerate(tender.documents):
        yield from _date_faults(document.date, ("documents", index, "date"))
    for index, money in enumerate(tender.money):
        if not _CURRENCY.fullmatch(money.currency):
            yield Fault(path=("money", index, "currency"), message=f"expected a code such as CNY, got {money.currency!a}")
    counts = Counter(line.id for line in tender.lines)
    for index, line in enumerate(tender.lines):
        if counts[line.id] > 1 or not line.id:
            yield Fault(path=("lines", index, "id"), message=f"expected an id of its own, got {line.id!a}")
        if isinstance(line, HardwareLine):
            yield from _hardware_faults(line, index)


def _hardware_faults(line: HardwareLine, index: int) -> Iterator[Fault]:
    path = ("lines", index)
    if all(isinstance(count, Unsaid) for count in (line.per_server, line.servers, line.total)):
        yield Fault(path=path, message="expected a number in per_server, servers or total; all three are unsaid")
    try:
        products_of(line.product, load_catalogue())
    except UsageError as error:
        yield Fault(path=(*path, "product", "named"), message=str(error))
    yield from _date_faults(line.period.start, (*path, "period", "start"))
    yield from _date_faults(line.period.end, (*path, "period", "end"))


def _date_faults(date: str, path: tuple[str | int, ...]) -> Iterator[Fault]:
    if not _PARTIAL_DATE.fullmatch(date):
        yield Fault(path=path, message=f"expected a date such as 2024, 2024-04 or 2024-04-30, got {date!a}")
