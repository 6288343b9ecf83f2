from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpuaudit.evidence.measurement import Dtype, GemmTask, MemoryTask, Samples, StopReason, Task
from gpuaudit.evidence.reading import Known, Reading, Reason, Unknown
from gpuaudit.units import Bytes
from gpuaudit.workload.sampling import measure
from tests.workload.accelerators import SAMPLING, ChosenAccelerator, always, capacity, noisy, terms

COPY = MemoryTask(kind="copy", working_set_bytes=Bytes(2**30))
GEMM = GemmTask(dtype=Dtype.FP16, m=8192, n=8192, k=8192, layout="tn")


def nothing() -> None:
    pass


def samples_of(reading: Reading[Samples]) -> Samples:
    assert isinstance(reading, Known)
    return reading.value


def measured(accelerator: ChosenAccelerator, task: Task = COPY, *, budget: float = 2.0, least: float = 0.0) -> Samples:
    return samples_of(measure(accelerator, task, terms(budget, least_seconds=least), ready=nothing)[1])


def test_a_quiet_device_is_done_after_the_fewest_runs() -> None:
    samples = measured(ChosenAccelerator(noisy(0.001, 0.001)))
    assert samples.stop is StopReason.STEADY
    assert len(samples.seconds) == SAMPLING.least_runs
    assert samples.half_width_relative <= SAMPLING.interval_relative


def test_no_interval_is_claimed_to_be_narrower_than_what_such_machines_drift_by() -> None:
    samples = measured(ChosenAccelerator(always(0.001)))
    assert samples.half_width_relative == SAMPLING.drift_relative


def test_a_noisy_device_gets_more_runs_until_the_interval_is_narrow_enough() -> None:
    samples = measured(ChosenAccelerator(noisy(0.001, 0.02)))
    assert samples.stop is StopReason.STEADY
    assert len(samples.seconds) > SAMPLING.least_runs
    assert samples.half_width_relative <= SAMPLING.interval_relative


def test_a_very_noisy_device_stops_at_the_most_runs_and_says_how_wide_the_interval_is() -> None:
    samples = measured(ChosenAccelerator(noisy(0.001, 0.3)))
    assert samples.stop is StopReason.COUNT
    assert len(samples.seconds) == SAMPLING.most_runs
    assert samples.half_width_relative > SAMPLING.interval_relative


def test_a_slow_device_stops_at_the_budget() -> None:
    accelerator = ChosenAccelerator(noisy(0.1, 0.3))
    samples = measured(accelerator, budget=2.0)
    assert samples.stop is StopReason.BUDGET
    assert accelerator.clock - 100 < 2.0 + 0.3


def test_runs_before_the_clock_is_up_are_not_kept() -> None:
    """A card leaves its idle clock: ten times slower at first, steady after thirty runs."""

    def rising(count: int) -> float:
        return 0.001 * max(1.0, 10 - 0.3 * count)

    samples = measured(ChosenAccelerator(rising))
    assert samples.warmup_runs >= 30
    assert set(samples.seconds) == {0.001}


def test_short_tasks_are_repeated_within_a_run_and_all_passes_count() -> None:
    samples = measured(ChosenAccelerator(always(0.00002)))
    assert min(samples.seconds) >= SAMPLING.shortest_run_seconds
    assert samples.amount_per_run == 5 * COPY.working_set_bytes
    assert samples.median_rate() == pytest.approx(COPY.working_set_bytes / 0.00002)


def test_devices_that_run_together_keep_on_until_all_have_overlapped() -> None:
    accelerator = ChosenAccelerator(always(0.001))
    samples = measured(accelerator, budget=2.0, least=1.0)
    assert accelerator.clock - 100 >= 1.0
    assert len(samples.seconds) <= SAMPLING.most_runs


@settings(max_examples=60)
@given(
    pass_seconds=st.floats(1e-6, 0.02),
    spread=st.floats(0, 0.5),
    budget=st.floats(0.05, 3),
    share=st.floats(0, 1),
)
def test_whatever_the_device_does_the_budget_holds_within_a_few_runs(
    pass_seconds: float, spread: float, budget: float, share: float
) -> None:
    accelerator = ChosenAccelerator(noisy(pass_seconds, min(spread, 0.2)))
    samples = measured(accelerator, budget=budget, least=budget * share)
    longest = max(pass_seconds, SAMPLING.shortest_run_seconds, budget * share / SAMPLING.most_runs) * 2
    assert accelerator.clock - 100 <= budget + 4 * longest
    assert 1 <= len(samples.seconds) <= SAMPLING.most_runs
    assert accelerator.in_use == 0


