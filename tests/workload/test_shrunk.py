from __future__ import annotations

from gpuaudit.evidence.measurement import Dtype, GemmTask, MemoryTask, Samples, StopReason
from gpuaudit.evidence.reading import Known, Reading, Reason, Source, Unknown
from gpuaudit.units import Bytes, Seconds
from gpuaudit.workload.bench import Target
from gpuaudit.workload.shrunk import Shrunk
from gpuaudit.workload.suite import Suite, task_of
from tests.workload.suites import step, suite_of


def product(edge: int) -> str:
    return f'{{ kind = "gemm", dtype = "fp64", m = {edge}, n = {edge}, k = {edge} }}'


SUITE = suite_of(step("device", product(8192), product(4096), product(2048), company="together"))
LARGE, MIDDLE, SMALL = (task_of(spec, free_bytes=Bytes(0), backend="") for spec in SUITE.steps[0].tasks)
TINY = GemmTask(dtype=Dtype.FP64, m=512, n=512, k=512, layout="tn")
HERE, THERE = [Target(uuid="GPU-0")], [Target(uuid="GPU-1")]
SAMPLES: Reading[Samples] = Known(
    value=Samples(
        amount_per_run=1.0,
        seconds=(Seconds(1.0),),
        warmup_runs=1,
        warmup_seconds=Seconds(1.0),
        stop=StopReason.BUDGET,
        half_width_relative=1.0,
    ),
    source=Source.WORKLOAD,
)


def shrunk(suite: Suite = SUITE) -> Shrunk:
    return Shrunk(suite)


def test_what_was_measured_as_planned_stands() -> None:
    assert shrunk().admit(SUITE.steps[0], HERE, LARGE, LARGE, SAMPLES) == (LARGE, SAMPLES)
    copy = MemoryTask(kind="copy", working_set_bytes=Bytes(8))
    assert shrunk().admit(SUITE.steps[0], HERE, LARGE, copy, SAMPLES) == (copy, SAMPLES)


def test_the_first_that_shrinks_to_a_size_keeps_its_number_and_the_others_do_not() -> None:
    one = shrunk()
    assert one.admit(SUITE.steps[0], HERE, LARGE, TINY, SAMPLES) == (TINY, SAMPLES)
    task, samples = one.admit(SUITE.steps[0], HERE, MIDDLE, TINY, SAMPLES)
    assert task == MIDDLE
    assert isinstance(samples, Unknown)
    assert samples.reason is Reason.TIMED_OUT
    assert one.admit(SUITE.steps[0], THERE, LARGE, TINY, SAMPLES) == (TINY, SAMPLES)


def test_a_product_that_shrinks_to_a_planned_one_leaves_it_the_place() -> None:
    task, samples = shrunk().admit(SUITE.steps[0], HERE, LARGE, SMALL, SAMPLES)
    assert task == LARGE
    assert isinstance(samples, Unknown)
