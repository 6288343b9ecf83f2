"""A simulated machine is whole, repeatable, marked, and leaves nothing behind."""

from __future__ import annotations

import platform
from datetime import UTC, datetime
from pathlib import Path

import pynvml  # noqa: TID251 - to see that it is left as it was
import pytest

from gpuaudit.attester.attest import attest, probe
from gpuaudit.attester.machine import Machine
from gpuaudit.clock import SteppingClock
from gpuaudit.evidence.bundle import EvidenceBundle, Origin
from gpuaudit.evidence.codec import encode
from gpuaudit.evidence.reading import Known
from gpuaudit.simulated.machine import DRIVER_VERSION, simulated_machine
from gpuaudit.simulated.profile import known_profiles
from gpuaudit.simulated.spec import parse_spec
from gpuaudit.workload.bench import SilentProgress
from gpuaudit.workload.suite import load_suite
from tests.attester.readings import value_of

NONCE = "90fe" * 16


def clock() -> SteppingClock:
    return SteppingClock(datetime(2026, 11, 23, tzinfo=UTC))


def probed(machine: Machine) -> EvidenceBundle:
    return probe(machine, nonce=NONCE, clock=clock())


def attested(spec: str, seed: int = 0) -> bytes:
    with simulated_machine(parse_spec(spec, seed=seed), seed=seed) as machine:
        return encode(
            attest(machine, nonce=NONCE, suite=load_suite("quick"), clock=clock(), busy_ok=False, progress=SilentProgress())
        )


def test_equal_machines_give_equal_bytes_and_another_seed_another_machine() -> None:
    assert attested("a100-sxm4-80gb:2") == attested("a100-sxm4-80gb:2")
    assert attested("a100-sxm4-80gb:2") != attested("a100-sxm4-80gb:2", seed=1)


def test_nothing_of_the_machine_that_simulates_is_in_the_evidence() -> None:
    with simulated_machine(parse_spec("h100-sxm5-80gb:1")) as machine:
        folder = str(machine.root)
        bundle = probed(machine)
    text = encode(bundle).decode()
    assert value_of(bundle.host.host_name) == "simulated-0"
    for own in (platform.release(), platform.version(), folder, str(Path(__file__).parents[2])):
        assert own not in text


@pytest.mark.parametrize("profile", known_profiles())
def test_every_source_of_an_honest_machine_tells_the_same(profile: str) -> None:
    devices = parse_spec(f"{profile}:2")
    with simulated_machine(devices) as machine:
        bundle = probed(machine)
    assert bundle.origin is Origin.SIMULATED
    functions, gpus = value_of(bundle.kernel.pci_functions), value_of(bundle.kernel.proc_gpus)
    described = value_of(bundle.torch.devices)
    assert value_of(bundle.kernel.driver_version) == value_of(bundle.nvml.driver_version) == DRIVER_VERSION
    for device, function, gpu, seen, simulated in zip(bundle.nvml.devices, functions, gpus, described, devices, strict=True):
        assert value_of(device.identity.uuid) == value_of(gpu.uuid) == value_of(seen.uuid) == simulated.uuid
        assert value_of(device.identity.name) == value_of(gpu.model)
        assert value_of(device.pci.device_id) == value_of(function.device_id)
        assert value_of(device.pci.subsystem_id) == value_of(function.subsystem_id)
        assert value_of(device.pci.bus_id).lower().endswith(function.bus_id)
        assert function.bus_id == gpu.bus_id
        if isinstance(device.memory.bar1_total_bytes, Known):
            assert device.memory.bar1_total_bytes.value in value_of(function.bar_sizes_bytes)


def test_pynvml_and_the_disk_are_left_as_they_were() -> None:
    before = (pynvml.nvmlLib, dict(pynvml._nvmlGetFunctionPointer_cache))
    with simulated_machine(parse_spec("t4:1")) as machine:
        folder = machine.root
        assert folder.is_dir()
    assert not folder.exists()
    assert (pynvml.nvmlLib, dict(pynvml._nvmlGetFunctionPointer_cache)) == before


def test_a_machine_that_breaks_off_leaves_nothing_either() -> None:
    folders = []

    def interrupted() -> None:
        with simulated_machine(parse_spec("t4:1")) as machine:
            folders.append(machine.root)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert not folders[0].exists()
    with simulated_machine(parse_spec("t4:1")):
        pass


def test_two_machines_at_once_are_refused() -> None:
    second = simulated_machine(parse_spec("t4:1"))
    with simulated_machine(parse_spec("t4:1")), pytest.raises(RuntimeError, match="already"), second:
        pass


def test_an_adversary_can_show_other_cards_on_the_bus_than_nvml_does() -> None:
    shown, there = parse_spec("a100-sxm4-80gb:8"), parse_spec("a800-sxm4-80gb:8")
    with simulated_machine(shown, pci=there) as machine:
        bundle = probed(machine)
    assert {value_of(device.pci.device_id) for device in bundle.nvml.devices} == {"10de:20b2"}
    assert {value_of(function.device_id) for function in value_of(bundle.kernel.pci_functions)} == {"10de:20f3"}


def test_an_adversary_can_count_more_in_nvml_than_the_kernel_drives() -> None:
    devices = parse_spec("a100-sxm4-80gb:8")
    with simulated_machine(devices, proc=devices[:1]) as machine:
        bundle = probed(machine)
    assert value_of(bundle.nvml.device_count) == 8
    assert len(value_of(bundle.kernel.proc_gpus)) == 1


def test_an_adversary_can_have_another_driver_a_preload_and_a_mount() -> None:
    files = {
        "/etc/ld.so.preload": "/usr/lib/libvgpu.so\n",
        "/proc/self/mountinfo": "40 22 254:0 /kit /proc/driver/nvidia rw - ext4 /dev/vda rw\n",
    }
    with simulated_machine(parse_spec("a100-sxm4-80gb:1"), kernel_driver_version="591.86", files=files) as machine:
        bundle = probed(machine)
    assert value_of(bundle.kernel.driver_version) == "591.86"
    assert value_of(bundle.environment.ld_so_preload) == "/usr/lib/libvgpu.so"
    assert [mount.mount_point for mount in value_of(bundle.environment.mounts)] == ["/proc/driver/nvidia"]
