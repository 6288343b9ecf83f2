"""Rules on what was measured. A rate above a ceiling excludes a product; a rate below a floor never does.

A genuine card may be capped, hot or shared: falling short withholds a confirmation ("under-delivering") and names nobody else.
"""

from __future__ import annotations

from gpuaudit.appraisal.amount import Unit
from gpuaudit.appraisal.result import Basis, Effect
from gpuaudit.appraisal.rule import Band, Expected, RatioFloor, rule
from gpuaudit.appraisal.threshold import Thresholds
from gpuaudit.catalogue.model import NoData, Product, Quantity, Span
from gpuaudit.evidence.measurement import Dtype

_INFINITE = float("inf")


@rule("bf16-ceiling", basis=Basis.MEASURED, effect=Effect.THROUGHPUT, reads="gemm-bf16", unit=Unit.FLOP_PER_SECOND)
def bf16_rate_is_not_above_what_the_product_can_do(product: Product, thresholds: Thresholds) -> Expected:
    """The bf16 matrix rate is one that the product can reach.

    Looks at: the median rate of one 8192 x 8192 x 8192 product in bf16, random data, all cards at work at once.
    Catches: a faster card under a slower one's name; and it sheds slower rivals from a faster claim.
    Does not catch: a slower card: that is what the floor is for. Ceilings of bf16 and fp16 count alike, as the same units do both.
    Numbers from: dense peaks in the catalogue, times the highest against the boost clock, times the margin in thresholds.toml.
    Checked on: the 283 measured records behind the catalogue, of which none lies above its own product's ceiling.
    """
    return _ceiling(product, thresholds, (Dtype.BF16, Dtype.FP16))


@rule("bf16-floor", basis=Basis.MEASURED, effect=Effect.SHORTFALL, reads="gemm-bf16", unit=Unit.FLOP_PER_SECOND)
def bf16_rate_reaches_what_the_product_delivers(product: Product, thresholds: Thresholds) -> Expected:
    """The bf16 matrix rate is one that genuine cards of the product deliver.

    Looks at: the median rate of one 8192 x 8192 x 8192 product in bf16, random data, all cards at work at once.
    Catches: a card that does not do the work, such as a T4 or a CMP 170HX called A100.
    Does not catch: why it is slow: a genuine card that is capped, hot or shared is held back too. Nor a lesser card that is as fast in
    this, such as an A800 called A100.
    Numbers from: the floor is the dense peak in the catalogue times a share in thresholds.toml; the share is the lowest that a genuine
    card of the family (all A100, say) was recorded with.
    Checked on: NVIDIA's GEMM tables (aiconfigurator), ml-engineering, gpu-fryer, mag-/gpu_benchmark.
    """
    return _floor(product, thresholds, Dtype.BF16, "gemm-bf16")


@rule("fp16-ceiling", basis=Basis.MEASURED, effect=Effect.THROUGHPUT, reads="gemm-fp16", unit=Unit.FLOP_PER_SECOND)
def fp16_rate_is_not_above_what_the_product_can_do(product: Product, thresholds: Thresholds) -> Expected:
    """The fp16 matrix rate is one that the product can reach.

    Looks at: the median rate of one 8192 x 8192 x 8192 product in fp16, random data, all cards at work at once.
    Catches: as the bf16 ceiling, for cards without bf16 units (V100, T4).
    Does not catch: a slower card.
    Numbers from: dense peaks in the catalogue, times the highest against the boost clock, times the margin in thresholds.toml.
    Checked on: the measured records behind the catalogue.
    """
    return _ceiling(product, thresholds, (Dtype.FP16, Dtype.BF16))


@rule("fp16-floor", basis=Basis.MEASURED, effect=Effect.SHORTFALL, reads="gemm-fp16", unit=Unit.FLOP_PER_SECOND)
def fp16_rate_reaches_what_the_product_delivers(product: Product, thresholds: Thresholds) -> Expected:
    """The fp16 matrix rate is one that genuine cards of the product deliver.

    Looks at: the median rate of one 8192 x 8192 x 8192 product in fp16, random data, all cards at work at once.
    Catches: as the bf16 floor, for cards without bf16 units (V100, T4).
    Does not catch: why a card is slow. It excludes nothing.
    Numbers from: dense peaks in the catalogue, times the share in thresholds.toml.
    Checked on: V100 records of mag-/gpu_benchmark.
    """
    return _floor(product, thresholds, Dtype.FP16, "gemm-fp16")


