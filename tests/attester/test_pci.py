"""The kernel's list of PCI functions, honest and not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gpuaudit.attester.pci import collect_pci
from gpuaudit.evidence.kernel import PciFunction
from gpuaudit.evidence.reading import Known, Reason, Source, Unknown
from gpuaudit.units import Bytes
from tests.attester.trees import A100, A100_FUNCTION, a100_tree, put


def the_function(root: Path) -> PciFunction:
    functions = collect_pci(root)
    assert isinstance(functions, Known)
    (function,) = functions.value
    return function


def why_not(root: Path) -> Unknown:
    functions = collect_pci(root)
    assert isinstance(functions, Unknown)
    return functions


def known(value: object) -> Known[object]:
    return Known(value=value, source=Source.PCI)


def test_an_honest_card_is_read_whole(tmp_path: Path) -> None:
    function = the_function(a100_tree(tmp_path))
    assert function == PciFunction(
        bus_id="0000:06:00.0",
        class_code="030200",
        device_id=Known(value="10de:20b0", source=Source.PCI),
        subsystem_id=Known(value="10de:134f", source=Source.PCI),
        bar_sizes_bytes=Known(value=tuple(map(Bytes, (2**24, 2**36, 0, 2**25, 0, 0))), source=Source.PCI),
        link_speed_max=Known(value="16.0 GT/s PCIe", source=Source.PCI),
        link_speed_current=Known(value="16.0 GT/s PCIe", source=Source.PCI),
        link_width_max=Known(value=16, source=Source.PCI),
        link_width_current=Known(value=16, source=Source.PCI),
        driver=Known(value="nvidia", source=Source.PCI),
        numa_node=Known(value=-1, source=Source.PCI),
        is_virtual_function=Known(value=False, source=Source.PCI),
    )


def test_other_vendors_are_left_out_and_all_classes_of_nvidia_are_listed(tmp_path: Path) -> None:
    root = a100_tree(tmp_path)
    for slot, code in (("0000:06:00.1", "0x040300"), ("0000:c4:00.0", "0x068000"), ("10000:01:00.0", "0x030000")):
        put(root, {f"/sys/bus/pci/devices/{slot}/vendor": "0x10de", f"/sys/bus/pci/devices/{slot}/class": code})
    functions = collect_pci(root)
    assert isinstance(functions, Known)
    assert [(function.bus_id, function.class_code) for function in functions.value] == [
        ("0000:06:00.0", "030200"),
        ("0000:06:00.1", "040300"),
        ("0000:c4:00.0", "068000"),
        ("10000:01:00.0", "030000"),
    ]


def test_no_pci_bus_is_not_found(tmp_path: Path) -> None:
    assert why_not(tmp_path).reason is Reason.NOT_FOUND


def test_a_bus_without_nvidia_is_known_to_be_empty_of_it(tmp_path: Path) -> None:
    put(tmp_path, {"/sys/bus/pci/devices/0000:00:05.0/vendor": "0x1af4\n"})
    assert collect_pci(tmp_path) == known(())


def test_a_real_tree_of_links_is_followed(tmp_path: Path) -> None:
    put(
        tmp_path,
        {name.replace("/sys/bus/pci/devices", "/sys/devices/pci0000:00"): text for name, text in A100_FUNCTION.items()},
    )
    (tmp_path / "sys/bus/pci/devices").mkdir(parents=True)
    (tmp_path / A100.lstrip("/")).symlink_to("../../../devices/pci0000:00/0000:06:00.0")
    assert the_function(tmp_path).device_id == known("10de:20b0")


def test_a_virtual_function_is_told_by_its_link_to_the_physical_one(tmp_path: Path) -> None:
    root = a100_tree(tmp_path)
    (root / A100.lstrip("/") / "physfn").symlink_to("../0000:05:00.0")
    assert the_function(root).is_virtual_function == known(value=True)


def test_a_card_without_a_driver_has_none(tmp_path: Path) -> None:
    root = a100_tree(tmp_path)
    (root / A100.lstrip("/") / "driver").unlink()
    driver = the_function(root).driver
    assert isinstance(driver, Unknown)
    assert driver.reason is Reason.NOT_FOUND


@pytest.mark.parametrize(
    ("file", "content", "field"),
    [
        pytest.param("device", "0xZZZZ", "device_id", id="device-not-hexadecimal"),
        pytest.param("device", "0x120b0", "device_id", id="device-too-long"),
        pytest.param("subsystem_device", "", "subsystem_id", id="subsystem-empty"),
        pytest.param("resource", "0x0 0x1\n", "bar_sizes_bytes", id="resources-cut-off"),
        pytest.param("resource", "0x10 0x1 0x200\n" * 7, "bar_sizes_bytes", id="bar-ends-before-it-begins"),
        pytest.param("resource", "x" * 10_000_000, "bar_sizes_bytes", id="ten-megabytes"),
        pytest.param("max_link_width", "sixteen", "link_width_max", id="width-in-words"),
        pytest.param("max_link_width", "\u0661\u0666", "link_width_max", id="width-in-other-digits"),
        pytest.param("max_link_width", "9" * 4000, "link_width_max", id="width-of-4000-digits"),
        pytest.param("numa_node", b"\xff\xff", "numa_node", id="not-utf-8"),
    ],
)
def test_garbage_in_one_file_is_that_readings_fault(tmp_path: Path, file: str, content: str | bytes, field: str) -> None:
    root = a100_tree(tmp_path)
    honest = the_function(root)
    put(root, {f"{A100}/{file}": content})
    function = the_function(root)
    reading = getattr(function, field)
    assert isinstance(reading, Unknown)
    assert reading.reason is Reason.FAULT
    assert len(reading.detail) < 500
    others = [name for name in PciFunction.__dataclass_fields__ if name != field]
    assert [getattr(function, name) for name in others] == [getattr(honest, name) for name in others]


@pytest.mark.parametrize("file", ["vendor", "class"])
@pytest.mark.parametrize("change", ["pipe", "removed", "garbage", "huge"])
def test_a_function_that_could_be_nvidias_makes_the_whole_list_unknown(tmp_path: Path, file: str, change: str) -> None:
    """Hiding one card's vendor must not give a list that looks whole without it."""
    root = a100_tree(tmp_path)
    path = root / A100.lstrip("/") / file
    path.unlink()
    if change == "pipe":
        os.mkfifo(path)
    elif change == "garbage":
        path.write_text("nvidia")
    elif change == "huge":
        path.write_bytes(b"0" * 10_000_000)
    assert why_not(root).reason is Reason.FAULT


