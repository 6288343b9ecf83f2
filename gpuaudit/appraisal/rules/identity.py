"""Rules on what the card says that it is. On most machines these are required: every genuine card answers them."""

from __future__ import annotations

from gpuaudit.appraisal.amount import Unit
from gpuaudit.appraisal.result import Basis, Effect
from gpuaudit.appraisal.rule import Band, Expected, Listed, rule
from gpuaudit.appraisal.threshold import Thresholds
from gpuaudit.catalogue.model import Attribute, NoData, Product, Quantity


@rule("pci-device-id", basis=Basis.REPORTED, effect=Effect.IDENTITY, reads="pci.device_id", unit=Unit.TEXT)
def device_id_belongs_to_the_product(product: Product, thresholds: Thresholds) -> Expected:
    """The PCI device id is one that NVIDIA gave to the product.

    Looks at: the vendor and device id that NVML reports for the card.
    Catches: another product under a new name: an A800 (20f3) or a CMP 170HX (20c2) called A100.
    Of an id that the catalogue lists for no product at all: it excludes nobody and blocks `confirmed`; the board may be newer than the
    catalogue.
    Does not catch: a host that owns the driver or the kernel and answers with another id. Then the floors withhold where the card
    does less (bf16, fp64, copy, capacity, peer-rate), and fp64-bf16-ratio excludes an H800 sold as A100 or H100; where only NVML was
    forged, pci-agreement shows that the kernel says otherwise. Against one A800 alone nothing that is measured speaks. The id is fixed
    in the card: no load, cap, other user, driver or container changes it; a slice (MIG) or a virtual card may show the id of the whole,
    which mig-mode and virtualization-mode are for.
    Numbers from: the ids in pci.ids and in the name table of NVIDIA's open kernel modules, each cited in the catalogue.
    Checked on: the captures named in the catalogue's files, among them genuine A100, H100, L40S and T4.
    """
    del product, thresholds
    return Listed(attribute=Attribute.PCI_DEVICE_IDS)


@rule("pci-subsystem-id", basis=Basis.REPORTED, effect=Effect.IDENTITY, reads="pci.subsystem_id", unit=Unit.TEXT)
def subsystem_id_belongs_to_the_product(product: Product, thresholds: Thresholds) -> Expected:
    """The PCI subsystem id is one of the product's boards.

    Looks at: the subsystem vendor and id that NVML reports.
    Catches: a vGPU profile, which keeps the device id of the card and has a subsystem id of its own; an engineering board (PG509)
    with the device id of a product. Both are in the catalogue, with their ids, as things that satisfy no claim.
    Does not catch: a forged id; against that stand the name, virtualization-mode, capacity-floor and pci-agreement. An id that the
    catalogue lists for nothing, such as a maker's own board, is no fraud: it excludes nobody and leaves the line inconclusive.
    Speed, drivers and other users do not change it.
    Numbers from: the name table of NVIDIA's open kernel modules, release 595.45.04, cited in the catalogue.
    Checked on: the captures named in the catalogue's files.
    """
    del product, thresholds
    return Listed(attribute=Attribute.PCI_SUBSYSTEM_IDS)


@rule("product-name", basis=Basis.REPORTED, effect=Effect.IDENTITY, reads="identity.name", unit=Unit.TEXT)
def name_is_one_that_drivers_print_for_the_product(product: Product, thresholds: Thresholds) -> Expected:
    """The name is one that NVIDIA's driver prints for the product, letter by letter.

    Looks at: the product name that NVML reports.
    Catches: names that no driver prints ("NVIDIA H200 141GB HBM3e"), names of MIG slices and vGPU profiles, and another product
    that kept its name.
    Does not catch: anyone who can edit a string. A name listed for no product ("NVIDIA Graphics Device" is what a driver prints
    for a board it does not know) excludes nothing and leaves the line inconclusive.
    Numbers from: the name table of NVIDIA's open kernel modules and captures, cited in the catalogue.
    Checked on: the captures named in the catalogue's files, of drivers 515 to 595.
    """
    del product, thresholds
    return Listed(attribute=Attribute.NAMES)


@rule("memory-total", basis=Basis.REPORTED, effect=Effect.IDENTITY, reads="memory.total_bytes", unit=Unit.BYTES)
def total_memory_is_within_what_the_product_reports(product: Product, thresholds: Thresholds) -> Expected:
    """Total memory lies within the span that genuine cards of the product report.

    Looks at: the total frame buffer that NVML reports, which is not the marketed size.
    Catches: a 40 GB card called 80 GB, a MIG slice or a vGPU sold as a whole card, a 4090 with doubled memory sold as a 4090.
    Does not catch: a host that lies about memory: capacity-floor fills the memory, and withholds where there is less. H100 SXM, H100
    PCIe and H800 all report 81559 MiB: pci-device-id, fp64-bf16-ratio and peer-rate tell them apart. Memory that others use counts
    in the total and changes nothing; a whole card in MIG mode reports its whole memory and is left to mig-mode.
    Numbers from: the catalogue's span of each product, with old drivers (total less reserved) and ECC on and off inside it, and
    5 % to either side for drivers not yet seen (thresholds.toml).
    Checked on: the captures named in the catalogue's files.
    """
    span = product.span(Quantity.MEMORY_TOTAL_BYTES)
    if isinstance(span, NoData):
        return span
    share = thresholds.driver_share.fraction
    return Band(low=span.smallest * (1 - share), high=span.largest * (1 + share))
