"""Rules on how a card works: its cache, its way to the host, what it does per clock. They advise; none is required of a product."""

from __future__ import annotations

from gpuaudit.appraisal.amount import Unit
from gpuaudit.appraisal.result import Basis, Effect
from gpuaudit.appraisal.rule import Band, Expected, rule
from gpuaudit.appraisal.threshold import Thresholds
from gpuaudit.catalogue.model import FormFactor, NoData, Product, Quantity, Span
from gpuaudit.evidence.measurement import Dtype

_INFINITE = float("inf")
_MEGA = 1e6


@rule("l2-knee", basis=Basis.MEASURED, effect=Effect.THROUGHPUT, reads="l2-knee", unit=Unit.BYTES)
def copies_are_faster_up_to_the_size_of_the_products_cache(product: Product, thresholds: Thresholds) -> Expected:
    """Copies over small working sets run faster than those over memory, up to about the size of the product's L2.

    Looks at: copies over 16, 32, 64 and 128 MiB beside the copy over 4 GiB: the largest set that is still faster by a quarter.
    Catches: a chip with another cache: an RTX 4090 (72 MB) or an L40S (96 MB) called A100 (40 MB), a T4 (4 MB), a slice with its
    share of the cache.
    Does not catch: A100 against A800, H100 against H800, which are equal; differences of less than a factor of two (CMP 170HX, 32 MB).
    Numbers from: L2 sizes in the catalogue; the band around them in thresholds.toml.
    Checked on: simulated cards only. No public record of such a curve was found, hence advisory.
    """
    span = product.span(Quantity.L2_BYTES)
    if isinstance(span, NoData):
        return span
    knee = thresholds.knee
    low = span.smallest * knee.low
    # A cache smaller than the smallest set that is tried need not show at all.
    return Band(low=low if span.smallest >= 2 * knee.smallest_bytes else 0.0, high=span.largest * knee.high)


@rule("host-link-ceiling", basis=Basis.MEASURED, effect=Effect.THROUGHPUT, reads="host-to-device", unit=Unit.BYTES_PER_SECOND)
def host_link_is_no_faster_than_the_products(product: Product, thresholds: Thresholds) -> Expected:
    """Copying from the host is no faster than the product's PCI Express generation and width can carry.

    Looks at: pinned copies of 256 MiB from host to device, all cards at work at once.
    Catches: a newer card called an older one: generation 5 (48 GB/s and more) on an A100 (31.5 GB/s at most).
    Does not catch: a slower link. Superchips, which have another way to their host, are not compared.
    Numbers from: generation and width in the catalogue; transfer rate x 128/130 and a margin in thresholds.toml.
    Checked on: Azure's pass thresholds for A100 (21 GB/s) and H100 (48 GB/s).
    """
    wire = _wire(product, thresholds)
    return wire if isinstance(wire, NoData) else Band(low=0.0, high=wire * thresholds.ceiling("host-to-device", product))


@rule("host-link-floor", basis=Basis.MEASURED, effect=Effect.SHORTFALL, reads="host-to-device", unit=Unit.BYTES_PER_SECOND)
def host_link_reaches_a_tenth_of_the_products(product: Product, thresholds: Thresholds) -> Expected:
    """Copying from the host reaches at least a tenth of what the product's PCI Express generation and width can carry.

    Looks at: pinned copies of 256 MiB from host to device, all cards at work at once.
    Catches: an unlocked CMP 170HX, whose link of generation 1 with four lanes carries 1 GB/s, called A100.
    Does not catch: cards in narrower slots or behind one switch: hence the low floor. It excludes nothing.
    Numbers from: generation and width in the catalogue; the share and its reasons in thresholds.toml.
    Checked on: Azure's pass thresholds for A100 (21 GB/s) and H100 (48 GB/s).
    """
    wire = _wire(product, thresholds)
    return wire if isinstance(wire, NoData) else Band(low=wire * thresholds.floor("host-to-device", product), high=_INFINITE)


@rule(
    "bf16-per-clock-ceiling",
    basis=Basis.MEASURED,
    effect=Effect.THROUGHPUT,
    reads="bf16-per-core-clock",
    unit=Unit.COUNT,
)
def work_per_clock_is_not_above_what_the_chip_does(product: Product, thresholds: Thresholds) -> Expected:
    """Per CUDA core and clock, a card does no more bf16 operations than the product's chip has units for.

    Looks at: the bf16 rate by the core count and by the median SM clock that NVML gave during that very run.
    Catches: another chip with forged core count or clock: more is done per clock than the claimed chip can do.
    Does not catch: who forges core count, clock and name to fit. Clock and core count are the machine's word.
    Numbers from: dense bf16 peak, core count and boost clock in the catalogue, times the margin of the bf16 ceiling.
    Checked on: datasheets, where A100 and H100 come to 32, Ada and GA102 to 4 to 8 operations per core and clock.
    """
    peak = _per_core_clock(product)
    if isinstance(peak, NoData):
        return peak
    return Band(low=-_INFINITE, high=peak.high * thresholds.ceiling("gemm", product))


@rule("bf16-per-clock-floor", basis=Basis.MEASURED, effect=Effect.SHORTFALL, reads="bf16-per-core-clock", unit=Unit.COUNT)
def work_per_clock_is_what_the_chip_does(product: Product, thresholds: Thresholds) -> Expected:
    """Per CUDA core and clock, a card does as many bf16 operations as genuine cards of the product, however slow its clock is.

    Looks at: the bf16 rate by the core count and by the median SM clock that NVML gave during that very run.
    Catches: a weaker chip under the product's name. A genuine card that is hot or capped runs slower and does the same per clock: if
    the bf16 floor is missed and this is reached, the clock is the reason.
    Does not catch: a card shared with somebody else, which does less per clock too. It excludes nothing.
    Numbers from: dense bf16 peak, core count and boost clock in the catalogue, times the share of the bf16 floor.
    Checked on: datasheets and the lowest records of each family.
    """
    peak = _per_core_clock(product)
    if isinstance(peak, NoData):
        return peak
    return Band(low=peak.low * thresholds.floor("gemm-bf16", product), high=_INFINITE)


def _wire(product: Product, thresholds: Thresholds) -> float | NoData:
    """Return bytes per second one way at the product's highest generation and width."""
    generation, width = product.span(Quantity.PCIE_GENERATION), product.span(Quantity.PCIE_WIDTH)
    if isinstance(generation, NoData) or isinstance(width, NoData) or product.form_factor is FormFactor.SUPERCHIP:
        return NoData()
    both_ways = thresholds.peers.pcie_bytes_per_second_per_lane.get(f"{generation.largest:.0f}")
    return NoData() if both_ways is None else both_ways / 2 * width.largest


def _per_core_clock(product: Product) -> Band | NoData:
    rate, cores = product.rate(Dtype.BF16), product.span(Quantity.GPU_CORE_COUNT)
    boost = product.span(Quantity.SM_CLOCK_BOOST_MEGAHERTZ)
    if not (isinstance(rate, Span) and isinstance(cores, Span) and isinstance(boost, Span)):
        return NoData()
    return Band(
        low=rate.smallest / (cores.largest * boost.largest * _MEGA),
        high=rate.largest / (cores.smallest * boost.smallest * _MEGA),
    )
