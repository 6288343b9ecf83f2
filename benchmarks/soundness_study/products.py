"""Simulated cards of every product of which the catalogue knows enough, beside those that have a profile of their own.

A profile made here rests on the catalogue: it is what a genuine card would be if the catalogue is right. Whether it is right is
asked elsewhere, by leaving out one source after the other.
"""

from __future__ import annotations

from functools import cache
from typing import Final

from gpuaudit.catalogue.compiled import load_catalogue
from gpuaudit.catalogue.model import Attribute, FormFactor, Listing, NoData, Product, ProductKind, Quantity
from gpuaudit.evidence.measurement import Dtype
from gpuaudit.simulated.profile import (
    NOT_SUPPORTED,
    Answer,
    PhysicalTraits,
    Profile,
    ReportedTraits,
    known_profiles,
    load_profile,
)

_GIB: Final = 1024**3
# The driver and CUDA keep about a hundredth (captures of A100 and H100).
_USABLE: Final = 0.99
_CORES_PER_SM: Final = 128
# One way, per lane, four fifths of the wire.
_HOST_PER_LANE: Final = {1: 0.2e9, 2: 0.4e9, 3: 0.79e9, 4: 1.57e9, 5: 3.15e9, 6: 6.0e9}
# No source: that of an H100. What shows of it only advises.
_CACHE_ASSUMED: Final = 50 * 1024**2
_UNKNOWN_SUBSYSTEM: Final = "10de:ffff"
# Bandwidth of an unlocked CMP 170HX 10GB is in no source: that of an A100 40GB, whose bus it has.
_BANDWIDTH_ASSUMED: Final = {"cmp-170hx-10gb": 1555e9}


@cache
def simulated_products() -> dict[str, Profile]:
    """Return a profile for every product whose arithmetic, memory and bandwidth the catalogue or a profile tells."""
    profiles = {name: load_profile(name) for name in known_profiles()}
    for product in load_catalogue().products:
        if product.id not in profiles and product.kind not in {ProductKind.VGPU, ProductKind.MIG} and _is_known(product):
            profiles[product.id] = _profile(product)
    return dict(sorted(profiles.items()))


def _is_known(product: Product) -> bool:
    rates = product.rates.keys() & {Dtype.BF16, Dtype.FP16}
    return bool(rates and Dtype.FP64 in product.rates and _memory(product) and _bandwidth(product))


def _profile(product: Product) -> Profile:
    return Profile(
        schema=1,
        id=product.id,
        title=product.title,
        sources=("the catalogue",),
        reported=_reported(product),
        physical=_physical(product),
    )


def _reported(product: Product) -> ReportedTraits:
    power = _whole(product, Quantity.POWER_LIMIT_DEFAULT_MILLIWATTS)
    return ReportedTraits(
        name=_first(product, Attribute.NAMES, "NVIDIA Graphics Device"),
        architecture=7,
        compute_capability=_first(product, Attribute.COMPUTE_CAPABILITIES, "8.0"),
        gpu_core_count=_cores(product),
        device_id=_first(product, Attribute.PCI_DEVICE_IDS, "10de:ffff"),
        subsystem_id=_first(product, Attribute.PCI_SUBSYSTEM_IDS, _UNKNOWN_SUBSYSTEM),
        serial_offered=True,
        link_generation_max=_whole(product, Quantity.PCIE_GENERATION),
        link_width_max=_whole(product, Quantity.PCIE_WIDTH),
        memory_total_bytes=int(_memory(product)),
        memory_bus_bits=_whole(product, Quantity.MEMORY_BUS_BITS),
        bar1_total_bytes=_whole(product, Quantity.BAR1_BYTES),
        sm_clock_max_megahertz=_whole(product, Quantity.SM_CLOCK_MAX_MEGAHERTZ),
        memory_clock_max_megahertz=_whole(product, Quantity.MEMORY_CLOCK_MAX_MEGAHERTZ),
        power_limit_default_milliwatts=power if isinstance(power, int) else 300_000,
        ecc_enabled=product.kind in {ProductKind.DATACENTER, ProductKind.EXPORT_VARIANT},
        remap_banks_max=_whole(product, Quantity.REMAP_BANKS_MAX),
        mig_offered=_top(product, Quantity.MIG_INSTANCES_MAX) > 0,
        nvlink_count=int(_top(product, Quantity.NVLINK_COUNT)),
    )


def _physical(product: Product) -> PhysicalTraits:
    boost = _top(product, Quantity.SM_CLOCK_BOOST_MEGAHERTZ) or _top(product, Quantity.SM_CLOCK_MAX_MEGAHERTZ) or 1500
    joined = product.form_factor not in {FormFactor.PCIE, FormFactor.NVL}
    lanes = _top(product, Quantity.PCIE_WIDTH) or 16
    return PhysicalTraits(
        # Double precision runs on the tensor cores where there are any: the highest value. Others as the datasheet has them.
        dense_flop_per_second={
            dtype: span.largest if dtype is Dtype.FP64 else span.smallest for dtype, span in product.rates.items()
        },
        sm_count=int(_top(product, Quantity.SM_COUNT)) or _cores(product) // _CORES_PER_SM,
        sm_clock_boost_megahertz=int(boost),
        memory_bytes=int(_memory(product) * _USABLE),
        memory_bytes_per_second=_bandwidth(product),
        l2_bytes=int(_top(product, Quantity.L2_BYTES)) or _CACHE_ASSUMED,
        host_link_bytes_per_second_one_way=_HOST_PER_LANE[int(_top(product, Quantity.PCIE_GENERATION)) or 4] * lanes,
        peer_bytes_per_second_one_way=_top(product, Quantity.NVLINK_BIDIRECTIONAL_BYTES_PER_SECOND) / 2 if joined else 0.0,
        power_limit_milliwatts=int(_top(product, Quantity.POWER_LIMIT_DEFAULT_MILLIWATTS)) or 300_000,
    )


def _memory(product: Product) -> float:
    return _top(product, Quantity.MEMORY_TOTAL_BYTES) or max(product.marketed_gigabytes, default=0) * _GIB


def _bandwidth(product: Product) -> float:
    span = product.span(Quantity.MEMORY_BANDWIDTH_BYTES_PER_SECOND)
    return _BANDWIDTH_ASSUMED.get(product.id, 0.0) if isinstance(span, NoData) else span.smallest


def _cores(product: Product) -> int:
    return int(_top(product, Quantity.GPU_CORE_COUNT)) or int(_top(product, Quantity.SM_COUNT)) * _CORES_PER_SM or 4096


def _top(product: Product, quantity: Quantity) -> float:
    span = product.span(quantity)
    return 0.0 if isinstance(span, NoData) else span.largest


def _whole(product: Product, quantity: Quantity) -> Answer[int]:
    span = product.span(quantity)
    return NOT_SUPPORTED if isinstance(span, NoData) else int(span.largest)


def _first(product: Product, attribute: Attribute, otherwise: str) -> str:
    listing = product.listing(attribute)
    return listing.values[0] if isinstance(listing, Listing) else otherwise
