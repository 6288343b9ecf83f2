"""Origin is decided by what lies beneath, never by what it says of itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from gpuaudit.attester.interpreter import running_interpreter
from gpuaudit.attester.machine import Machine, origin_of, this_machine
from gpuaudit.evidence.bundle import Origin
from gpuaudit.evidence.host import TorchEvidence
from gpuaudit.evidence.measurement import Measurement
from gpuaudit.simulated.bench import SimulatedBench
from gpuaudit.simulated.nvml import simulated_nvml
from gpuaudit.simulated.spec import parse_spec
from gpuaudit.workload.bench import Progress, Target
from gpuaudit.workload.suite import Suite
from gpuaudit.workload.torch_bench import TorchBench
from tests.attester.interpreters import honest_interpreter


class BoastfulBench:
    """A third party's fake that says that it measures hardware."""

    @property
    def simulated(self) -> bool:
        return False

    def describe(self) -> TorchEvidence:
        raise NotImplementedError

    def run(self, suite: Suite, targets: Sequence[Target], progress: Progress) -> tuple[Measurement, ...]:
        raise NotImplementedError


class BoastfulTorchBench(TorchBench):
    """A fake that inherits the right to be believed."""


def genuine() -> Machine:
    return this_machine(TorchBench())


def test_this_machine_with_torch_is_hardware_also_without_any_library() -> None:
    origin, detail = origin_of(genuine())
    assert origin is Origin.HARDWARE
    assert "torch's measurements" in detail


@pytest.mark.parametrize(
    ("machine", "says"),
    [
        pytest.param(replace(genuine(), bench=SimulatedBench(())), "not torch's", id="simulated-bench"),
        pytest.param(replace(genuine(), bench=BoastfulBench()), "not torch's", id="a-fake-that-denies-it"),
        pytest.param(replace(genuine(), bench=BoastfulTorchBench()), "not torch's", id="a-fake-that-inherits"),
        pytest.param(replace(genuine(), root=Path("/tmp")), "tree of files", id="another-root"),  # noqa: S108 - never read
        pytest.param(replace(genuine(), interpreter=honest_interpreter), "interpreter", id="described-interpreter"),
        pytest.param(replace(genuine(), interpreter=lambda: running_interpreter()), "interpreter", id="wrapped-interpreter"),  # noqa: PLW0108 - the wrapping is the point
    ],
)
def test_anything_else_beneath_is_simulated_and_named(machine: Machine, says: str) -> None:
    origin, detail = origin_of(machine)
    assert origin is Origin.SIMULATED
    assert says in detail


def test_a_replaced_library_makes_a_genuine_machine_simulated_only_while_it_is_there() -> None:
    with simulated_nvml(parse_spec("t4:1")):
        origin, detail = origin_of(genuine())
        assert origin is Origin.SIMULATED
        assert "pynvml" in detail
    assert origin_of(genuine())[0] is Origin.HARDWARE


def test_no_variable_of_the_environment_changes_the_origin(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GPUAUDIT_ORIGIN", "GPUAUDIT_SIMULATED", "GPUAUDIT_HARDWARE"):
        monkeypatch.setenv(name, "hardware")
    assert origin_of(replace(genuine(), bench=SimulatedBench(())))[0] is Origin.SIMULATED
