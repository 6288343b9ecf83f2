"""Small evidence, in which nothing could be read: the envelope does not look at what it seals."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, TypeVar

from gpuaudit.evidence.bundle import EvidenceBundle, Origin, Tool
from gpuaudit.evidence.device import NvmlEvidence
from gpuaudit.evidence.host import EnvironmentEvidence, HostEvidence, TorchEvidence
from gpuaudit.evidence.kernel import KernelEvidence
from gpuaudit.evidence.reading import Reason, Source, Unknown

NONCE = "00112233445566778899aabbccddeeff"
T = TypeVar("T")


def unread(kind: type[T], **known: Any) -> T:
    """Make a `kind` of which every field that is not given is Unknown."""
    unknown = Unknown(reason=Reason.NOT_ATTEMPTED, source=Source.HOST, detail="not read in this test")
    return kind(**{field.name: unknown for field in fields(kind) if field.name not in known}, **known)  # type: ignore[arg-type]


def small_bundle(*, nonce: str = NONCE, origin: Origin = Origin.SIMULATED, detail: str = "a test") -> EvidenceBundle:
    return EvidenceBundle(
        schema_version=1,
        tool=Tool(name="gpuaudit", version="0"),
        origin=origin,
        origin_detail=detail,
        nonce=nonce,
        started_at="2026-11-23T17:15:06Z",
        finished_at="2026-11-23T17:15:07Z",
        suite="none",
        nvml=unread(NvmlEvidence, devices=()),
        kernel=unread(KernelEvidence),
        torch=unread(TorchEvidence),
        host=unread(HostEvidence),
        environment=unread(EnvironmentEvidence),
        measurements=(),
    )
