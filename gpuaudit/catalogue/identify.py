"""Which products a device can be, going by what it says of itself.

For a person who looks at a capture, not for a verdict: no claim is asked about, nothing is measured, and an adversary who edits
every reading is believed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, TypeAlias

from gpuaudit.catalogue.compare import CatalogueIndex, Fit, compare_listing, compare_span, index_catalogue
from gpuaudit.catalogue.model import Attribute, Catalogue, ProductId, Quantity
from gpuaudit.evidence.device import DeviceEvidence
from gpuaudit.evidence.reading import Known, Reading

_Get: TypeAlias = Callable[[DeviceEvidence], Reading[Any]]

_MEBIBYTE: Final = 1024**2

_LISTED: Final[tuple[tuple[str, Attribute, _Get], ...]] = (
    ("name", Attribute.NAMES, lambda device: device.identity.name),
    ("PCI device id", Attribute.PCI_DEVICE_IDS, lambda device: device.pci.device_id),
    ("PCI subsystem id", Attribute.PCI_SUBSYSTEM_IDS, lambda device: device.pci.subsystem_id),
    ("GPU part number", Attribute.GPU_PART_NUMBERS, lambda device: device.identity.gpu_part_number),
    ("board part number", Attribute.BOARD_PART_NUMBERS, lambda device: device.identity.board_part_number),
    ("VBIOS version", Attribute.VBIOS_PREFIXES, lambda device: device.firmware.vbios_version),
    ("compute capability", Attribute.COMPUTE_CAPABILITIES, lambda device: device.identity.compute_capability),
)

# Left out is what genuine cards of one product report differently, by board, host or setting: power limits, SM clocks, BAR1, PCIe.
_MEASURES: Final[tuple[tuple[str, Quantity, _Get], ...]] = (
    ("memory total", Quantity.MEMORY_TOTAL_BYTES, lambda device: device.memory.total_bytes),
    ("memory bus width", Quantity.MEMORY_BUS_BITS, lambda device: device.memory.bus_width_bits),
    ("memory clock", Quantity.MEMORY_CLOCK_MAX_MEGAHERTZ, lambda device: device.clocks.memory_max_megahertz),
    ("core count", Quantity.GPU_CORE_COUNT, lambda device: device.identity.gpu_core_count),
    ("row remap banks", Quantity.REMAP_BANKS_MAX, lambda device: device.reliability.remap_banks_max),
)

# What names a product. A device of which none of these is listed is not in the catalogue, whatever its size happens to fit.
_NAMING: Final = frozenset(
    {Attribute.NAMES, Attribute.PCI_DEVICE_IDS, Attribute.PCI_SUBSYSTEM_IDS, Attribute.GPU_PART_NUMBERS},
)


class Recognition(StrEnum):
    """How the readings of a device fit the catalogue."""

    IDENTIFIED = "identified"
    AMBIGUOUS = "ambiguous"
    CONTRADICTORY = "contradictory"
    NOT_IN_CATALOGUE = "not in the catalogue"
    NOTHING_KNOWN = "nothing known"


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """One known reading, and what it says of the products. `listed` is false where no product has such a value."""

    reading: str
    seen: str
    fits: frozenset[ProductId]
    excluded: frozenset[ProductId]
    names_product: bool

    @property
    def listed(self) -> bool:
        """Whether any product of the catalogue has such a value."""
        return bool(self.fits)


@dataclass(frozen=True, slots=True, kw_only=True)
class Identification:
    """The products that every known reading allows, in the order of the catalogue, and the readings that left them.

    Some of them may be left only because the catalogue knows too little of them to exclude them; `named` leaves those out.
    """

    candidates: tuple[ProductId, ...]
    observations: tuple[Observation, ...]

    @property
    def named(self) -> tuple[ProductId, ...]:
        """The candidates that a name or an id of the device is listed for; all, if neither name nor id is known."""
        naming = self._naming()
        if not naming:
            return self.candidates
        listed = frozenset[ProductId]().union(*(observation.fits for observation in naming))
        return tuple(product for product in self.candidates if product in listed)

    @property
    def recognition(self) -> Recognition:
        """Say in a word what came out.

        A device whose name and ids nobody lists is not in the catalogue, even if something of its size is.
        """
        if not self.observations:
            return Recognition.NOTHING_KNOWN
        naming = self._naming()
        if naming and not any(observation.listed for observation in naming):
            return Recognition.NOT_IN_CATALOGUE
        match len(self.named):
            case 0:
                return Recognition.CONTRADICTORY
            case 1:
                return Recognition.IDENTIFIED
            case _:
                return Recognition.AMBIGUOUS

    def _naming(self) -> tuple[Observation, ...]:
        return tuple(observation for observation in self.observations if observation.names_product)


def identify(device: DeviceEvidence, catalogue: Catalogue) -> Identification:
    """Find the products that the known identity readings of `device` allow. A reading that is unknown excludes nothing."""
    index = index_catalogue(catalogue)
    return _identification(catalogue, [*_listings(device, catalogue, index), *_spans(device, catalogue)])


def identify_name(name: str, catalogue: Catalogue) -> Identification:
    """Find the products that call themselves `name`."""
    index = index_catalogue(catalogue)
    return _identification(catalogue, [_by_listing("name", Attribute.NAMES, name, catalogue, index)])


def _identification(catalogue: Catalogue, observations: list[Observation]) -> Identification:
    excluded = frozenset[ProductId]().union(*(observation.excluded for observation in observations))
    return Identification(
        candidates=tuple(product.id for product in catalogue.products if product.id not in excluded),
        observations=tuple(observations),
    )


def _listings(device: DeviceEvidence, catalogue: Catalogue, index: CatalogueIndex) -> Iterator[Observation]:
    for label, attribute, get in _LISTED:
        reading = get(device)
        if isinstance(reading, Known):
            yield _by_listing(label, attribute, str(reading.value), catalogue, index)


def _spans(device: DeviceEvidence, catalogue: Catalogue) -> Iterator[Observation]:
    for label, quantity, get in _MEASURES:
        reading = get(device)
        if isinstance(reading, Known):
            fits = {product.id: compare_span(product, quantity, reading.value) for product in catalogue.products}
            is_memory = quantity is Quantity.MEMORY_TOTAL_BYTES
            seen = f"{reading.value / _MEBIBYTE:.0f} MiB" if is_memory else str(reading.value)
            yield _observation(label, seen, fits, names_product=False)


def _by_listing(label: str, attribute: Attribute, value: str, catalogue: Catalogue, index: CatalogueIndex) -> Observation:
    fits = {product.id: compare_listing(product, attribute, value, index) for product in catalogue.products}
    return _observation(label, value, fits, names_product=attribute in _NAMING)


def _observation(label: str, seen: str, fits: Mapping[ProductId, Fit], *, names_product: bool) -> Observation:
    return Observation(
        reading=label,
        seen=seen,
        fits=frozenset(product for product, fit in fits.items() if fit is Fit.FITS),
        excluded=frozenset(product for product, fit in fits.items() if fit is Fit.EXCLUDED),
        names_product=names_product,
    )
