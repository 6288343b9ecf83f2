"""Evidence of honest machines, made from the catalogue: a test takes one and changes one thing."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from typing import Any, TypeVar

from gpuaudit.appraisal.reference import Yardstick
from gpuaudit.catalogue.model import Attribute, FormFactor, Listing, Product, ProductKind, Quantity, Span
from gpuaudit.evidence.bundle import EvidenceBundle, Origin, Tool
from gpuaudit.evidence.device import (
    ClockReadings,
    DeviceEvidence,
    FirmwareReadings,
    IdentityReadings,
    MemoryReadings,
    MigMode,
    NvmlEvidence,
    PartitionReadings,
    PciReadings,
    PowerReadings,
    ProcessReadings,
    ReliabilityReadings,
    VirtualizationMode,
)
from gpuaudit.evidence.host import EnvironmentEvidence, HostEvidence, TorchEvidence
from gpuaudit.evidence.kernel import KernelEvidence, PciFunction
from gpuaudit.evidence.measurement import (
    CapacityTask,
    Company,
    GemmTask,
    Measurement,
    MemoryTask,
    PeerTask,
    Samples,
    StopReason,
    Task,
)
from gpuaudit.evidence.reading import Known, Reading, Reason, Source, Unknown
from gpuaudit.units import Bytes, Seconds

T = TypeVar("T")

NONCE = "ab" * 32
# What genuine cards were seen to reach of their datasheet; the floors lie below, the ceilings above.
TYPICAL = {"gemm-bf16": 0.85, "gemm-fp16": 0.85, "gemm-fp64": 0.9, "copy": 0.88, "peer-both-ways": 0.87}


def nvml(value: T) -> Known[T]:
    return Known(value=value, source=Source.NVML)


def missing(reason: Reason = Reason.NOT_SUPPORTED, source: Source = Source.NVML) -> Unknown:
    return Unknown(reason=reason, source=source, detail="not there in this test")


def blank(kind: Callable[..., T]) -> T:
    """A group of readings, every one unknown."""
    return kind(**{field.name: missing() for field in fields(kind)})  # type: ignore[arg-type]


def device(product: Product, index: int) -> DeviceEvidence:
    """What a genuine card of the product reports."""
    whole = product.kind not in (ProductKind.VGPU, ProductKind.MIG)
    mig = Quantity.MIG_INSTANCES_MAX in product.spans and product.spans[Quantity.MIG_INSTANCES_MAX].largest > 0
    return DeviceEvidence(
        index=index,
        identity=replace(
            blank(IdentityReadings),
            name=_first(product, Attribute.NAMES),
            uuid=nvml(f"GPU-{index:08x}-1111-2222-3333-444444444444"),
            serial=nvml(f"16505220{index:05d}"),
            compute_capability=_first(product, Attribute.COMPUTE_CAPABILITIES),
            gpu_core_count=_span(product, Quantity.GPU_CORE_COUNT),
        ),
        pci=replace(
            blank(PciReadings),
            bus_id=nvml(f"00000000:{index + 1:02x}:00.0"),
            device_id=_first(product, Attribute.PCI_DEVICE_IDS),
            subsystem_id=_first(product, Attribute.PCI_SUBSYSTEM_IDS),
        ),
        firmware=blank(FirmwareReadings),
        memory=replace(
            blank(MemoryReadings),
            total_bytes=_span(product, Quantity.MEMORY_TOTAL_BYTES),
            bus_width_bits=_span(product, Quantity.MEMORY_BUS_BITS),
        ),
        clocks=blank(ClockReadings),
        power=blank(PowerReadings),
        reliability=blank(ReliabilityReadings),
        partition=replace(
            blank(PartitionReadings),
            mig_mode=nvml(MigMode.DISABLED) if mig else missing(),
            virtualization_mode=nvml(VirtualizationMode.PASSTHROUGH if whole else VirtualizationMode.VGPU),
        ),
        nvlinks=missing(),
        processes=blank(ProcessReadings),
    )


def machine(yardstick: Yardstick, *cards: str, measured_as: str = "", share: float = 1.0) -> EvidenceBundle:
    """An honest machine with these products, or one whose cards do the work of `measured_as`, at `share` of the typical rate."""
    products = [yardstick.catalogue.product(card) for card in cards]
    devices = tuple(device(product, index) for index, product in enumerate(products))
    workers = [yardstick.catalogue.product(measured_as) if measured_as else product for product in products]
    return bundle(devices, measurements(devices, workers, yardstick, share))


def measurements(
    devices: Sequence[DeviceEvidence], workers: Sequence[Product], yardstick: Yardstick, share: float = 1.0
) -> tuple[Measurement, ...]:
    """The canonical measurements of each device, done by a card of the product beside it."""
    canonical = yardstick.thresholds.canonical
    taken: list[Measurement] = []
    for one, worker in zip(devices, workers, strict=True):
        for shape in canonical.gemm:
            rate = worker.rate(shape.dtype)
            if isinstance(rate, Span):
                task = GemmTask(dtype=shape.dtype, m=shape.m, n=shape.n, k=shape.k, layout="tn")
                share_of = TYPICAL.get(f"gemm-{shape.dtype}", 0.8) * share
                taken.append(measurement(task, (one,), rate.largest * share_of, 2.0 * shape.m * shape.n * shape.k))
        bandwidth = worker.span(Quantity.MEMORY_BANDWIDTH_BYTES_PER_SECOND)
        if isinstance(bandwidth, Span):
            size = canonical.copy_working_set_bytes
            taken.append(
                measurement(
                    MemoryTask(kind="copy", working_set_bytes=size),
                    (one,),
                    bandwidth.largest * TYPICAL["copy"] * share,
                    float(size),
                )
            )
        memory = worker.span(Quantity.MEMORY_TOTAL_BYTES)
        if isinstance(memory, Span):
            size = Bytes(int(memory.smallest * 0.94))
            fill = CapacityTask(requested_bytes=size, block_bytes=Bytes(2**30))
            taken.append(measurement(fill, (one,), 1e12, float(size)))
    for (one, first), (other, second) in itertools.combinations(zip(devices, workers, strict=True), 2):
        size = canonical.peer_buffer_bytes
        rate_between = min(_peer_rate(first), _peer_rate(second)) * share
        taken.append(measurement(PeerTask(kind="peer-both-ways", buffer_bytes=size), (one, other), rate_between, 2.0 * size))
    return tuple(taken)


def measurement(task: Task, subjects: Sequence[DeviceEvidence], rate: float, amount: float) -> Measurement:
    """One measurement at a given rate, ten samples alike."""
    uuids = tuple(one.identity.uuid.value for one in subjects if isinstance(one.identity.uuid, Known))
    samples = Samples(
        amount_per_run=amount,
        seconds=(Seconds(amount / rate),) * 10,
        warmup_runs=3,
        warmup_seconds=Seconds(0.1),
        stop=StopReason.STEADY,
        half_width_relative=0.001,
    )
    return Measurement(
        task=task,
        method="test/1",
        subjects=uuids,
        company=Company.ALONE if len(uuids) > 1 else Company.TOGETHER,
        samples=Known(value=samples, source=Source.WORKLOAD),
        telemetry=missing(source=Source.WORKLOAD),
    )


def bundle(devices: tuple[DeviceEvidence, ...], taken: tuple[Measurement, ...] = ()) -> EvidenceBundle:
    """A bare-metal machine with these devices, and nothing else read."""
    return EvidenceBundle(
        schema_version=1,
        tool=Tool(name="gpuaudit", version="test"),
        origin=Origin.HARDWARE,
        origin_detail="as if",
        nonce=NONCE,
        started_at="2026-01-01T00:00:00Z",
        finished_at="2026-01-01T00:01:00Z",
        suite="quick",
        nvml=NvmlEvidence(
            driver_version=nvml("570.148.08"),
            nvml_version=missing(),
            cuda_driver_version=missing(),
            confidential_compute_feature=missing(),
            device_count=nvml(len(devices)),
            devices=devices,
        ),
        kernel=replace(
            blank(KernelEvidence), pci_functions=Known(value=tuple(pci_function(one) for one in devices), source=Source.PCI)
        ),
        torch=blank(TorchEvidence),
        host=blank(HostEvidence),
        environment=blank(EnvironmentEvidence),
        measurements=taken,
    )


def pci_function(one: DeviceEvidence) -> PciFunction:
    """The same card on the kernel's PCI bus."""
    values: dict[str, Any] = {field.name: missing(source=Source.PCI) for field in fields(PciFunction)}
    values |= {
        "bus_id": f"0000:{one.index + 1:02x}:00.0",
        "class_code": "030200",
        "device_id": one.pci.device_id,
        "is_virtual_function": Known(value=False, source=Source.PCI),
    }
    return PciFunction(**values)


def with_device(evidence: EvidenceBundle, index: int, **groups: object) -> EvidenceBundle:
    """The same machine, with readings of one device replaced: `pci={"device_id": ...}`."""
    old = evidence.nvml.devices[index]
    changed = {
        name: replace(getattr(old, name), **change) if isinstance(change, dict) else change for name, change in groups.items()
    }
    devices = list(evidence.nvml.devices)
    devices[index] = replace(old, **changed)  # type: ignore[arg-type]
    return replace(evidence, nvml=replace(evidence.nvml, devices=tuple(devices)))


def _peer_rate(product: Product) -> float:
    nvlink = product.span(Quantity.NVLINK_BIDIRECTIONAL_BYTES_PER_SECOND)
    if product.form_factor is FormFactor.SXM and isinstance(nvlink, Span):
        return nvlink.largest * TYPICAL["peer-both-ways"]
    return 25e9


def _first(product: Product, attribute: Attribute) -> Reading[str]:
    listing = product.listing(attribute)
    return nvml(listing.values[0]) if isinstance(listing, Listing) else missing()


def _span(product: Product, quantity: Quantity) -> Reading[Any]:
    span = product.span(quantity)
    return nvml(Bytes(int(span.largest))) if isinstance(span, Span) else missing()
