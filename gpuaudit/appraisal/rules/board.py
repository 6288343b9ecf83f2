"""Rules on what else a card reports of itself.

Genuine machines hide or lack some of these, so they are advisory unless a product requires them: shown, loud where they look odd,
and never moving a verdict.
"""

from __future__ import annotations

from gpuaudit.appraisal.amount import Unit
from gpuaudit.appraisal.result import Basis, Effect
from gpuaudit.appraisal.rule import Band, Expected, Listed, rule
from gpuaudit.appraisal.threshold import Thresholds
from gpuaudit.catalogue.model import Attribute, NoData, Product, Quantity


@rule("gpu-part-number", basis=Basis.REPORTED, effect=Effect.IDENTITY, reads="identity.gpu_part_number", unit=Unit.TEXT)
def gpu_part_number_begins_with_the_device_id(product: Product, thresholds: Thresholds) -> Expected:
    """The GPU part number begins with a PCI device id of the product, as 20B2-896-A1 does.

    Looks at: the GPU part number that NVML reports.
    Catches: a forger who edited name and ids and forgot the part number.
    Does not catch: a forger who did not. nvidia-smi of schema v11 and older prints the board number in this place: such a value
    has another form, is listed nowhere and excludes nothing.
    Numbers from: part numbers in the captures cited in the catalogue; the device ids of each product.
    Checked on: captures of A100, H100, H200, L40S, T4 and CMP 170HX, and a genuine T4 of driver 515 with the board number.
    """
    del product, thresholds
    return Listed(attribute=Attribute.GPU_PART_NUMBERS)


@rule("board-part-number", basis=Basis.REPORTED, effect=Effect.IDENTITY, reads="identity.board_part_number", unit=Unit.TEXT)
def board_part_number_is_one_of_the_product(product: Product, thresholds: Thresholds) -> Expected:
    """The board part number is one seen on boards of the product.

    Looks at: the board part number that NVML reports, without its last group, which is a revision.
    Catches: another board under the product's name.
    Does not catch: forged numbers; boards of makers that the catalogue has not seen exclude nothing.
    Numbers from: captures cited in the catalogue.
    Checked on: the same captures, one or two a product: a thin base, hence advisory.
    """
    del product, thresholds
    return Listed(attribute=Attribute.BOARD_PART_NUMBERS)


@rule("vbios-version", basis=Basis.REPORTED, effect=Effect.IDENTITY, reads="firmware.vbios_version", unit=Unit.TEXT)
def vbios_belongs_to_the_chip(product: Product, thresholds: Thresholds) -> Expected:
    """The VBIOS version begins with the two groups of the product's chip (92.00 for GA100, 96.00 for GH100).

    Looks at: the VBIOS version that NVML reports.
    Catches: a card of another chip family: a GA102 (94.02) or an AD102 (95.02) called A100.
    Does not catch: another product with the same chip, nor an edited string.
    Numbers from: captures cited in the catalogue.
    Checked on: the same captures.
    """
    del product, thresholds
    return Listed(attribute=Attribute.VBIOS_PREFIXES)


@rule(
    "compute-capability",
    basis=Basis.REPORTED,
    effect=Effect.IDENTITY,
    reads="identity.compute_capability",
    unit=Unit.TEXT,
)
def compute_capability_is_that_of_the_chip(product: Product, thresholds: Thresholds) -> Expected:
    """The compute capability is the product's (8.0 for A100, 9.0 for H100, 8.9 for RTX 4090).

    Looks at: the compute capability that NVML reports.
    Catches: a consumer card called a datacentre card.
    Does not catch: products of one generation among themselves. A capture of nvidia-smi does not hold it, so it is not required.
    Numbers from: deviceQuery captures and datasheets cited in the catalogue.
    Checked on: the same captures.
    """
    del product, thresholds
    return Listed(attribute=Attribute.COMPUTE_CAPABILITIES)


