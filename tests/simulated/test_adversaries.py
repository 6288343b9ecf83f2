"""Adversaries: read from a line, played one after the other, each changing what it says and nothing else."""

from __future__ import annotations

import pytest

from gpuaudit.attester.attest import probe
from gpuaudit.clock import WallClock
from gpuaudit.errors import UsageError
from gpuaudit.evidence.bundle import EvidenceBundle, Origin
from gpuaudit.evidence.device import MigMode, VirtualizationMode
from gpuaudit.evidence.reading import Known, Unknown
from gpuaudit.simulated.adversaries.adversary import Adversary, Control
from gpuaudit.simulated.adversaries.repertoire import REPERTOIRE, controls, parse_adversary, play
from gpuaudit.simulated.adversaries.stage import Stage, honest_stage, on_stage
from gpuaudit.simulated.spec import parse_spec
from tests.attester.readings import value_of

ARGUMENTS = {
    "PROFILE": "a100-sxm4-80gb",
    "FIELD": "device_id",
    "TEXT": "NVIDIA Graphics Device",
    "COUNT": "4",
    "SEVENTHS": "3",
    "SHARE": "0.5",
    "GIB": "8",
    "FUNCTION": "nvmlDeviceGetUUID",
    "FACTOR": "3",
    "CELSIUS": "60",
    "TENANTS": "2",
}


def staged(line: str, spec: str = "t4") -> Stage:
    return play(parse_adversary(line), honest_stage(parse_spec(spec)))


def probed(line: str, spec: str = "t4") -> EvidenceBundle:
    with on_stage(staged(line, spec)) as machine:
        return probe(machine, nonce="5a" * 16, clock=WallClock())


@pytest.mark.parametrize("adversary", REPERTOIRE, ids=lambda adversary: adversary.name)
def test_every_adversary_plays_says_what_it_is_about_and_leaves_a_marked_machine(adversary: Adversary) -> None:
    name, takes = adversary.name, adversary.takes
    line = f"{name}={ARGUMENTS[takes]}" if takes else name
    bundle = probed(line, "a100-sxm4-80gb")
    assert bundle.origin is Origin.SIMULATED
    assert len(adversary.about) > 30


def test_names_are_unique() -> None:
    assert len({adversary.name for adversary in REPERTOIRE}) == len(REPERTOIRE)


def test_a_renamed_card_keeps_its_ids() -> None:
    (device,) = probed("renamed-as=a100-sxm4-80gb").nvml.devices
    assert value_of(device.identity.name) == "NVIDIA A100-SXM4-80GB"
    assert value_of(device.pci.device_id) == "10de:1eb8"


def test_ids_without_a_profile_of_their_own_are_those_of_the_name_before() -> None:
    (device,) = probed("renamed-as=a100-sxm4-80gb,ids").nvml.devices
    assert value_of(device.pci.device_id) == "10de:20b2"
    assert value_of(device.memory.total_bytes) == 15_360 * 1024**2


def test_a_forger_of_nvml_leaves_the_kernel_unless_it_is_forged_too() -> None:
    left, too = probed("nvml-of=a100-sxm4-80gb"), probed("nvml-of=a100-sxm4-80gb,kernel-too")
    assert value_of(value_of(left.kernel.pci_functions)[0].device_id) == "10de:1eb8"
    assert value_of(value_of(too.kernel.pci_functions)[0].device_id) == "10de:20b2"
    assert value_of(left.nvml.devices[0].memory.total_bytes) == 81_920 * 1024**2


def test_what_was_forgotten_is_the_cards_own() -> None:
    (device,) = probed("nvml-of=a100-sxm4-80gb,forgot=device_id").nvml.devices
    assert value_of(device.pci.device_id) == "10de:1eb8"
    assert value_of(device.identity.name) == "NVIDIA A100-SXM4-80GB"


def test_one_card_as_several_has_uuids_of_their_own_and_one_state() -> None:
    stage = staged("one-card-as=8", "a100-sxm4-80gb")
    assert len({device.uuid for device in stage.devices}) == 8
    assert len({id(device.state) for device in stage.devices}) == 1


def test_a_slice_shows_its_mode_until_it_is_hidden() -> None:
    (shown,) = probed("mig-slice=3", "a100-sxm4-80gb").nvml.devices
    (hidden,) = probed("mig-slice=3,hidden-mig", "a100-sxm4-80gb").nvml.devices
    assert value_of(shown.partition.mig_mode) is MigMode.ENABLED
    assert value_of(hidden.partition.mig_mode) is MigMode.DISABLED


def test_a_virtual_card_says_so() -> None:
    (device,) = probed("virtual=0.5", "a100-sxm4-80gb").nvml.devices
    assert value_of(device.partition.virtualization_mode) is VirtualizationMode.VGPU
    assert value_of(device.identity.name).startswith("GRID A100")


def test_a_withheld_function_is_an_unknown() -> None:
    (device,) = probed("withheld=nvmlDeviceGetName").nvml.devices
    assert isinstance(device.identity.name, Unknown)
    assert isinstance(device.identity.uuid, Known)


def test_an_overlay_shows_in_the_table_of_mounts() -> None:
    mounts = value_of(probed("overlay").environment.mounts)
    assert [mount.mount_point for mount in mounts] == ["/proc/driver/nvidia/gpus"]


def test_control_is_that_of_all_parts() -> None:
    assert controls(parse_adversary("renamed-as=t4,kernel-too")) == {Control.NAME, Control.KERNEL}


@pytest.mark.parametrize(
    ("line", "part"),
    [
        pytest.param("", "there is no adversary ''", id="empty"),
        pytest.param("vampire", "there is no adversary 'vampire'", id="unknown"),
        pytest.param("ids", "expected renamed-as=PROFILE before it", id="ids-of-nobody"),
        pytest.param("renamed-as", "expected renamed-as=PROFILE", id="argument-missing"),
        pytest.param("twins=3", "expected twins", id="argument-surplus"),
        pytest.param("renamed-as=a101", "there is no profile 'a101'", id="profile-unknown"),
        pytest.param("forgot=colour", "expected one of", id="field-unknown"),
        pytest.param("capped=2", "expected a number from 0.05 to 1", id="share-out-of-range"),
        pytest.param("capped=nan", "expected a number", id="not-a-number"),
        pytest.param("withheld=read", "expected a C function of NVML", id="no-function-of-nvml"),
        pytest.param("virtual=0.5", "no vGPU of t4 is known", id="no-vgpu-of-the-card"),
    ],
)
def test_a_line_at_fault_says_what_was_expected(line: str, part: str) -> None:
    with pytest.raises(UsageError, match="--adversary") as caught:
        staged(line)
    assert part in str(caught.value)


def test_only_one_card_can_be_shown_as_several() -> None:
    with pytest.raises(UsageError, match="expected one"):
        staged("one-card-as=8", "t4:2")
