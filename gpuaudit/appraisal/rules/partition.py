"""Rules on whether the card is a whole card. "Powered by eight A100" means eight cards, not eight slices of one."""

from __future__ import annotations

from typing import Final

from gpuaudit.appraisal.amount import Unit
from gpuaudit.appraisal.result import Basis, Effect
from gpuaudit.appraisal.rule import Expected, OneOf, rule
from gpuaudit.appraisal.threshold import Thresholds
from gpuaudit.catalogue.model import Product, ProductKind
from gpuaudit.evidence.device import MigMode, VirtualizationMode

_NOT_VIRTUAL: Final = frozenset(mode.value for mode in VirtualizationMode if mode is not VirtualizationMode.VGPU)
_VIRTUAL: Final = frozenset({VirtualizationMode.VGPU.value})
_ANY: Final = _NOT_VIRTUAL | _VIRTUAL
_NONE: Final[frozenset[str]] = frozenset()


@rule("mig-mode", basis=Basis.REPORTED, effect=Effect.IDENTITY, reads="partition.mig_mode", unit=Unit.TEXT)
def card_is_not_cut_into_slices(product: Product, thresholds: Thresholds) -> Expected:
    """The card is not in MIG mode.

    Looks at: the current MIG mode that NVML reports.
    Catches: an instance that holds slices of a card instead of a card.
    Does not catch: a host that hides the mode. A genuine card in MIG mode is not called another product: the line stays
    inconclusive, because slices were offered for the whole.
    Numbers from: NVML has two values; no threshold.
    Checked on: a genuine A100 in MIG mode (influxdata/telegraf, driver 535) and whole cards of the other captures.
    """
    del thresholds
    if product.kind is ProductKind.MIG:
        return OneOf(allowed=frozenset({MigMode.ENABLED.value}), refused=frozenset({MigMode.DISABLED.value}))
    return OneOf(allowed=frozenset({MigMode.DISABLED.value}), refused=_NONE)


@rule(
    "virtualization-mode",
    basis=Basis.REPORTED,
    effect=Effect.IDENTITY,
    reads="partition.virtualization_mode",
    unit=Unit.TEXT,
)
def card_is_not_a_virtual_one(product: Product, thresholds: Thresholds) -> Expected:
    """The card reaches this system whole, on bare metal or passed through, not as a vGPU.

    Looks at: the virtualization mode that NVML reports.
    Catches: a vGPU guest, whose device id is the card's and whose memory can be the card's too.
    Does not catch: a hypervisor that answers otherwise; the subsystem id and the name of a vGPU are looked at apart.
    Numbers from: NVML's enumeration; no threshold.
    Checked on: captures with the modes none and passthrough; the mode of a vGPU guest is from NVIDIA's header, not from a capture.
    """
    del thresholds
    if product.kind is ProductKind.VGPU:
        return OneOf(allowed=_VIRTUAL, refused=_NOT_VIRTUAL)
    if product.kind is ProductKind.MIG:
        return OneOf(allowed=_ANY, refused=_NONE)
    return OneOf(allowed=_NOT_VIRTUAL, refused=_VIRTUAL)