@pytest.mark.parametrize("slower", [1, 10, 100, 1000, 10_000, 100_000])
def test_the_budget_holds_where_a_dtype_is_a_thousand_times_slower(slower: int) -> None:
    accelerator = ChosenAccelerator(per_flop=1e-14 * slower)
    task, reading = measure(accelerator, GEMM, terms(0.5), ready=nothing)
    assert accelerator.clock - 100 <= 0.6
    assert accelerator.in_use == 0
    assert isinstance(task, GemmTask)
    assert samples_of(reading).median_rate() == pytest.approx(1 / (1e-14 * slower), rel=0.2)
    assert (task == GEMM) == (slower <= 1)


def test_a_product_that_is_too_slow_is_measured_at_a_smaller_size_and_says_so() -> None:
    """An H800 has a sixtieth of an H100's FP64: a low number tells more than none."""
    accelerator = ChosenAccelerator(per_flop=1e-12)
    task, reading = measure(accelerator, dataclasses.replace(GEMM, dtype=Dtype.FP64), terms(1.0), ready=nothing)
    assert isinstance(task, GemmTask)
    assert (task.dtype, task.layout) == (Dtype.FP64, "tn")
    assert 512 <= task.m < 8192
    assert samples_of(reading).amount_per_run == 2.0 * task.m * task.n * task.k


def test_where_not_even_the_smallest_product_fits_there_is_no_number() -> None:
    accelerator = ChosenAccelerator(per_flop=1.0)
    _, reading = measure(accelerator, GEMM, terms(0.5), ready=nothing)
    assert isinstance(reading, Unknown)
    assert reading.reason is Reason.TIMED_OUT
    assert len(accelerator.prepared) == 1


def test_trials_use_one_set_of_operands_and_the_measurement_rotates_them() -> None:
    accelerator = ChosenAccelerator(per_flop=1e-15)
    measure(accelerator, GEMM, terms(0.5), ready=nothing)
    assert set(accelerator.rotation[:-1]) == {0}
    assert accelerator.rotation[-1] == SAMPLING.rotation_bytes


@pytest.mark.parametrize("run", [0, 1, 5, 30])
def test_a_device_that_is_lost_gives_its_reason_and_gets_its_memory_back(run: int) -> None:
    accelerator = ChosenAccelerator(noisy(0.001, 0.1), fails_at=run)
    _, reading = measure(accelerator, COPY, terms(1.0), ready=nothing)
    assert isinstance(reading, Unknown)
    assert (reading.reason, reading.detail) == (Reason.LOST, "gone")
    assert accelerator.in_use == 0


def test_a_dtype_that_the_device_lacks_is_unknown_and_not_zero() -> None:
    _, reading = measure(ChosenAccelerator(refuses="no fp16"), GEMM, terms(1.0), ready=nothing)
    assert isinstance(reading, Unknown)
    assert reading.reason is Reason.NOT_SUPPORTED


@pytest.mark.parametrize("clock", [0.0, -1.0, float("nan"), float("inf")])
@pytest.mark.parametrize("from_run", [0, 20])
def test_a_clock_that_stands_still_or_runs_back_gives_no_number(clock: float, from_run: int) -> None:
    accelerator = ChosenAccelerator(lambda count: 0.001 if count < from_run else clock)
    _, reading = measure(accelerator, COPY, terms(1.0), ready=nothing)
    assert isinstance(reading, Unknown)
    assert reading.reason is Reason.FAULT
    assert accelerator.in_use == 0


@pytest.mark.parametrize("clock", [-1e-9, float("nan"), float("inf")])
def test_one_impossible_time_among_many_spoils_them_all(clock: float) -> None:
    """JSON has no word for it, and a median would pass over it."""
    accelerator = ChosenAccelerator(lambda count: clock if count == 58 else 0.001)
    _, reading = measure(accelerator, COPY, terms(1.0), ready=nothing)
    assert isinstance(reading, Unknown)
    assert reading.reason is Reason.FAULT


def test_memory_is_filled_once_without_warm_up() -> None:
    accelerator = ChosenAccelerator(always(0.5))
    samples = measured(accelerator, capacity(16), budget=1.0)
    assert (len(samples.seconds), samples.warmup_runs) == (1, 0)
    assert samples.amount_per_run == 16 * 2**20


def test_nothing_runs_before_the_word_is_given() -> None:
    accelerator = ChosenAccelerator()

    def ready() -> None:
        assert accelerator.in_use == 1
        assert accelerator.clock == 100.0

    assert isinstance(measure(accelerator, COPY, terms(1.0), ready=ready)[1], Known)


@pytest.mark.parametrize("spread", [0.0, 0.01, 0.05])
def test_the_median_is_right_within_what_is_claimed(spread: float) -> None:
    """In 300 repeats, the interval at the stop holds the true median at least nine times in ten: looking early costs a little."""
    held = 0
    for seed in range(300):
        samples = measured(ChosenAccelerator(noisy(0.001, spread, seed=seed)))
        rate = COPY.working_set_bytes / samples.median_rate()
        held += abs(rate - 0.001) <= 0.001 * max(samples.half_width_relative, 1e-6) * 1.2
    assert held >= 270
