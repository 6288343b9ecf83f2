from __future__ import annotations

from gpuaudit.evidence.reading import Reason
from gpuaudit.workload.bench import Target
from gpuaudit.workload.subjects import busy_reading, subjects_of
from gpuaudit.workload.suite import Step
from tests.workload.suites import ALL_REDUCE, COPY, step, suite_of

ONE_WAY = '{ kind = "peer-one-way", buffer_bytes = 8 }'
BOTH_WAYS = '{ kind = "peer-both-ways", buffer_bytes = 8 }'


def targets(count: int, *busy: int) -> list[Target]:
    return [Target(uuid=f"GPU-{index}", busy=index in busy) for index in range(count)]


def step_of(scope: str, task: str) -> Step:
    return suite_of(step(scope, task)).steps[0]


def chosen(scope: str, task: str, among: list[Target]) -> list[tuple[str, ...]]:
    one = step_of(scope, task)
    return [tuple(target.uuid[-1] for target in subjects) for subjects in subjects_of(one, one.tasks[0], among)]


def test_every_device_is_a_subject_the_busy_ones_too() -> None:
    assert chosen("device", COPY, targets(3, 1)) == [("0",), ("1",), ("2",)]


def test_one_way_runs_in_both_orders_and_both_ways_once() -> None:
    assert chosen("pairs", ONE_WAY, targets(3)) == [("0", "1"), ("0", "2"), ("1", "0"), ("1", "2"), ("2", "0"), ("2", "1")]
    assert chosen("pairs", BOTH_WAYS, targets(3)) == [("0", "1"), ("0", "2"), ("1", "2")]


def test_a_collective_leaves_the_busy_out_while_two_remain() -> None:
    assert chosen("group", ALL_REDUCE, targets(4, 2)) == [("0", "1", "3")]
    assert chosen("group", ALL_REDUCE, targets(3, 1, 2)) == [("0", "1", "2")]


def test_the_processor_has_no_subject() -> None:
    assert chosen("host", COPY, []) == [()]


def test_a_busy_reading_names_who_is_busy() -> None:
    reading = busy_reading(targets(3, 1))
    assert reading.reason is Reason.BUSY
    assert "GPU-1" in reading.detail
    assert "GPU-0" not in reading.detail
