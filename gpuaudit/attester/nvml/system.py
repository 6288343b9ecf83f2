"""What NVML says about itself and the system."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from gpuaudit.attester.nvml.answers import number, text
from gpuaudit.attester.nvml.read import Reader, unless_missing
from gpuaudit.evidence.reading import Reading


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemReadings:
    """The fields of `NvmlEvidence` that belong to no device."""

    driver_version: Reading[str]
    nvml_version: Reading[str]
    cuda_driver_version: Reading[int]
    confidential_compute_feature: Reading[int]


def read_system(reader: Reader) -> SystemReadings:
    """Ask for the state of confidential computing first, then for versions.

    The two calls for a certificate and an attestation report are not made here: where confidential computing is on, a failing
    one makes the driver tear it down [1]. Whether it is on must be known before anything else may ask for them.

    Source:
        [1] open-gpu-kernel-modules 595.45.04, conf_compute_api.c, confComputeSetErrorState.
    """
    feature = reader.read("nvmlSystemGetConfComputeState", of=_feature)
    return SystemReadings(
        confidential_compute_feature=feature,
        driver_version=reader.read("nvmlSystemGetDriverVersion", of=text),
        nvml_version=reader.read("nvmlSystemGetNVMLVersion", of=text),
        cuda_driver_version=unless_missing(
            reader.read("nvmlSystemGetCudaDriverVersion_v2", of=number),
            lambda: reader.read("nvmlSystemGetCudaDriverVersion", of=number),
        ),
    )


def _feature(state: Any) -> int:
    return number(state.ccFeature)
