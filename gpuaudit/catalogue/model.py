"""A product and its reference values, each a closed span or a list with its source, or absent.

An absent or unverified value excludes nothing; it is listed as no data. Keys of `spans` and `listings` are closed enums, so that
a misspelt name in a data file is an error and a rule can only ask for what exists.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TypeAlias

from gpuaudit.evidence.measurement import Dtype
from gpuaudit.evidence.record import entry

ProductId: TypeAlias = str


class CitationKind(StrEnum):
    """What a value rests on, best first; `unverified` is shown and never excludes anything.

    `driver-table` is the name table of NVIDIA's open kernel modules, `vendor-software` any other table in NVIDIA's own software
    (DCGM, mig-parted, aiconfigurator), `datasheet` NVIDIA's or a copy of one, `database` a third party's collection (pci.ids,
    TechPowerUp), `computed` worked out from other values as the source says.
    """

    DRIVER_TABLE = "driver-table"
    CAPTURE = "capture"
    MEASURED = "measured"
    VENDOR_SOFTWARE = "vendor-software"
    DATASHEET = "datasheet"
    DATABASE = "database"
    SINGLE_REPORT = "single-report"
    COMPUTED = "computed"
    UNVERIFIED = "unverified"


class ProductKind(StrEnum):
    """What sort of thing it is. Only whole cards can satisfy a claim."""

    DATACENTER = "datacenter"
    EXPORT_VARIANT = "export-variant"
    WORKSTATION = "workstation"
    CONSUMER = "consumer"
    CONSUMER_MODIFIED = "consumer-modified"
    MINING = "mining"
    ENGINEERING = "engineering"
    VGPU = "vgpu"
    MIG = "mig"


class FormFactor(StrEnum):
    """How the card is mounted; `unstated` where no source says."""

    SXM = "sxm"
    PCIE = "pcie"
    NVL = "nvl"
    SUPERCHIP = "superchip"
    UNSTATED = "unstated"


class Quantity(StrEnum):
    """Names of the spans. The unit is the last word."""

    MEMORY_TOTAL_BYTES = "memory_total_bytes"
    CUDA_MEMORY_TOTAL_BYTES = "cuda_memory_total_bytes"
    MEMORY_BUS_BITS = "memory_bus_bits"
    MEMORY_CLOCK_MAX_MEGAHERTZ = "memory_clock_max_megahertz"
    MEMORY_BANDWIDTH_BYTES_PER_SECOND = "memory_bandwidth_bytes_per_second"
    SM_COUNT = "sm_count"
    GPU_CORE_COUNT = "gpu_core_count"
    SM_CLOCK_MAX_MEGAHERTZ = "sm_clock_max_megahertz"
    SM_CLOCK_BOOST_MEGAHERTZ = "sm_clock_boost_megahertz"
    POWER_LIMIT_DEFAULT_MILLIWATTS = "power_limit_default_milliwatts"
    POWER_LIMIT_MAX_MILLIWATTS = "power_limit_max_milliwatts"
    L2_BYTES = "l2_bytes"
    NVLINK_COUNT = "nvlink_count"
    NVLINK_BIDIRECTIONAL_BYTES_PER_SECOND = "nvlink_bidirectional_bytes_per_second"
    PCIE_GENERATION = "pcie_generation"
    PCIE_WIDTH = "pcie_width"
    BAR1_BYTES = "bar1_bytes"
    MIG_INSTANCES_MAX = "mig_instances_max"
    REMAP_BANKS_MAX = "remap_banks_max"


class Attribute(StrEnum):
    """Names of the listings."""

    NAMES = "names"
    PCI_DEVICE_IDS = "pci_device_ids"
    PCI_SUBSYSTEM_IDS = "pci_subsystem_ids"
    COMPUTE_CAPABILITIES = "compute_capabilities"
    GPU_PART_NUMBERS = "gpu_part_numbers"
    BOARD_PART_NUMBERS = "board_part_numbers"
    VBIOS_PREFIXES = "vbios_prefixes"


@entry
class Citation:
    """Where a value comes from."""

    kind: CitationKind
    source: str
    note: str = ""


@entry
class Span:
    """All values from `smallest` to `largest` are seen on genuine cards; none beyond is."""

    smallest: float
    largest: float
    cited: tuple[Citation, ...]

    @property
    def verified(self) -> bool:
        """Whether the value may exclude anything."""
        return any(citation.kind is not CitationKind.UNVERIFIED for citation in self.cited)

    def __contains__(self, value: float) -> bool:
        """Whether a genuine card can report `value`."""
        return self.smallest <= value <= self.largest


@entry
class Listing:
    """The values that genuine cards report, in lower case where they are identifiers."""

    values: tuple[str, ...]
    cited: tuple[Citation, ...]

    @property
    def verified(self) -> bool:
        """Whether the listing may exclude anything."""
        return any(citation.kind is not CitationKind.UNVERIFIED for citation in self.cited)


@entry
class NoData:
    """The catalogue has no source for this value: it excludes nothing."""


@entry
class Required:
    """What must be known before a claim on this product can be confirmed.

    `readings` are paths into `DeviceEvidence` ("memory.total_bytes"); `measurements` are names of measured quantities
    ("gemm-bf16", "copy", "peer-both-ways"), the last only where a claim speaks of two or more per server.
    """

    readings: tuple[str, ...]
    measurements: tuple[str, ...]


@entry
class Product:
    """One thing that can be bought, or posed as, with everything known of it.

    `rates` are dense peaks in operations per second (a multiply-add counts two), by element type, at the boost clock:
    `smallest` is what the product is sold with (for fp64 the vector rate), `largest` the most that any path to the same result
    gives (tensor cores for fp64, accumulation in fp16 where a card is faster so). A card that clocks beyond its boost clock
    exceeds it in proportion.

    `counts_as` are the names in a claim that the product satisfies; empty for slices and shares of a card, which satisfy none.
    """

    schema: int
    id: ProductId
    title: str
    kind: ProductKind
    family: str
    counts_as: tuple[str, ...]
    form_factor: FormFactor
    marketed_gigabytes: tuple[int, ...]
    spans: dict[Quantity, Span]
    listings: dict[Attribute, Listing]
    rates: dict[Dtype, Span]
    required: Required
    notes: tuple[str, ...] = ()

    def span(self, quantity: Quantity) -> Span | NoData:
        """Return the verified span of `quantity`, or that there is no data."""
        return _verified(self.spans.get(quantity))

    def rate(self, dtype: Dtype) -> Span | NoData:
        """Return the verified dense peak of `dtype`, or that there is no data."""
        return _verified(self.rates.get(dtype))

    def listing(self, attribute: Attribute) -> Listing | NoData:
        """Return the verified listing of `attribute`, or that there is no data."""
        listing = self.listings.get(attribute)
        return listing if listing is not None and listing.verified else NoData()


@entry
class Catalogue:
    """All products. `version` moves with any change and is written into every result."""

    version: str
    products: tuple[Product, ...]

    def product(self, product_id: ProductId) -> Product:
        """Return the product called `product_id`.

        Raises:
            KeyError: There is none.
        """
        for product in self.products:
            if product.id == product_id:
                return product
        raise KeyError(product_id)


def _verified(span: Span | None) -> Span | NoData:
    return span if span is not None and span.verified else NoData()
