from __future__ import annotations

import pytest

from gpuaudit.errors import MalformedFileError, UsageError
from gpuaudit.evidence.measurement import CapacityTask, CollectiveTask, Company, Dtype, GemmTask
from gpuaudit.evidence.toml_file import load_toml
from gpuaudit.units import Bytes
from gpuaudit.workload.suite import (
    CapacitySpec,
    GemmSpec,
    LinkSpec,
    Scope,
    Suite,
    load_suite,
    suite_names,
    task_of,
)
from tests.workload.suites import COPY, GEMM, step, text_of

SUITES = [load_suite(name) for name in suite_names()]
BY_NAME = pytest.mark.parametrize("suite", SUITES, ids=lambda suite: suite.name)


def test_there_are_three_suites() -> None:
    assert suite_names() == ("full", "quick", "thorough")


def test_an_unknown_suite_is_refused_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match="got 'slow', expected one of full, quick, thorough"):
        load_suite("slow")


@pytest.mark.parametrize("name", ["../suites/quick", "quick.toml", "", "QUICK"])
def test_a_name_is_never_a_path(name: str) -> None:
    with pytest.raises(UsageError):
        load_suite(name)


@BY_NAME
def test_a_suite_is_named_for_its_file(suite: Suite) -> None:
    assert suite.name in suite_names()


@BY_NAME
def test_every_suite_measures_what_sheds_the_rivals(suite: Suite) -> None:
    """What the catalogue requires of an A100 or an H100 among several: bf16, fp64, copy, and the links between them."""
    dtypes = {
        spec.dtype for each in suite.steps if each.scope is Scope.DEVICE for spec in each.tasks if isinstance(spec, GemmSpec)
    }
    kinds = {spec.kind for each in suite.steps for spec in each.tasks}
    assert {Dtype.BF16, Dtype.FP64, Dtype.INT8, Dtype.FP8} <= dtypes
    assert {"copy", "capacity", "host-to-device", "peer-one-way", "peer-both-ways", "all-reduce"} <= kinds


@BY_NAME
def test_every_suite_has_the_one_fixed_product_of_each_type_all_at_once(suite: Suite) -> None:
    fixed = {
        spec.dtype
        for each in suite.steps
        if each.scope is Scope.DEVICE and each.company is Company.TOGETHER
        for spec in each.tasks
        if isinstance(spec, GemmSpec) and (spec.m, spec.n, spec.k) == (8192, 8192, 8192)
    }
    assert {Dtype.BF16, Dtype.FP16, Dtype.TF32, Dtype.INT8, Dtype.FP8} <= fixed


@BY_NAME
def test_what_runs_alone_has_also_run_together(suite: Suite) -> None:
    """The ratio of both shows one card behind several names."""
    steps = [each for each in suite.steps if each.scope is Scope.DEVICE]
    together = {str(spec) for each in steps if each.company is Company.TOGETHER for spec in each.tasks}
    alone = {str(spec) for each in steps if each.company is Company.ALONE for spec in each.tasks}
    assert alone
    missing = {text for text in alone - together if "FP64" not in text and "FP32" not in text}
    assert missing == set()


@BY_NAME
def test_nothing_is_measured_twice_on_the_same_devices(suite: Suite) -> None:
    """A choice between two runs would be a choice between two numbers; evidence with one is refused."""
    planned = [(each.scope, str(spec)) for each in suite.steps if each.company is Company.TOGETHER for spec in each.tasks]
    assert len(set(planned)) == len(planned)


@BY_NAME
def test_every_layout_is_one_that_int8_and_fp8_kernels_take(suite: Suite) -> None:
    layouts = {
        spec.layout
        for each in suite.steps
        for spec in each.tasks
        if isinstance(spec, GemmSpec) and spec.dtype in {Dtype.INT8, Dtype.FP8}
    }
    assert layouts == {"tn"}


@BY_NAME
def test_the_run_stops_before_a_genuine_card_would_slow_down_for_heat(suite: Suite) -> None:
    assert suite.limits.stop_celsius <= 89


@pytest.mark.parametrize(
    ("before", "after", "fault"),
    [
        pytest.param("least_runs = 6", "least_run = 6", "least_run: ", id="misspelt"),
        pytest.param("least_runs = 6", "least_runs = 2", "least_runs", id="too-few-runs"),
        pytest.param("interval_relative = 0.05", "interval_relative = 0", "interval_relative", id="an-interval-of-nothing"),
        pytest.param("stop_celsius = 89", 'stop_celsius = "89"', "stop_celsius", id="text-for-a-number"),
        pytest.param('company = "alone"', 'company = "lonely"', "company", id="unknown-company"),
        pytest.param('dtype = "fp32"', 'dtype = "fp31"', "dtype", id="unknown-dtype"),
        pytest.param("m = 64", "m = -64", r"tasks\[0\]\.m: ", id="negative-edge"),
        pytest.param('kind = "gemm"', 'kind = "gem"', r"tasks\[0\]\.kind: ", id="unknown-task"),
        pytest.param("schema = 1", "schema = 2", "schema", id="newer-schema"),
        pytest.param("schema = 1", "schema = ", "not TOML: Invalid value", id="not-toml"),
        pytest.param("[limits]", "[limits]\nwhen = 2026-01-01", "date", id="a-date"),
    ],
)
def test_a_fault_in_a_suite_is_named(before: str, after: str, fault: str) -> None:
    good = text_of(step("device", GEMM, COPY))
    assert isinstance(load_toml(Suite, good.encode(), place="x.toml"), Suite)
    with pytest.raises(MalformedFileError, match=rf"^x\.toml:\d+: .*{fault}"):
        load_toml(Suite, good.replace(before, after, 1).encode(), place="x.toml")


def test_capacity_is_a_share_of_what_is_free_in_whole_blocks() -> None:
    spec = CapacitySpec(kind="capacity", free_share=0.5, block_bytes=1000, most_bytes=10**9)
    assert task_of(spec, free_bytes=Bytes(5000), backend="") == CapacityTask(
        requested_bytes=Bytes(2000), block_bytes=Bytes(1000)
    )
    assert task_of(spec, free_bytes=Bytes(600), backend="") == CapacityTask(requested_bytes=Bytes(300), block_bytes=Bytes(300))
    assert task_of(spec, free_bytes=Bytes(0), backend="") == CapacityTask(requested_bytes=Bytes(0), block_bytes=Bytes(0))
    assert task_of(spec, free_bytes=Bytes(10**12), backend="") == CapacityTask(
        requested_bytes=Bytes(10**9), block_bytes=Bytes(1000)
    )


def test_a_collective_names_what_carried_it() -> None:
    spec = LinkSpec(kind="all-reduce", buffer_bytes=8)
    assert task_of(spec, free_bytes=Bytes(0), backend="gloo") == CollectiveTask(
        kind="all-reduce", buffer_bytes=Bytes(8), backend="gloo"
    )


def test_a_product_is_taken_over_as_it_is() -> None:
    spec = GemmSpec(kind="gemm", dtype=Dtype.INT8, m=1, n=2, k=3, layout="nt")
    assert task_of(spec, free_bytes=Bytes(0), backend="") == GemmTask(dtype=Dtype.INT8, m=1, n=2, k=3, layout="nt")
