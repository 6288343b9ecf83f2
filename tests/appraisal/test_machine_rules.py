"""Rules on machines: an honest machine, a dishonest one, and one that does not say."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from benchmarks.soundness_study.questions import evidence_of
from gpuaudit.appraisal.reference import Yardstick
from gpuaudit.appraisal.result import Finding, Outcome
from gpuaudit.appraisal.rules.machine import MACHINE_RULES
from gpuaudit.appraisal.rules.machine_rule import Context
from gpuaudit.evidence.bundle import EvidenceBundle
from gpuaudit.evidence.kernel import KernelEvidence
from gpuaudit.evidence.reading import Reason, Source, Unknown
from gpuaudit.simulated.profile import known_profiles
from gpuaudit.simulated.spec import parse_spec
from tests.appraisal.machines import blank

SPEC = "a100-sxm4-80gb:2"
# What each rule is contradicted by: a line for the repertoire, and the machine on which it plays.
DISHONEST = {
    "device-count": ("a100-sxm4-80gb", "one-card-as=2"),
    "distinct-devices": (SPEC, "twins"),
    "pci-agreement": ("t4", "renamed-as=a100-sxm4-80gb,ids"),
    "proc-agreement": ("t4", "renamed-as=a100-sxm4-80gb"),
    "torch-agreement": (SPEC, "limited-to=40"),
    "driver-agreement": (SPEC, "windows-driver"),
    "driver-system": (SPEC, "windows-driver,hidden-proc"),
    "library": (SPEC, "limited-to=40"),
    "mounts": (SPEC, "overlay"),
    "known-board": (SPEC, "name-form=NVIDIA Graphics Device"),
    "memory-sums": (SPEC, "overfull"),
    "telemetry-moves": (SPEC, "static-telemetry"),
    "energy": (SPEC, "idle-telemetry"),
    "load-rise": (SPEC, "idle-telemetry"),
    "company": ("a100-sxm4-80gb", "one-card-as=2"),
    "bandwidth-agreement": ("t4", "nvml-of=a100-sxm4-80gb"),
}
# These look at the evidence itself; tests/appraisal/test_appraise.py plays them.
ELSEWHERE = {"origin", "freshness"}
LEFT_OUT = Unknown(reason=Reason.NOT_FOUND, source=Source.HOST, detail="left out")


def found(slug: str, bundle: EvidenceBundle, yardstick: Yardstick) -> Finding:
    rule = next(rule for rule in MACHINE_RULES if rule.slug == slug)
    return rule.find(bundle, Context(nonce_expected="", plausible=yardstick.thresholds.plausible))


def test_every_rule_has_somebody_whom_it_catches() -> None:
    assert {rule.slug for rule in MACHINE_RULES} == set(DISHONEST) | ELSEWHERE


@pytest.mark.parametrize("profile", known_profiles())
def test_no_rule_is_contradicted_by_an_honest_machine(profile: str, yardstick: Yardstick) -> None:
    bundle = evidence_of(parse_spec(f"{profile}:2"))
    contradicted = [slug for slug in DISHONEST if found(slug, bundle, yardstick).outcome is Outcome.CONTRADICTED]
    assert not contradicted


@pytest.mark.parametrize("slug", sorted(set(DISHONEST) - {"library"}))
def test_an_honest_machine_satisfies_each_rule(slug: str, yardstick: Yardstick) -> None:
    assert found(slug, evidence_of(parse_spec(SPEC)), yardstick).outcome is Outcome.SATISFIED


@pytest.mark.parametrize("slug", sorted(DISHONEST))
def test_a_dishonest_machine_contradicts_each_rule_and_excludes_nobody(slug: str, yardstick: Yardstick) -> None:
    spec, adversary = DISHONEST[slug]
    finding = found(slug, evidence_of(parse_spec(spec), adversary), yardstick)
    assert finding.outcome is Outcome.CONTRADICTED
    assert not finding.required
    assert not finding.excluded


def without_devices(bundle: EvidenceBundle) -> EvidenceBundle:
    return replace(bundle, nvml=replace(bundle.nvml, devices=(), driver_version=LEFT_OUT), measurements=())


def without_other_sources(bundle: EvidenceBundle) -> EvidenceBundle:
    environment = replace(bundle.environment, libraries=LEFT_OUT, mounts=LEFT_OUT)
    torch = replace(bundle.torch, devices=LEFT_OUT)
    return replace(bundle, kernel=blank(KernelEvidence), torch=torch, environment=environment)


@pytest.mark.parametrize(
    ("slug", "hide"),
    [
        *(
            (slug, without_devices)
            for slug in sorted(set(DISHONEST) - {"device-count", "distinct-devices", "library", "mounts"})
        ),
        *((slug, without_other_sources) for slug in ("device-count", "library", "mounts", "proc-agreement", "torch-agreement")),
    ],
)
def test_a_machine_that_does_not_say_leaves_a_rule_undetermined(
    slug: str, hide: Callable[[EvidenceBundle], EvidenceBundle], yardstick: Yardstick
) -> None:
    bundle = hide(evidence_of(parse_spec(SPEC)))
    assert found(slug, bundle, yardstick).outcome is Outcome.UNDETERMINED


def test_a_runtimes_own_mounts_are_no_overlay(yardstick: Yardstick) -> None:
    mounts = (
        "41 22 0:50 / /proc/driver/nvidia rw - tmpfs tmpfs rw\n"
        "42 41 0:21 /driver/nvidia/gpus/0000:04:00.0 /proc/driver/nvidia/gpus/0000:04:00.0 ro - proc proc rw\n"
    )
    bundle = evidence_of(parse_spec(SPEC), files={"/proc/self/mountinfo": mounts})
    assert found("mounts", bundle, yardstick).outcome is Outcome.SATISFIED
