"""What only a machine with an NVIDIA GPU can show. Runs by itself where there is one, and is skipped elsewhere."""

from __future__ import annotations

import statistics
from collections.abc import Iterator

import pytest
import torch
import torch.utils.benchmark

from gpuaudit.attester.nvml.session import collect_nvml
from gpuaudit.attester.nvml.telemetry import NvmlSampler
from gpuaudit.evidence.measurement import Dtype, GemmTask, Measurement, MemoryTask, quantity
from gpuaudit.evidence.reading import Known, Reason, Unknown
from gpuaudit.evidence.telemetry import summary_of
from gpuaudit.units import Bytes
from gpuaudit.workload.bench import SilentProgress, Target
from gpuaudit.workload.plan import estimate
from gpuaudit.workload.suite import load_suite
from gpuaudit.workload.torch_accelerator import TorchAccelerator, open_cuda
from gpuaudit.workload.torch_bench import TorchBench
from tests.workload.processes import nothing_left

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a real accelerator"),
]


def uuids() -> list[str]:
    return [device.identity.uuid.value for device in collect_nvml().devices if isinstance(device.identity.uuid, Known)]


@pytest.fixture
def device() -> TorchAccelerator:
    return open_cuda((uuids()[0],))


@pytest.fixture(scope="module")
def quick() -> Iterator[tuple[Measurement, ...]]:
    targets = [Target(uuid=uuid) for uuid in uuids()]
    with nothing_left():
        yield TorchBench(NvmlSampler()).run(load_suite("quick"), targets, SilentProgress())


def test_torch_and_nvml_join_on_the_uuid() -> None:
    described = TorchBench().describe().devices
    assert isinstance(described, Known)
    shown = {device.uuid.value for device in described.value if isinstance(device.uuid, Known)}
    assert shown == set(uuids())


def test_a_product_is_timed_as_torchs_own_timer_times_it(device: TorchAccelerator) -> None:
    kernel = device.prepare(GemmTask(dtype=Dtype.FP32, m=4096, n=4096, k=4096, layout="tn"), rotation_bytes=Bytes(0))
    ((a, b, c),) = kernel._buffers
    timer = torch.utils.benchmark.Timer("torch.mm(a, b, out=c)", globals={"torch": torch, "a": a, "b": b, "c": c})
    kernel.time(20, passes=1)
    ratios = [kernel.time(1, passes=5)[0] / 5 / timer.timeit(5).mean for _ in range(40)]
    assert statistics.median(ratios) == pytest.approx(1, abs=0.02)


def test_a_copy_does_not_exceed_what_the_memory_can_do(device: TorchAccelerator) -> None:
    """Half of it fits into no cache: a rate above the bus would show a clock that lies or a copy that was left out."""
    kernel = device.prepare(MemoryTask(kind="copy", working_set_bytes=Bytes(2**31)), rotation_bytes=Bytes(0))
    rate = kernel.amount_per_pass() / statistics.median(kernel.time(20, passes=1))
    assert 1e11 < rate < 1e13


def test_every_measurement_of_the_default_suite_has_a_value_or_a_good_reason(quick: tuple[Measurement, ...]) -> None:
    allowed = {Reason.NOT_SUPPORTED, Reason.TIMED_OUT}
    bad = [
        (quantity(each), each.samples.reason, each.samples.detail)
        for each in quick
        if isinstance(each.samples, Unknown) and each.samples.reason not in allowed
    ]
    assert bad == []


def test_the_default_suite_keeps_to_its_plan(quick: tuple[Measurement, ...]) -> None:
    busy = sum(
        sum(each.samples.value.seconds) + each.samples.value.warmup_seconds for each in quick if isinstance(each.samples, Known)
    )
    assert busy < estimate(load_suite("quick"), len(uuids())).seconds * len(uuids())


def test_telemetry_rises_with_the_load_and_costs_less_than_a_percent(quick: tuple[Measurement, ...]) -> None:
    first = next(each for each in quick if quantity(each) == "gemm-bf16" and isinstance(each.telemetry, Known))
    assert isinstance(first.telemetry, Known)
    power = summary_of(first.telemetry.value.power_milliwatts)
    assert isinstance(power, Known)
    assert power.value.largest > power.value.smallest
    assert first.telemetry.value.cost_relative < 0.01


def test_memory_is_given_back(quick: tuple[Measurement, ...]) -> None:
    assert quick
    for device in collect_nvml().devices:
        count = device.processes.compute_count
        assert not isinstance(count, Known) or count.value <= 1
