"""The tree of files of a simulated machine, read as the attester reads any tree."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from gpuaudit.attester.device_files import collect_device_files
from gpuaudit.attester.host import collect_host
from gpuaudit.attester.pci import collect_pci
from gpuaudit.attester.proc import collect_driver_version, collect_proc_gpus
from gpuaudit.evidence.reading import Reason
from gpuaudit.simulated.host import AS_REPORTED, HIDDEN, HostFiles, View, write_host
from gpuaudit.simulated.profile import NOT_SUPPORTED, load_profile
from gpuaudit.simulated.spec import parse_spec, simulated_device
from tests.attester.readings import reason_of, value_of

DEVICES = parse_spec("a100-sxm4-80gb:2")


def host(pci: View = AS_REPORTED, proc: View = AS_REPORTED) -> HostFiles:
    return HostFiles(devices=DEVICES, pci=pci, proc=proc, driver_version="580.105.08", seed=0, files={})


def test_an_honest_tree_lists_the_same_cards_in_every_source(tmp_path: Path) -> None:
    write_host(tmp_path, host())
    functions, gpus = value_of(collect_pci(tmp_path)), value_of(collect_proc_gpus(tmp_path))
    assert [function.bus_id for function in functions] == [gpu.bus_id for gpu in gpus] == ["0000:04:00.0", "0000:08:00.0"]
    assert value_of(functions[0].bar_sizes_bytes) == (16 * 2**20, 128 * 2**30, 0, 32 * 2**20, 0, 0)
    assert value_of(functions[0].link_speed_max) == "16.0 GT/s PCIe"
    assert value_of(functions[0].driver) == "nvidia"
    assert value_of(collect_device_files(tmp_path)) == ("nvidia-uvm", "nvidia0", "nvidia1", "nvidiactl")
    assert value_of(collect_driver_version(tmp_path)) == "580.105.08"


def test_a_hidden_source_is_not_there(tmp_path: Path) -> None:
    write_host(tmp_path, host(pci=HIDDEN, proc=HIDDEN))
    assert reason_of(collect_pci(tmp_path)) is Reason.NOT_FOUND
    assert reason_of(collect_proc_gpus(tmp_path)) is Reason.NOT_FOUND
    assert reason_of(collect_driver_version(tmp_path)) is Reason.NOT_FOUND


def test_a_source_can_list_other_devices(tmp_path: Path) -> None:
    write_host(tmp_path, host(pci=parse_spec("t4:1"), proc=DEVICES[:1]))
    assert [value_of(function.device_id) for function in value_of(collect_pci(tmp_path))] == ["10de:1eb8"]
    assert len(value_of(collect_proc_gpus(tmp_path))) == 1


def test_an_empty_bus_is_known_to_be_empty(tmp_path: Path) -> None:
    write_host(tmp_path, host(pci=()))
    assert value_of(collect_pci(tmp_path)) == ()


@pytest.mark.parametrize(("profile", "code"), [("rtx-4090", "030000"), ("h100-sxm5-80gb", "030200")])
def test_a_card_with_a_screen_is_a_vga_controller(tmp_path: Path, profile: str, code: str) -> None:
    write_host(tmp_path, host(pci=parse_spec(profile)))
    (function,) = value_of(collect_pci(tmp_path))
    assert function.class_code == code


def test_what_a_profile_does_not_offer_is_not_in_the_tree(tmp_path: Path) -> None:
    a100 = load_profile("a100-sxm4-80gb")
    silent = replace(
        a100.reported, link_generation_max=NOT_SUPPORTED, link_width_max=NOT_SUPPORTED, vbios_version=NOT_SUPPORTED
    )
    device = simulated_device(0, physical=a100, reported=replace(a100, reported=silent))
    write_host(tmp_path, host(pci=(device,), proc=(device,)))
    (function,), (gpu,) = value_of(collect_pci(tmp_path)), value_of(collect_proc_gpus(tmp_path))
    assert reason_of(function.link_speed_max) is reason_of(function.link_width_max) is Reason.NOT_FOUND
    assert reason_of(gpu.video_bios) is Reason.NOT_FOUND


def test_two_seeds_are_two_machines_and_every_name_says_simulated(tmp_path: Path) -> None:
    machines = []
    for seed in (0, 1):
        root = tmp_path / str(seed)
        root.mkdir()
        write_host(root, replace(host(), seed=seed))
        machines.append(collect_host(root, {}))
    first, second = machines
    assert value_of(first.machine_id_digest) != value_of(second.machine_id_digest)
    assert value_of(first.boot_id_digest) != value_of(second.boot_id_digest)
    for name in (first.host_name, first.operating_system, first.kernel_release, first.cpu_model, first.dmi_product):
        assert "simulated" in value_of(name).lower()


def test_a_file_can_be_put_in_the_place_of_an_honest_one(tmp_path: Path) -> None:
    write_host(tmp_path, replace(host(), files={"/proc/driver/nvidia/version": "NVRM version: forged\n"}))
    assert reason_of(collect_driver_version(tmp_path)) is Reason.FAULT