@rule("fp64-ceiling", basis=Basis.MEASURED, effect=Effect.THROUGHPUT, reads="gemm-fp64", unit=Unit.FLOP_PER_SECOND)
def fp64_rate_is_not_above_what_the_product_can_do(product: Product, thresholds: Thresholds) -> Expected:
    """The double-precision matrix rate is one that the product can reach.

    Looks at: the median rate of one 4096 x 4096 x 4096 product in fp64, all cards at work at once.
    Catches: it sheds every consumer card, A10, A40, L40S, H20, H800 and B300 from an A100 or H100 claim, on one card.
    Does not catch: A100 against A800, which are equal. Double precision emulated on integer units (cuBLAS 13, off unless asked for)
    is faster than these units: the worker that measures runs without the variables that turn it on.
    Numbers from: vector and tensor peaks in the catalogue, times the highest against the boost clock, times the margin in
    thresholds.toml.
    Checked on: datasheets only; no public record of a double-precision product was found.
    """
    return _ceiling(product, thresholds, (Dtype.FP64,))


@rule("fp64-floor", basis=Basis.MEASURED, effect=Effect.SHORTFALL, reads="gemm-fp64", unit=Unit.FLOP_PER_SECOND)
def fp64_rate_reaches_what_the_product_delivers(product: Product, thresholds: Thresholds) -> Expected:
    """The double-precision matrix rate is one that genuine cards of the product deliver.

    Looks at: the median rate of one 4096 x 4096 x 4096 product in fp64, all cards at work at once.
    Catches: H800, H20, B300 and consumer cards under the name of a card with full double precision.
    Does not catch: why a card is slow. It excludes nothing.
    Numbers from: the vector peak in the catalogue (the lower one), times the share in thresholds.toml.
    Checked on: NVIDIA's own pass threshold for A100 (DCGM).
    """
    return _floor(product, thresholds, Dtype.FP64, "gemm-fp64")


@rule(
    "fp64-bf16-ratio",
    basis=Basis.MEASURED,
    effect=Effect.THROUGHPUT,
    reads=("gemm-fp64", "gemm-bf16"),
    unit=Unit.RATIO,
)
def fp64_to_bf16_ratio_is_that_of_the_product(product: Product, thresholds: Thresholds) -> Expected:
    """Double precision is to bf16 no less than the product's chip has it, whatever the clock.

    Looks at: the fastest of all fp64 samples of an audit divided by the median bf16 rate of the same audit, where that bf16 rate
    reached the floor of the claimed product.
    Catches: H800 (1/989) called H100 (1/15) or A100 (1/16), B300 (1/1875) called B200 (1/61): a ratio more than eight times below
    that of the product excludes it, where the fp64 floor would only withhold. A ratio that is too high does nothing.
    Does not catch: A100 against A800, which are equal in this (pci-device-id and, in servers of five cards and more, peer-rate tell
    them apart). A clock that falls between the two measurements moves the ratio, so one that is up to eight times too low does nothing
    here; fp64-floor withholds. Where bf16 stays below the floor the card may have been shared, capped or throttled at any moment: then
    the ratio says nothing, and the floors withhold. A genuine card would be excluded only if a cap, a neighbour or a library held it to
    an eighth during every fp64 sample and left it alone during bf16. Double precision emulated on integer units would raise the ratio:
    gpuaudit measures with the settings of cuBLAS that turn it on removed, and a library that does it all the same is left to
    pci-device-id and peer-rate.
    Numbers from: dense peaks in the catalogue, vector units for fp64; the factor of eight and its reasons in thresholds.toml.
    Checked on: datasheets; the factor against a card seen throttled to a quarter of its clock.
    """
    fp64, bf16 = product.rate(Dtype.FP64), product.rate(Dtype.BF16)
    if isinstance(fp64, NoData) or isinstance(bf16, NoData):
        return NoData()
    return RatioFloor(
        low=fp64.smallest / bf16.largest / thresholds.ratio.factor,
        denominator_least=bf16.smallest * thresholds.floor("gemm-bf16", product),
    )


@rule("copy-ceiling", basis=Basis.MEASURED, effect=Effect.THROUGHPUT, reads="copy", unit=Unit.BYTES_PER_SECOND)
def copy_rate_is_not_above_what_the_memory_can_do(product: Product, thresholds: Thresholds) -> Expected:
    """Copying in the card's memory is no faster than its wires.

    Looks at: the median rate of copying buffers of 4 GiB in all, bytes read and written both counted, all
    cards at work at once.
    Catches: H200 called H100; and it sheds rivals with slower memory, such as A100-40 from A100-80, all GDDR cards from A100.
    Does not catch: a slower memory: that is what the floor is for.
    Numbers from: memory bandwidth in the catalogue, times the margin in thresholds.toml.
    Checked on: H100 3.0 and H200 4.3 TB/s (one machine each, 2026-11), RTX 6000D 1279 GB/s.
    """
    span = product.span(Quantity.MEMORY_BANDWIDTH_BYTES_PER_SECOND)
    if isinstance(span, NoData):
        return span
    return Band(low=-_INFINITE, high=span.largest * thresholds.ceiling("copy", product))


