"""Quantities worked out from several readings: what each needs, and what it makes of nonsense."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.soundness_study.questions import evidence_of
from gpuaudit.appraisal.case import DeviceCase, device_cases
from gpuaudit.appraisal.derived import KNEE, PER_CORE_CLOCK
from gpuaudit.appraisal.reference import Yardstick
from gpuaudit.evidence.bundle import EvidenceBundle
from gpuaudit.evidence.measurement import GemmTask, MemoryTask
from gpuaudit.evidence.reading import Known, Reason, Unknown
from gpuaudit.simulated.spec import parse_spec
from tests.appraisal.machines import missing, nvml, with_device

MEBIBYTE = 1024**2
SPEC = "a100-sxm4-80gb"


def case(bundle: EvidenceBundle, yardstick: Yardstick) -> DeviceCase:
    (one,) = device_cases(bundle, yardstick.thresholds.canonical)
    return one


def known(one: DeviceCase, name: str) -> float:
    reading = one.reading(name)
    assert isinstance(reading, Known), reading
    return float(reading.value)


@pytest.mark.parametrize(
    ("spec", "knee"),
    [
        pytest.param("t4", 0, id="4-MB-is-below-what-is-tried"),
        pytest.param(SPEC, 32, id="40-MB"),
        pytest.param("l40s", 128, id="96-MB"),
    ],
)
def test_the_knee_follows_the_cache(spec: str, knee: int, yardstick: Yardstick) -> None:
    assert known(case(evidence_of(parse_spec(spec)), yardstick), KNEE) == knee * MEBIBYTE


def test_without_the_memorys_own_rate_there_is_no_knee(yardstick: Yardstick) -> None:
    bundle = evidence_of(parse_spec(SPEC))
    copies = tuple(one for one in bundle.measurements if not (isinstance(one.task, MemoryTask) and one.task.kind == "copy"))
    assert isinstance(case(replace(bundle, measurements=copies), yardstick).reading(KNEE), Unknown)


def test_without_a_curve_there_is_no_knee(yardstick: Yardstick) -> None:
    bundle = evidence_of(parse_spec(SPEC))
    plain = tuple(
        one for one in bundle.measurements if not (isinstance(one.task, MemoryTask) and one.task.kind == "cached-copy")
    )
    assert isinstance(case(replace(bundle, measurements=plain), yardstick).reading(KNEE), Unknown)


def test_a_capped_card_does_as_much_per_clock_as_a_free_one(yardstick: Yardstick) -> None:
    free, capped = (case(evidence_of(parse_spec(SPEC), adversary), yardstick) for adversary in ("", "capped=0.5"))
    assert known(capped, "gemm-bf16") < 0.6 * known(free, "gemm-bf16")
    assert known(capped, PER_CORE_CLOCK) == pytest.approx(known(free, PER_CORE_CLOCK), rel=0.03)


def test_a_shared_card_does_less_per_clock(yardstick: Yardstick) -> None:
    free, shared = (case(evidence_of(parse_spec(SPEC), adversary), yardstick) for adversary in ("", "shared=2"))
    assert known(shared, PER_CORE_CLOCK) < 0.6 * known(free, PER_CORE_CLOCK)


@pytest.mark.parametrize(
    ("cores", "reason"),
    [
        pytest.param(missing(), Reason.NOT_SUPPORTED, id="not-offered"),
        pytest.param(nvml(0), Reason.FAULT, id="zero-is-nonsense"),
    ],
)
def test_without_cores_nothing_is_said_per_core(cores: object, reason: Reason, yardstick: Yardstick) -> None:
    bundle = with_device(evidence_of(parse_spec(SPEC)), 0, identity={"gpu_core_count": cores})
    reading = case(bundle, yardstick).reading(PER_CORE_CLOCK)
    assert isinstance(reading, Unknown)
    assert reading.reason is reason


def test_without_telemetry_nothing_is_said_per_clock(yardstick: Yardstick) -> None:
    bundle = evidence_of(parse_spec(SPEC))
    dark = tuple(replace(one, telemetry=missing()) if isinstance(one.task, GemmTask) else one for one in bundle.measurements)
    assert isinstance(case(replace(bundle, measurements=dark), yardstick).reading(PER_CORE_CLOCK), Unknown)
