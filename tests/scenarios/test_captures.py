"""Captures of other people's machines: genuine ones are no frauds, whatever they hide, and the mock shows what gives it away."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.soundness_study.questions import answer, question
from gpuaudit.appraisal.case import device_cases
from gpuaudit.appraisal.policy import load_policy
from gpuaudit.appraisal.reference import Yardstick
from gpuaudit.appraisal.result import AttestationResult, Verdict
from gpuaudit.attester.capture.bundle import import_capture
from gpuaudit.evidence.bundle import EvidenceBundle
from gpuaudit.evidence.reading import Known, Reason, Source, Unknown

CAPTURES = Path(__file__).parents[2] / ".." / "shared" / "captures"
pytestmark = pytest.mark.skipif(not CAPTURES.exists(), reason="the captures are not beside the repository")

GENUINE = {
    "k8s-test-infra-hw-a100.xml": ("a100-sxm4-40gb", "A100", 1),
    "k8s-test-infra-hw-h100.xml": ("h100-sxm5-80gb", "H100", 8),
    "k8s-test-infra-hw-l40s.xml": ("l40s", "L40S", 1),
    "k8s-test-infra-hw-t4.xml": ("t4", "T4", 1),
    "telegraf-a100-sxm4-v12.xml": ("a100-sxm4-80gb", "A100", 1),
    "telegraf-tesla-t4.xml": ("t4", "T4", 1),
}
HIDDEN = Unknown(reason=Reason.NOT_CAPTURED, source=Source.CAPTURE, detail="hidden")
NAMING = {
    "identity": ("name", "gpu_part_number", "board_part_number"),
    "pci": ("device_id", "subsystem_id"),
    "firmware": ("vbios_version",),
}


def captured(name: str) -> EvidenceBundle:
    return import_capture((CAPTURES / name).read_bytes(), place=name)


def judged(name: str, claim: str, cards: int, yardstick: Yardstick) -> AttestationResult:
    asked = replace(question(claim, cards), policy=load_policy("testimony"))
    return answer(captured(name), asked, yardstick)


@pytest.mark.parametrize(("name", "claim", "cards"), [(name, claim, cards) for name, (_, claim, cards) in GENUINE.items()])
def test_a_genuine_capture_is_never_refuted(name: str, claim: str, cards: int, yardstick: Yardstick) -> None:
    result = judged(name, claim, cards, yardstick)
    assert result.verdict is Verdict.INCONCLUSIVE
    # Slices of the one card in MIG mode were captured, so it is not confirmed as a whole card.
    in_slices = name == "telegraf-a100-sxm4-v12.xml"
    assert result.by_basis.reported is (Verdict.INCONCLUSIVE if in_slices else Verdict.CONFIRMED)


@pytest.mark.parametrize(("name", "product"), [(name, product) for name, (product, _, _) in GENUINE.items()])
def test_with_name_and_ids_hidden_the_rest_still_allows_the_right_product(
    name: str, product: str, yardstick: Yardstick
) -> None:
    bundle = captured(name)
    devices = tuple(
        replace(one, **{group: replace(getattr(one, group), **dict.fromkeys(names, HIDDEN)) for group, names in NAMING.items()})
        for one in bundle.nvml.devices
    )
    hidden = replace(bundle, nvml=replace(bundle.nvml, devices=devices))
    left = []
    for case in device_cases(hidden, yardstick.thresholds.canonical):
        allowed = yardstick.everyone
        for reference in yardstick.references:
            reading = case.compared(reference.rule.reads)
            if isinstance(reading, Known):
                allowed -= reference.divide(reading.value, yardstick.index, peers_needed=1).excluded
        left.append(allowed)
    assert all(product in allowed for allowed in left)
    # One capture counts four cards and prints one: of the others nothing is known.
    assert min(map(len, left)) < len(yardstick.everyone) / 2


def test_the_mock_meets_the_findings_that_it_deserves(yardstick: Yardstick) -> None:
    result = judged("k8s-test-infra-mock-a100-healthy.xml", "A100", 2, yardstick)
    assert result.verdict is Verdict.INCONCLUSIVE
    assert result.by_basis.reported is Verdict.INCONCLUSIVE
    # It shows the two bytes of an A100's subsystem the wrong way round.
    assert "pci-subsystem-id: 10de:1347 is listed for no product" in result.headline