@rule("copy-floor", basis=Basis.MEASURED, effect=Effect.SHORTFALL, reads="copy", unit=Unit.BYTES_PER_SECOND)
def copy_rate_reaches_what_the_memory_delivers(product: Product, thresholds: Thresholds) -> Expected:
    """Copying in the card's memory is as fast as genuine cards of the product do it.

    Looks at: the median rate of copying buffers of 4 GiB in all, bytes read and written both counted, all
    cards at work at once.
    Catches: A100-40 called A100-80, H100 PCIe called SXM, a slice with its share of the memory.
    Does not catch: why it is slow. It excludes nothing.
    Numbers from: memory bandwidth in the catalogue, times the share in thresholds.toml.
    Checked on: H100 0.90, H200 0.90 and RTX 6000D 0.82 of the datasheet.
    """
    span = product.span(Quantity.MEMORY_BANDWIDTH_BYTES_PER_SECOND)
    if isinstance(span, NoData):
        return span
    return Band(low=span.smallest * thresholds.floor("copy", product), high=_INFINITE)


@rule("capacity-ceiling", basis=Basis.MEASURED, effect=Effect.THROUGHPUT, reads="capacity", unit=Unit.BYTES)
def no_more_memory_is_filled_than_the_product_has(product: Product, thresholds: Thresholds) -> Expected:
    """No more memory was filled and found right than the product has.

    Looks at: how many bytes were filled with unpredictable content and read back right, on all cards at once.
    Catches: a larger card under a smaller one's name; and it sheds smaller cards and slices from a larger claim.
    Does not catch: memory that pages to the host, which is slow and shows in the copy rate only if the copy reaches it.
    Numbers from: the largest total memory in the catalogue.
    Checked on: captures of totals; nothing can hold more than its memory.
    """
    span = product.span(Quantity.MEMORY_TOTAL_BYTES)
    if isinstance(span, NoData):
        return span
    return Band(low=-_INFINITE, high=span.largest * thresholds.ceiling("capacity", product))


@rule("capacity-floor", basis=Basis.MEASURED, effect=Effect.SHORTFALL, reads="capacity", unit=Unit.BYTES)
def as_much_memory_is_filled_as_the_product_offers(product: Product, thresholds: Thresholds) -> Expected:
    """As much memory was filled and found right as genuine cards of the product offer.

    Looks at: how many bytes were filled with unpredictable content and read back right, on all cards at once.
    Catches: a 40 GB card called 80 GB, a slice, a soft memory limit by a preloaded library.
    Does not catch: why there is less: somebody else may hold it. It excludes nothing.
    Numbers from: the smallest total memory in the catalogue, times the share in thresholds.toml.
    Checked on: what drivers keep for themselves in the captures.
    """
    span = product.span(Quantity.MEMORY_TOTAL_BYTES)
    if isinstance(span, NoData):
        return span
    return Band(low=span.smallest * thresholds.floor("capacity", product), high=_INFINITE)


def _ceiling(product: Product, thresholds: Thresholds, paths: tuple[Dtype, ...]) -> Band | NoData:
    """Take the fastest way that gives the same result, at the highest clock, with the margin."""
    rates = [rate.largest for dtype in paths if isinstance(rate := product.rate(dtype), Span)]
    if not rates:
        return NoData()
    highest, boost = product.span(Quantity.SM_CLOCK_MAX_MEGAHERTZ), product.span(Quantity.SM_CLOCK_BOOST_MEGAHERTZ)
    overclock = 1.0
    if isinstance(highest, Span) and isinstance(boost, Span):
        overclock = max(1.0, highest.largest / boost.smallest)
    return Band(low=-_INFINITE, high=max(rates) * overclock * thresholds.ceiling("gemm", product))


def _floor(product: Product, thresholds: Thresholds, dtype: Dtype, quantity: str) -> Band | NoData:
    rate = product.rate(dtype)
    if isinstance(rate, NoData):
        return rate
    return Band(low=rate.smallest * thresholds.floor(quantity, product), high=_INFINITE)
