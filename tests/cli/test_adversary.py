"""`--adversary` plays on simulated machines, and on no other."""

from __future__ import annotations

import json

from gpuaudit.cli.exits import Exit
from tests.cli.conftest import Gpuaudit

AUDIT = ("audit", "--tender", "sustech-2024", "--allow-simulated", "--format", "json")


def test_a_renamed_t4_is_refuted(gpuaudit: Gpuaudit) -> None:
    ran = gpuaudit(*AUDIT, "--simulate", "t4:8", "--adversary", "renamed-as=a100-sxm4-80gb,ids")
    assert ran.code == Exit.REFUTED
    assert json.loads(ran.out)["origin"] == "simulated"


def test_a_forged_a800_is_left_open_and_named(gpuaudit: Gpuaudit) -> None:
    ran = gpuaudit(*AUDIT, "--simulate", "a800-sxm4-80gb:8", "--adversary", "nvml-of=a100-sxm4-80gb,kernel-too")
    assert ran.code == Exit.INCONCLUSIVE
    assert "a800-sxm4-80gb" in {rival["product"] for line in json.loads(ran.out)["lines"] for rival in line["rivals"]}


def test_an_adversary_needs_a_simulated_machine(gpuaudit: Gpuaudit) -> None:
    ran = gpuaudit("probe", "--adversary", "twins")
    assert ran.code == Exit.USAGE
    assert "expected --simulate SPEC" in ran.err


def test_an_unknown_adversary_is_named_with_those_that_there_are(gpuaudit: Gpuaudit) -> None:
    ran = gpuaudit("attest", "--simulate", "t4", "--adversary", "vampire")
    assert ran.code == Exit.USAGE
    assert "renamed-as" in ran.err


def test_probe_shows_what_the_adversary_says(gpuaudit: Gpuaudit) -> None:
    ran = gpuaudit("probe", "--simulate", "t4", "--adversary", "renamed-as=a100-sxm4-80gb", "--format", "json")
    assert ran.code == Exit.CONFIRMED
    assert "NVIDIA A100-SXM4-80GB" in ran.out
