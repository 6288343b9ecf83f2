"""What a product can do, as far as a challenge asks: from the catalogue, for the claimed product and for its rivals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias

from gpuaudit.catalogue.model import FormFactor, NoData, Product, ProductKind, Quantity, Span
from gpuaudit.challenge.assumption import Assumptions
from gpuaudit.errors import UsageError
from gpuaudit.evidence.measurement import Dtype

_FLOATING: Final = (Dtype.BF16, Dtype.FP16, Dtype.TF32)
_OVERCLOCKED: Final = frozenset(
    {ProductKind.CONSUMER, ProductKind.CONSUMER_MODIFIED, ProductKind.WORKSTATION, ProductKind.MINING}
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """One product's figures. Rates are per second; a multiply-add counts two operations.

    `memory_bytes` is the most that CUDA gives of it, `physical_bytes` the most that it holds. `operations` is what it is sold with,
    `ceiling` the most that any way to the same bytes gives. `link` is the fastest way into its memory from the host, `peer_link` the
    fastest from anywhere, another card included.
    """

    product: str
    title: str
    memory_bytes: int
    physical_bytes: int
    operations: float
    expected_operations: float
    ceiling: float
    bandwidth: float
    link: float
    peer_link: float


@dataclass(frozen=True, slots=True, kw_only=True)
class NoFigures:
    """The catalogue lacks a figure that a challenge needs."""

    product: str
    title: str
    lacking: str


Figured: TypeAlias = Figures | NoFigures


def figures_of(product: Product, assumptions: Assumptions) -> Figured:
    """Collect the figures of a product, or say which is lacking."""
    memory = _largest(product, Quantity.MEMORY_TOTAL_BYTES)
    bandwidth = _largest(product, Quantity.MEMORY_BANDWIDTH_BYTES_PER_SECOND)
    rates = {dtype: rate for dtype in Dtype if isinstance(rate := product.rate(dtype), Span)}
    lacking = [
        *(["memory"] if not memory else []),
        *(["memory bandwidth"] if not bandwidth else []),
        *(["a rate of exact 8-bit products"] if not rates.keys() & {Dtype.INT8, *_FLOATING} else []),
    ]
    if lacking:
        return NoFigures(product=product.id, title=product.title, lacking=", ".join(lacking))
    link = _link(product, assumptions)
    operations = max(rates[dtype].smallest for dtype in (Dtype.INT8, *_FLOATING) if dtype in rates)
    return Figures(
        product=product.id,
        title=product.title,
        memory_bytes=int(_largest(product, Quantity.CUDA_MEMORY_TOTAL_BYTES) or memory),
        physical_bytes=int(memory),
        operations=operations,
        expected_operations=operations * assumptions.expected_share(product.family),
        ceiling=_ceiling(product, rates, assumptions),
        bandwidth=bandwidth,
        link=link,
        peer_link=max(link, _largest(product, Quantity.NVLINK_BIDIRECTIONAL_BYTES_PER_SECOND) / 2),
    )


def host_figures(assumptions: Assumptions, *, operations: float, memory_bytes: int) -> Figures:
    """Return the figures of this machine's processor, whose bare product was timed; nothing is claimed of it."""
    host = assumptions.host
    return Figures(
        product="host",
        title="this machine's processor",
        memory_bytes=memory_bytes,
        physical_bytes=memory_bytes,
        operations=operations,
        expected_operations=operations,
        ceiling=operations * host.ceiling_factor,
        bandwidth=host.lookup_bytes_per_second / assumptions.walk.bandwidth_share,
        link=assumptions.links.other_machine,
        peer_link=assumptions.links.other_machine,
    )


def require_figures(product: Product, assumptions: Assumptions) -> Figures:
    """Return the figures of a claimed product.

    Raises:
        UsageError: The catalogue lacks one.
    """
    figures = figures_of(product, assumptions)
    if isinstance(figures, NoFigures):
        raise UsageError(f"{product.id}: no challenge can be sized: the catalogue has no {figures.lacking}")
    return figures


def _largest(product: Product, quantity: Quantity) -> float:
    """Return the largest genuine value, 0 where the catalogue has none."""
    span = product.span(quantity)
    return 0.0 if isinstance(span, NoData) else span.largest


def _link(product: Product, assumptions: Assumptions) -> float:
    links = assumptions.links
    if product.form_factor is FormFactor.SUPERCHIP:
        return links.superchip
    generation = int(_largest(product, Quantity.PCIE_GENERATION)) or links.default_generation
    return links.per_lane[str(generation)] * (_largest(product, Quantity.PCIE_WIDTH) or 16)


def _ceiling(product: Product, rates: dict[Dtype, Span], assumptions: Assumptions) -> float:
    """Take the fastest exact path at the highest clock, with a margin for what was not foreseen."""
    floating = max((rates[dtype].largest for dtype in _FLOATING if dtype in rates), default=0.0)
    integer = rates[Dtype.INT8].largest if Dtype.INT8 in rates else 0.0
    highest, boost = _largest(product, Quantity.SM_CLOCK_MAX_MEGAHERTZ), product.span(Quantity.SM_CLOCK_BOOST_MEGAHERTZ)
    overclock = highest / boost.smallest if highest and isinstance(boost, Span) else 1.0
    ceiling = assumptions.ceiling
    margin = ceiling.overclocked_margin if product.kind in _OVERCLOCKED else ceiling.margin
    return max(integer, floating * ceiling.float_factor) * max(1.0, overclock) * margin
