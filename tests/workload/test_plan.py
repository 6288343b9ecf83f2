from __future__ import annotations

import pytest

from gpuaudit.simulated.bench import SimulatedBench
from gpuaudit.simulated.spec import parse_spec
from gpuaudit.workload.bench import SilentProgress, Target
from gpuaudit.workload.plan import estimate, plan, steps_for
from gpuaudit.workload.suite import Scope, load_suite, suite_names


def test_quick_takes_at_most_a_minute_for_eight_devices_with_every_start_counted() -> None:
    suite = load_suite("quick")
    lines = plan(suite, 8)
    assert [line.name for line in lines[:2]] == [
        "start a process, load torch and ask what it sees",
        "start a process per device and load torch",
    ]
    assert min(line.seconds for line in lines) > 0
    assert sum(line.seconds for line in lines) == estimate(suite, 8).seconds
    assert estimate(suite, 8).seconds <= 60


@pytest.mark.parametrize("name", suite_names())
@pytest.mark.parametrize("count", [1, 2, 3, 8])
def test_the_plan_counts_the_measurements_that_a_run_gives(name: str, count: int) -> None:
    suite = load_suite(name)
    devices = parse_spec(f"a100-sxm4-80gb:{count}")
    given = SimulatedBench(devices).run(suite, [Target(uuid=device.uuid) for device in devices], SilentProgress())
    assert sum(line.measurements for line in plan(suite, count)) == len(given)


@pytest.mark.parametrize("name", suite_names())
def test_more_devices_never_take_less_time(name: str) -> None:
    seconds = [estimate(load_suite(name), count).seconds for count in range(1, 9)]
    assert seconds == sorted(seconds)


def test_one_device_has_no_links_to_measure() -> None:
    scopes = {step.scope for step in steps_for(load_suite("quick"), 1)}
    assert scopes == {Scope.DEVICE}


def test_without_a_device_the_processor_is_measured_and_nothing_else() -> None:
    scopes = {step.scope for step in steps_for(load_suite("quick"), 0)}
    assert scopes == {Scope.HOST}
    assert plan(load_suite("quick"), 0)[-1].measurements == 6


def test_the_estimate_of_energy_says_what_it_rests_on() -> None:
    whole = estimate(load_suite("quick"), 8)
    assert "700 W" in whole.basis
    assert whole.joules == pytest.approx(whole.seconds * 8 * 700)
