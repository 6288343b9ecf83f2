"""Whole runs with real workers. Where a device is needed, the processor sits in its seat: same workers, same messages."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gpuaudit.evidence.measurement import CollectiveTask, Company, Measurement, quantity
from gpuaudit.evidence.reading import Known, Reason, Unknown
from gpuaudit.workload.bench import SilentProgress, Target
from gpuaudit.workload.device_run import DeviceRun
from gpuaudit.workload.messages import HOST
from gpuaudit.workload.progress import Tracker
from gpuaudit.workload.suite import Suite
from gpuaudit.workload.telemetry import Moment, NoSampler, Sampler
from gpuaudit.workload.torch_bench import TorchBench
from tests.workload.processes import nothing_left
from tests.workload.suites import ALL_REDUCE, COPY, GEMM, step, suite_of
from tests.workload.test_telemetry import moment

PEER = '{ kind = "peer-one-way", buffer_bytes = 1_048_576 }'
TF32 = '{ kind = "gemm", dtype = "tf32", m = 64, n = 64, k = 64 }'


@pytest.fixture(autouse=True)
def _no_trace() -> Iterator[None]:
    with nothing_left():
        yield


class Thermometer:
    """Counters of devices that all have one temperature."""

    def __init__(self, celsius: int) -> None:
        self.celsius = celsius

    @contextmanager
    def watch(self, uuid: str) -> Iterator[Callable[[], Moment]]:
        yield lambda: moment(self.celsius)


def on_devices(suite: Suite, targets: list[Target], sampler: Sampler, folder: Path) -> list[Measurement]:
    with DeviceRun(suite, targets, sampler, folder) as run:
        return list(run.measurements(Tracker(SilentProgress(), suite, len(targets))))


def reasons(measurements: list[Measurement] | tuple[Measurement, ...]) -> list[Reason | None]:
    return [each.samples.reason if isinstance(each.samples, Unknown) else None for each in measurements]


def test_without_a_device_the_processor_is_measured_and_never_stands_for_one(monkeypatch: pytest.MonkeyPatch) -> None:
    suite = suite_of(step("device", GEMM), step("host", GEMM, COPY, TF32, ALL_REDUCE))
    bench = TorchBench()
    assert not bench.simulated
    described = bench.describe()
    assert isinstance(described.version, Known)
    assert described.devices == Known(value=(), source=described.version.source)

    with monkeypatch.context() as patched:
        # Told again without a process: none can be started.
        patched.setattr(subprocess, "Popen", None)
        assert bench.describe() == described

    measured = bench.run(suite, [], SilentProgress())
    assert [quantity(each) for each in measured] == ["gemm-fp32", "copy", "gemm-tf32", "all-reduce"]
    assert {each.subjects for each in measured} == {()}
    assert reasons(measured) == [None, None, Reason.NOT_SUPPORTED, None]
    assert isinstance(measured[3].task, CollectiveTask)
    assert measured[3].task.backend == "gloo"
    assert all(isinstance(each.telemetry, Unknown) for each in measured)

    spoiled = bench.run(suite, [Target(uuid="GPU-a"), Target(uuid="GPU-b", busy=True)], SilentProgress())
    assert [each.subjects for each in spoiled[:2]] == [("GPU-a",), ("GPU-b",)]
    assert reasons(spoiled) == [Reason.NOT_SUPPORTED, Reason.BUSY, None, None, Reason.NOT_SUPPORTED, None]


def test_devices_run_at_once_alone_and_as_a_group_and_busy_ones_are_left_alone(tmp_path: Path) -> None:
    suite = suite_of(
        step("device", GEMM, company="together", budget=0.4, extra="least_seconds = 0.3"),
        step("device", COPY, extra="telemetry = false"),
        step("pairs", PEER),
        step("group", ALL_REDUCE, company="together"),
    )
    targets = [Target(uuid=HOST), Target(uuid="GPU-busy", busy=True), Target(uuid=HOST)]
    measured = on_devices(suite, targets, Thermometer(50), tmp_path)

    gemm, copies, peers, group = measured[:3], measured[3:6], measured[6:12], measured[12:]
    assert {each.company for each in gemm} == {Company.TOGETHER}
    assert reasons(gemm) == [None, Reason.BUSY, None]
    assert reasons(copies) == [None, Reason.BUSY, None]
    assert all(isinstance(each.telemetry, Known) for each in (gemm[0], gemm[2]))
    assert isinstance(copies[0].telemetry, Unknown)
    assert "what sampling costs" in copies[0].telemetry.detail
    # Two seats on one processor have no link; the pairs with the busy one are not tried.
    assert [each.subjects for each in peers] == [
        (HOST, "GPU-busy"),
        (HOST, HOST),
        ("GPU-busy", HOST),
        ("GPU-busy", HOST),
        (HOST, HOST),
        (HOST, "GPU-busy"),
    ]
    assert reasons(peers) == [
        Reason.BUSY,
        Reason.NOT_FOUND,
        Reason.BUSY,
        Reason.BUSY,
        Reason.NOT_FOUND,
        Reason.BUSY,
    ]
    assert reasons(group) == [None]
    assert group[0].subjects == (HOST, HOST)
    assert list(tmp_path.iterdir()) == []


def test_a_device_that_is_too_hot_is_not_loaded_any_more(tmp_path: Path) -> None:
    suite = suite_of(step("device", GEMM, COPY, company="together"))
    measured = on_devices(suite, [Target(uuid=HOST)], Thermometer(89), tmp_path)
    assert reasons(measured) == [Reason.TOO_HOT, Reason.TOO_HOT]
    assert isinstance(measured[0].samples, Unknown)
    assert "reached 89 degrees Celsius" in measured[0].samples.detail


def test_a_device_that_torch_does_not_show_is_unknown_and_the_others_stand(tmp_path: Path) -> None:
    suite = suite_of(step("device", GEMM, company="together"))
    measured = on_devices(suite, [Target(uuid="GPU-hidden"), Target(uuid=HOST)], NoSampler(), tmp_path)
    assert reasons(measured) == [Reason.NOT_FOUND, None]
    assert isinstance(measured[1].telemetry, Unknown)
    assert measured[1].telemetry.reason is Reason.NOT_ATTEMPTED
