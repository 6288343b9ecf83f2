"""What is challenged: which product is claimed, on how many slots, by which tender."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from gpuaudit.catalogue.model import Catalogue
from gpuaudit.challenge.assumption import Assumptions
from gpuaudit.challenge.domain import DIGEST_BYTES
from gpuaudit.challenge.figures import Figures, figures_of, require_figures
from gpuaudit.errors import UsageError
from gpuaudit.tender.expectation import products_of
from gpuaudit.tender.model import AtLeast, Count, Exactly, HardwareLine, MoreThan, Unsaid
from gpuaudit.tender.parse import LoadedTender

NO_TENDER: Final = "0" * 2 * DIGEST_BYTES
ALL_SLOTS: Final = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The product by which a challenge is sized, all products that would satisfy the claim, and how many slots (0: all)."""

    figures: Figures
    claimed: frozenset[str]
    slots: int
    tender_sha256: str


def target_of_product(product: str, slots: int, catalogue: Catalogue, assumptions: Assumptions) -> Target:
    """Challenge for one product by its id, whoever claims it.

    Raises:
        UsageError: The catalogue does not know it, or not enough of it.
    """
    try:
        known = catalogue.product(product)
    except KeyError:
        raise UsageError(
            f"--product: got {product!r}, expected an id such as a100-sxm4-80gb; see gpuaudit catalogue list"
        ) from None
    figures = require_figures(known, assumptions)
    return Target(figures=figures, claimed=frozenset({product}), slots=slots, tender_sha256=NO_TENDER)


def target_of_tender(loaded: LoadedTender, product: str, slots: int, catalogue: Catalogue, assumptions: Assumptions) -> Target:
    """Challenge for the first hardware line of a tender.

    Where several products would satisfy the line, the one with the least memory sizes the challenge, for any of them can answer it;
    `product` chooses another of them. `slots` overrides what the line says of a server.

    Raises:
        UsageError: No line is about hardware, or `product` would not satisfy it.
    """
    lines = [line for line in loaded.tender.lines if isinstance(line, HardwareLine)]
    if not lines:
        raise UsageError(f"{loaded.place}: nothing in it is about hardware: there is nothing to challenge")
    claimed = products_of(lines[0].product, catalogue)
    if product and product not in claimed:
        raise UsageError(
            f"--product: {product!r} would not satisfy {lines[0].product.named}; expected one of {', '.join(claimed)}"
        )
    return Target(
        figures=_sizing_figures(claimed, product, catalogue, assumptions),
        claimed=frozenset(claimed),
        slots=slots or _per_server(lines[0].per_server),
        tender_sha256=loaded.sha256,
    )


def _sizing_figures(claimed: tuple[str, ...], product: str, catalogue: Catalogue, assumptions: Assumptions) -> Figures:
    if product:
        return require_figures(catalogue.product(product), assumptions)
    known = [figures for one in claimed if isinstance(figures := figures_of(catalogue.product(one), assumptions), Figures)]
    if not known:
        raise UsageError(f"{', '.join(claimed)}: no challenge can be sized: the catalogue lacks memory, bandwidth or rates")
    return min(known, key=lambda figures: figures.memory_bytes)


def _per_server(count: Count) -> int:
    match count:
        case Exactly(n=n) | AtLeast(n=n):
            return n
        case MoreThan(n=n):
            return n + 1
        case Unsaid():
            return ALL_SLOTS
