"""Names under /dev: reported, never taken for a driver."""

from __future__ import annotations

from pathlib import Path

from gpuaudit.attester.device_files import collect_device_files, collect_dxg
from gpuaudit.evidence.reading import Known, Reason, Source, Unknown


def dev(root: Path, *names: str) -> Path:
    (root / "dev").mkdir()
    for name in names:
        (root / "dev" / name).touch()
    return root


def test_only_nvidias_names_are_listed(tmp_path: Path) -> None:
    root = dev(tmp_path, "null", "nvidia1", "nvidia0", "nvidiactl", "nvidia-uvm", "my-nvidia")
    expected = ("nvidia-uvm", "nvidia0", "nvidia1", "nvidiactl")
    assert collect_device_files(root) == Known(value=expected, source=Source.DEVICE_FILES)
    assert collect_dxg(root) == Known(value=False, source=Source.DEVICE_FILES)


def test_what_the_library_alone_creates_is_just_a_name(tmp_path: Path) -> None:
    assert collect_device_files(dev(tmp_path, "nvidiactl")) == Known(value=("nvidiactl",), source=Source.DEVICE_FILES)


def test_wsl_is_told_by_dxg(tmp_path: Path) -> None:
    root = dev(tmp_path, "dxg")
    assert collect_device_files(root) == Known(value=(), source=Source.DEVICE_FILES)
    assert collect_dxg(root) == Known(value=True, source=Source.DEVICE_FILES)


def test_no_dev_is_not_found_and_never_a_no(tmp_path: Path) -> None:
    for reading in (collect_device_files(tmp_path), collect_dxg(tmp_path)):
        assert isinstance(reading, Unknown)
        assert reading.reason is Reason.NOT_FOUND


def test_a_name_with_a_terminal_escape_is_made_harmless(tmp_path: Path) -> None:
    files = collect_device_files(dev(tmp_path, "nvidia\x1b[2J"))
    assert files == Known(value=("nvidia\\x1b[2J",), source=Source.DEVICE_FILES)


def test_ten_thousand_device_files_are_refused(tmp_path: Path) -> None:
    files = collect_device_files(dev(tmp_path, *(f"nvidia{index}" for index in range(10_000))))
    assert isinstance(files, Unknown)
    assert files.reason is Reason.FAULT