def test_an_entry_that_is_no_bus_id_makes_the_list_unknown(tmp_path: Path) -> None:
    root = a100_tree(tmp_path)
    (root / "sys/bus/pci/devices" / os.fsdecode(b"0000:07\xff")).mkdir()
    why = why_not(root)
    assert why.reason is Reason.FAULT
    why.detail.encode("utf-8")


def test_a_bus_of_twenty_thousand_entries_is_refused_for_their_number(tmp_path: Path) -> None:
    devices = tmp_path / "sys/bus/pci/devices"
    devices.mkdir(parents=True)
    for index in range(20_000):
        (devices / f"{index:08x}:00:00.0").symlink_to("x")
    assert "more than 16384 entries" in why_not(tmp_path).detail


def test_more_functions_of_nvidia_than_any_server_has_are_refused(tmp_path: Path) -> None:
    for index in range(1030):
        folder = f"/sys/bus/pci/devices/0000:{index // 8:02x}:00.{index % 8}"
        put(tmp_path, {f"{folder}/vendor": "0x10de", f"{folder}/class": "0x030200"})
    why = why_not(tmp_path)
    assert why.reason is Reason.FAULT
    assert "more than 1024 functions of vendor 10de" in why.detail


def test_this_machines_own_bus_is_read_or_says_why_not() -> None:
    functions = collect_pci(Path("/"))
    assert isinstance(functions, Known) or functions.reason is Reason.NOT_FOUND
