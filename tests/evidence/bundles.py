"""The least evidence there can be: a machine on which nothing could be read."""

from __future__ import annotations

from gpuaudit.attester.unread import unread
from gpuaudit.evidence.bundle import EvidenceBundle, Origin, Tool
from gpuaudit.evidence.device import NvmlEvidence
from gpuaudit.evidence.host import EnvironmentEvidence, HostEvidence, TorchEvidence
from gpuaudit.evidence.kernel import KernelEvidence
from gpuaudit.evidence.reading import Reason, Source, Unknown

NOTHING = Unknown(reason=Reason.NOT_FOUND, source=Source.NVML, detail="no library")


def empty_bundle() -> EvidenceBundle:
    """Return evidence without any value."""
    return EvidenceBundle(
        schema_version=1,
        tool=Tool(name="gpuaudit", version="0"),
        origin=Origin.SIMULATED,
        origin_detail="made for a test",
        nonce="00" * 32,
        started_at="2026-01-01T00:00:00Z",
        finished_at="2026-01-01T00:00:01Z",
        suite="none",
        nvml=NvmlEvidence(
            driver_version=NOTHING,
            nvml_version=NOTHING,
            cuda_driver_version=NOTHING,
            confidential_compute_feature=NOTHING,
            device_count=NOTHING,
            devices=(),
        ),
        kernel=unread(KernelEvidence, NOTHING),
        torch=unread(TorchEvidence, NOTHING),
        host=unread(HostEvidence, NOTHING),
        environment=unread(EnvironmentEvidence, NOTHING),
        measurements=(),
    )
