"""One machine, collected and put together."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import psutil
import pytest

from gpuaudit.attester.attest import attest, probe
from gpuaudit.attester.machine import Machine, this_machine
from gpuaudit.clock import SteppingClock
from gpuaudit.errors import UsageError
from gpuaudit.evidence.bundle import EvidenceBundle, Origin
from gpuaudit.evidence.codec import decode, encode
from gpuaudit.evidence.host import TorchEvidence
from gpuaudit.evidence.measurement import Measurement
from gpuaudit.evidence.reading import Known, Reason, Unknown
from gpuaudit.simulated.device import SimulatedDevice
from gpuaudit.simulated.host import HIDDEN
from gpuaudit.simulated.machine import simulated_machine
from gpuaudit.simulated.spec import parse_spec
from gpuaudit.workload.bench import Bench, Progress, SilentProgress, Target
from gpuaudit.workload.suite import Suite, load_suite
from gpuaudit.workload.torch_bench import TorchBench
from tests.attester.readings import reason_of, value_of

NONCE = "7b21" * 16
QUICK = load_suite("quick")


def clock() -> SteppingClock:
    return SteppingClock(datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC))


def attested(machine: Machine, *, busy_ok: bool = False) -> EvidenceBundle:
    return attest(machine, nonce=NONCE, suite=QUICK, clock=clock(), busy_ok=busy_ok, progress=SilentProgress())


def evidence_of(spec: str) -> EvidenceBundle:
    with simulated_machine(parse_spec(spec)) as machine:
        return attested(machine)


def uuids(devices: Sequence[SimulatedDevice]) -> list[str]:
    return [device.uuid for device in devices]


def test_a_bundle_holds_every_source_and_says_when_and_for_whom() -> None:
    bundle = evidence_of("a100-sxm4-80gb:2")
    assert bundle.nonce == NONCE
    assert (bundle.started_at, bundle.finished_at) == ("2026-11-23T12:00:00Z", "2026-11-23T12:00:01Z")
    assert bundle.suite == "quick"
    assert bundle.origin is Origin.SIMULATED
    assert value_of(bundle.nvml.device_count) == len(bundle.nvml.devices) == 2
    assert len(value_of(bundle.kernel.pci_functions)) == len(value_of(bundle.kernel.proc_gpus)) == 2
    assert len(value_of(bundle.torch.devices)) == 2
    assert isinstance(bundle.host.cpu_model, Known)
    assert isinstance(bundle.environment.mounts, Known)
    assert bundle.measurements


def test_it_survives_writing_and_reading() -> None:
    bundle = evidence_of("h100-sxm5-80gb:8")
    assert decode(encode(bundle), place="evidence.json") == bundle


def test_measurements_are_joined_to_devices_by_uuid_alone() -> None:
    devices = parse_spec("a100-sxm4-80gb:2,t4:1")
    with simulated_machine(devices) as machine:
        bundle = attested(machine)
    subjects = {subject for measurement in bundle.measurements for subject in measurement.subjects}
    assert subjects == {value_of(device.identity.uuid) for device in bundle.nvml.devices} == set(uuids(devices))


def test_a_probe_loads_nothing() -> None:
    devices = parse_spec("a100-sxm4-80gb:2")
    with simulated_machine(devices) as machine:
        bundle = probe(machine, nonce=NONCE, clock=clock())
    assert bundle.suite == "none"
    assert bundle.measurements == ()
    assert all(device.state.seconds == 0 for device in devices)


@pytest.mark.parametrize("nonce", ["", "7b2", "7B21" * 16, "xyz!" * 16, "00", "7b21" * 40, f"{NONCE}\n", f"0x{NONCE[2:]}"])
def test_a_nonce_that_is_none_is_refused_before_anything_is_touched(nonce: str) -> None:
    devices = parse_spec("t4:1")
    with simulated_machine(devices) as machine:
        with pytest.raises(UsageError, match="nonce: got"):
            attest(machine, nonce=nonce, suite=QUICK, clock=clock(), busy_ok=False, progress=SilentProgress())
        with pytest.raises(UsageError, match="nonce: got"):
            probe(machine, nonce=nonce, clock=clock())
    assert devices[0].state.seconds == 0


def test_a_device_on_which_others_work_is_left_alone_and_the_other_is_measured() -> None:
    busy, idle = parse_spec("a100-sxm4-80gb:2")
    busy = replace(busy, foreign_processes=1)
    with simulated_machine((busy, idle)) as machine:
        bundle = attested(machine)
    touched = [measurement for measurement in bundle.measurements if busy.uuid in measurement.subjects]
    others = [measurement for measurement in bundle.measurements if busy.uuid not in measurement.subjects]
    assert {reason_of(measurement.samples) for measurement in touched} == {Reason.BUSY}
    assert {measurement.samples.reason for measurement in others if isinstance(measurement.samples, Unknown)} <= {
        Reason.NOT_SUPPORTED
    }
    assert any(isinstance(measurement.samples, Known) for measurement in others)
    assert busy.state.seconds == 0
    assert idle.state.seconds > 0


def test_a_busy_device_is_measured_when_told_so() -> None:
    busy = replace(parse_spec("a100-sxm4-80gb:1")[0], foreign_processes=1)
    with simulated_machine((busy,)) as machine:
        bundle = attested(machine, busy_ok=True)
    assert any(isinstance(measurement.samples, Known) for measurement in bundle.measurements)


def test_a_refused_list_of_processes_leaves_the_device_alone() -> None:
    """Harm cannot be undone; a missing measurement can be asked for."""
    refused = {f"nvmlDeviceGetComputeRunningProcesses_v{version}": 4 for version in (2, 3)}
    secretive = replace(parse_spec("a100-sxm4-80gb:1")[0], refuses=refused)
    with simulated_machine((secretive,)) as machine:
        bundle = attested(machine)
    assert {reason_of(measurement.samples) for measurement in bundle.measurements} == {Reason.BUSY}
    assert secretive.state.seconds == 0


def test_a_machine_without_cards_is_still_described() -> None:
    with simulated_machine(()) as machine:
        bundle = attested(machine)
    assert value_of(bundle.nvml.device_count) == 0
    assert bundle.nvml.devices == ()
    assert value_of(bundle.kernel.pci_functions) == ()
    assert bundle.measurements == ()


def test_hidden_sources_are_unknown_and_the_rest_stands() -> None:
    with simulated_machine(parse_spec("a100-sxm4-80gb:1"), pci=HIDDEN, proc=HIDDEN) as machine:
        bundle = attested(machine)
    assert reason_of(bundle.kernel.driver_version) is Reason.NOT_FOUND
    assert reason_of(bundle.kernel.proc_gpus) is Reason.NOT_FOUND
    assert reason_of(bundle.kernel.pci_functions) is Reason.NOT_FOUND
    assert len(bundle.nvml.devices) == 1
    assert any(isinstance(measurement.samples, Known) for measurement in bundle.measurements)


def test_a_tree_made_to_hang_every_reader_does_not() -> None:
    with simulated_machine(parse_spec("a100-sxm4-80gb:1")) as machine:
        for file in [path for path in machine.root.rglob("*") if path.is_file() and not path.is_symlink()]:
            file.unlink()
            os.mkfifo(file)
        started = time.monotonic()
        bundle = probe(machine, nonce=NONCE, clock=clock())
    assert time.monotonic() - started < 25
    assert reason_of(bundle.kernel.pci_functions) is Reason.FAULT
    assert reason_of(bundle.host.cpu_model) is Reason.FAULT
    assert reason_of(bundle.environment.libraries) is Reason.FAULT
    assert len(bundle.nvml.devices) == 1


class Recorder:
    """Stands before a bench and writes down the order of things."""

    def __init__(self, bench: Bench, processes: list[str]) -> None:
        self._bench = bench
        self._calls = processes

    @property
    def simulated(self) -> bool:
        return True

    def describe(self) -> TorchEvidence:
        self._calls.append("describe")
        return self._bench.describe()

    def run(self, suite: Suite, targets: Sequence[Target], progress: Progress) -> tuple[Measurement, ...]:
        self._calls.append(f"run {len(targets)}")
        return self._bench.run(suite, targets, progress)


def test_nvml_is_asked_before_anything_of_ours_touches_a_device() -> None:
    calls: list[str] = []
    with simulated_machine(parse_spec("a100-sxm4-80gb:3")) as machine:
        bundle = attested(replace(machine, bench=Recorder(machine.bench, calls)))
    assert calls == ["describe", "run 3"]
    assert value_of(bundle.nvml.devices[0].clocks.throttle_reasons_mask) == 1


def test_this_machine_is_described_as_what_it_is() -> None:
    """Its own files, library, interpreter and torch, whatever they are."""
    bundle = probe(this_machine(TorchBench()), nonce=NONCE, clock=clock())
    assert bundle.origin is Origin.HARDWARE
    assert value_of(bundle.host.cpu_logical_count) == psutil.cpu_count()
    assert value_of(bundle.host.memory_total_bytes) == psutil.virtual_memory().total
    assert isinstance(bundle.environment.mounts, Known)
    assert isinstance(bundle.environment.pynvml_sha256, Known)
    assert decode(encode(bundle), place="evidence.json") == bundle