@rule("gpu-core-count", basis=Basis.REPORTED, effect=Effect.IDENTITY, reads="identity.gpu_core_count", unit=Unit.COUNT)
def core_count_is_that_of_the_product(product: Product, thresholds: Thresholds) -> Expected:
    """The number of CUDA cores, and with it of SMs, is the product's.

    Looks at: the core count that NVML reports on drivers that offer it.
    Catches: a cut-down or a larger chip: CMP 170HX (70 SMs), PG506 (124 SMs), H20 (78 SMs), a MIG slice.
    Does not catch: A100 against A800, H100 against H800: the same count. Older drivers do not offer it.
    Numbers from: deviceQuery captures and datasheets cited in the catalogue.
    Checked on: the same captures.
    """
    del thresholds
    return _band(product, Quantity.GPU_CORE_COUNT)


@rule("memory-bus-width", basis=Basis.REPORTED, effect=Effect.IDENTITY, reads="memory.bus_width_bits", unit=Unit.BITS)
def memory_bus_is_as_wide_as_the_product_has(product: Product, thresholds: Thresholds) -> Expected:
    """The memory bus is as wide as the product has (5120 bit for A100, 384 bit for RTX 4090).

    Looks at: the bus width that NVML reports on drivers that offer it.
    Catches: GDDR cards called HBM cards, and CMP 170HX 8 GB (4096 bit).
    Does not catch: A100-40 against A100-80 and against CMP 170HX 10 GB, which are equal.
    Numbers from: deviceQuery captures and datasheets cited in the catalogue.
    Checked on: the same captures.
    """
    del thresholds
    return _band(product, Quantity.MEMORY_BUS_BITS)


@rule(
    "memory-clock-max", basis=Basis.REPORTED, effect=Effect.IDENTITY, reads="clocks.memory_max_megahertz", unit=Unit.MEGAHERTZ
)
def memory_clock_maximum_is_that_of_the_product(product: Product, thresholds: Thresholds) -> Expected:
    """The highest memory clock is the product's (1215 MHz for A100-40, 1593 for A100-80 SXM, 1512 for A100-80 PCIe).

    Looks at: the maximum memory clock that NVML reports.
    Catches: a 40 GB card called 80 GB, PCIe called SXM.
    Does not catch: a forged clock: the copy rate is what the memory does.
    Numbers from: captures cited in the catalogue; a band where several values were seen.
    Checked on: the same captures.
    """
    del thresholds
    return _band(product, Quantity.MEMORY_CLOCK_MAX_MEGAHERTZ)


@rule("sm-clock-max", basis=Basis.REPORTED, effect=Effect.IDENTITY, reads="clocks.sm_max_megahertz", unit=Unit.MEGAHERTZ)
def sm_clock_maximum_is_that_of_the_product(product: Product, thresholds: Thresholds) -> Expected:
    """The highest SM clock is the product's (1410 MHz for A100, 1980 for H100 SXM, 1755 for H100 PCIe).

    Looks at: the maximum SM clock that NVML reports.
    Catches: H100 PCIe called SXM; consumer cards with clocks above 2 GHz.
    Does not catch: a forged clock, A100 against A800.
    Numbers from: captures cited in the catalogue.
    Checked on: the same captures.
    """
    del thresholds
    return _band(product, Quantity.SM_CLOCK_MAX_MEGAHERTZ)


@rule("remap-banks", basis=Basis.REPORTED, effect=Effect.IDENTITY, reads="reliability.remap_banks_max", unit=Unit.COUNT)
def remap_banks_are_those_of_the_memory(product: Product, thresholds: Thresholds) -> Expected:
    """The number of banks with all spare rows left is the product's (640 for A100, 2560 for H100, 3072 for H200).

    Looks at: the row remapper histogram that NVML reports.
    Catches: another memory under the product's name.
    Does not catch: machines that hide the remapper, as pass-through guests often do. Remapped rows lower the number on a genuine
    card, so it is a hint.
    Numbers from: captures cited in the catalogue.
    Checked on: the same captures.
    """
    del thresholds
    return _band(product, Quantity.REMAP_BANKS_MAX)


def _band(product: Product, quantity: Quantity) -> Band | NoData:
    span = product.span(quantity)
    return span if isinstance(span, NoData) else Band(low=span.smallest, high=span.largest)
