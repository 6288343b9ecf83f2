from __future__ import annotations

import pytest

from gpuaudit.simulated.bench import SimulatedBench
from gpuaudit.simulated.spec import parse_spec
from gpuaudit.units import Seconds
from gpuaudit.workload.bench import Target
from gpuaudit.workload.plan import estimate
from gpuaudit.workload.suite import load_suite


class Remembered:
    def __init__(self) -> None:
        self.told: list[tuple[str, float, float]] = []

    def update(self, step: str, *, fraction: float, left: Seconds) -> None:
        self.told.append((step, fraction, left))


def test_progress_rises_from_nothing_to_all_and_names_every_step() -> None:
    suite, devices, progress = load_suite("quick"), parse_spec("t4:2"), Remembered()
    SimulatedBench(devices).run(suite, [Target(uuid=device.uuid) for device in devices], progress)
    fractions = [fraction for _, fraction, _ in progress.told]
    assert fractions[0] == 0.0
    assert progress.told[0][2] == pytest.approx(estimate(suite, 2).seconds - suite.expected.start_seconds)
    assert fractions == sorted(fractions)
    assert progress.told[-1] == ("done", 1.0, 0.0)
    assert all(left >= 0 for _, _, left in progress.told)
    assert {step.name for step in suite.steps if step.scope != "host"} <= {name for name, _, _ in progress.told}
