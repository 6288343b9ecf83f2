"""All evidence of one machine: the predicate of `urn:gpuaudit:evidence:v1`."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from gpuaudit.evidence.device import NvmlEvidence
from gpuaudit.evidence.host import EnvironmentEvidence, HostEvidence, TorchEvidence
from gpuaudit.evidence.kernel import KernelEvidence
from gpuaudit.evidence.measurement import Measurement
from gpuaudit.evidence.record import record


class Origin(StrEnum):
    """What answered beneath the readers.

    Decided by the thing beneath, by no parameter and no environment variable: `hardware` only if pynvml's library is the
    ctypes.CDLL that it loaded itself and the accelerator is torch's (or none).
    """

    HARDWARE = "hardware"
    SIMULATED = "simulated"
    CAPTURE = "capture"


@record
class Tool:
    """What wrote the evidence."""

    name: str
    version: str


@record
class EvidenceBundle:
    """One machine at one time. It knows neither tender nor catalogue."""

    schema_version: Literal[1]
    tool: Tool
    origin: Origin
    origin_detail: str
    nonce: str
    started_at: str
    finished_at: str
    suite: str
    nvml: NvmlEvidence
    kernel: KernelEvidence
    torch: TorchEvidence
    host: HostEvidence
    environment: EnvironmentEvidence
    measurements: tuple[Measurement, ...]
