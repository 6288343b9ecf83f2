"""The kernel module's own files, as each kind of module writes them, and forged."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gpuaudit.attester.proc import collect_driver_version, collect_proc_gpus
from gpuaudit.evidence.kernel import ProcGpu
from gpuaudit.evidence.reading import Known, Reason, Source, Unknown
from tests.attester.trees import put, unprivileged

VERSION = "/proc/driver/nvidia/version"
INFORMATION = "/proc/driver/nvidia/gpus/0000:06:00.0/information"

CLOSED = (
    "NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.54.03  Tue Jun  6 22:20:39 UTC 2023\n"
    "GCC version:  gcc version 12.2.0 (Debian 12.2.0-14)\n"
)
OPEN = (
    "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  570.148.08  Release Build  (builder@host)  Wed Apr 23 2025\n"
    "GCC version:  gcc version 13.3.0 (Ubuntu 13.3.0-6ubuntu2~24.04)\n"
)
ARM = "NVRM version: NVIDIA UNIX Open Kernel Module for aarch64  580.105.08  Release Build  (builder@host)\n"
OLD = "NVRM version: NVIDIA UNIX x86_64 Kernel Module  390.157  Wed Oct 12 09:19:07 UTC 2022\n"

A100 = (
    "Model: \t\t NVIDIA A100-SXM4-40GB\n"
    "IRQ:   \t\t 300\n"
    "GPU UUID: \t GPU-5a2e8a52-4d1d-4f5c-8f3f-0f1f3b1c2d3e\n"
    "Video BIOS: \t 92.00.45.00.03\n"
    "Bus Type: \t PCIe\n"
    "DMA Size: \t 47 bits\n"
    "Bus Location: \t 0000:06:00.0\n"
    "Device Minor: \t 3\n"
    "GPU Firmware: \t 570.148.08\n"
    "GPU Excluded:\t No\n"
)


def the_gpu(root: Path) -> ProcGpu:
    gpus = collect_proc_gpus(root)
    assert isinstance(gpus, Known)
    (gpu,) = gpus.value
    return gpu


@pytest.mark.parametrize(
    ("text", "version"),
    [
        pytest.param(CLOSED, "535.54.03", id="closed"),
        pytest.param(OPEN, "570.148.08", id="open"),
        pytest.param(ARM, "580.105.08", id="open-arm"),
        pytest.param(OLD, "390.157", id="two-numbers"),
    ],
)
def test_the_version_of_every_kind_of_module_is_read(tmp_path: Path, text: str, version: str) -> None:
    put(tmp_path, {VERSION: text})
    assert collect_driver_version(tmp_path) == Known(value=version, source=Source.PROC)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("", id="empty"),
        pytest.param("NVRM version: none\n", id="no-number"),
        pytest.param("GCC version:  gcc version 12.2.0\n", id="only-the-compiler's"),
        pytest.param("Kernel Module  535.54.03\n", id="without-the-label"),
        pytest.param("NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.54.03; rm -rf\n", id="more-than-a-version"),
    ],
)
def test_a_version_that_is_none_is_a_fault(tmp_path: Path, text: str) -> None:
    put(tmp_path, {VERSION: text})
    version = collect_driver_version(tmp_path)
    assert isinstance(version, Unknown)
    assert version.reason is Reason.FAULT


def test_a_hidden_proc_is_not_found(tmp_path: Path) -> None:
    for reading in (collect_driver_version(tmp_path), collect_proc_gpus(tmp_path)):
        assert isinstance(reading, Unknown)
        assert reading.reason is Reason.NOT_FOUND


def test_a_refused_proc_is_no_permission(tmp_path: Path) -> None:
    put(tmp_path, {VERSION: CLOSED, INFORMATION: A100})
    (tmp_path / "proc").chmod(0)
    with unprivileged():
        for reading in (collect_driver_version(tmp_path), collect_proc_gpus(tmp_path)):
            assert isinstance(reading, Unknown)
            assert reading.reason is Reason.NO_PERMISSION


def test_an_honest_card_is_read(tmp_path: Path) -> None:
    put(tmp_path, {INFORMATION: A100})
    assert the_gpu(tmp_path) == ProcGpu(
        bus_id="0000:06:00.0",
        model=Known(value="NVIDIA A100-SXM4-40GB", source=Source.PROC),
        uuid=Known(value="GPU-5a2e8a52-4d1d-4f5c-8f3f-0f1f3b1c2d3e", source=Source.PROC),
        video_bios=Known(value="92.00.45.00.03", source=Source.PROC),
        device_minor=Known(value=3, source=Source.PROC),
    )


def test_a_card_that_was_never_opened_has_question_marks_not_values(tmp_path: Path) -> None:
    text = A100.replace("GPU-5a2e8a52-4d1d-4f5c-8f3f-0f1f3b1c2d3e", "GPU-????????-????-????-????-????????????")
    put(tmp_path, {INFORMATION: text.replace("92.00.45.00.03", "??.??.??.??.??")})
    gpu = the_gpu(tmp_path)
    assert isinstance(gpu.model, Known)
    for reading in (gpu.uuid, gpu.video_bios):
        assert isinstance(reading, Unknown)
        assert reading.reason is Reason.NOT_FOUND


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param(A100 + "Model: NVIDIA H100\n", Reason.FAULT, id="two-models"),
        pytest.param("A100\n", Reason.FAULT, id="not-a-list"),
        pytest.param("IRQ: 300\n", Reason.NOT_FOUND, id="no-model"),
    ],
)
def test_a_model_that_is_not_one_is_unknown(tmp_path: Path, text: str, reason: Reason) -> None:
    put(tmp_path, {INFORMATION: text})
    model = the_gpu(tmp_path).model
    assert isinstance(model, Unknown)
    assert model.reason is reason


def test_a_minor_number_in_words_is_a_fault(tmp_path: Path) -> None:
    put(tmp_path, {INFORMATION: A100.replace("Device Minor: \t 3", "Device Minor: \t three")})
    minor = the_gpu(tmp_path).device_minor
    assert isinstance(minor, Unknown)
    assert minor.reason is Reason.FAULT


def test_a_pipe_for_a_card_does_not_hang_and_the_card_is_still_listed(tmp_path: Path) -> None:
    put(tmp_path, {INFORMATION: A100})
    (tmp_path / INFORMATION.lstrip("/")).unlink()
    os.mkfifo(tmp_path / INFORMATION.lstrip("/"))
    gpu = the_gpu(tmp_path)
    assert gpu.bus_id == "0000:06:00.0"
    assert isinstance(gpu.model, Unknown)


@pytest.mark.parametrize("name", ["..hidden", "card one", "0000:06:00.0\n", "0" * 200])
def test_a_strange_entry_makes_the_list_unknown(tmp_path: Path, name: str) -> None:
    put(tmp_path, {INFORMATION: A100})
    (tmp_path / "proc/driver/nvidia/gpus" / name).mkdir()
    gpus = collect_proc_gpus(tmp_path)
    assert isinstance(gpus, Unknown)
    assert gpus.reason is Reason.FAULT
    assert len(gpus.detail) < 200


def test_a_thousand_cards_are_refused(tmp_path: Path) -> None:
    for index in range(1000):
        (tmp_path / "proc/driver/nvidia/gpus" / f"{index:04x}:00:00.0").mkdir(parents=True)
    gpus = collect_proc_gpus(tmp_path)
    assert isinstance(gpus, Unknown)
    assert gpus.reason is Reason.FAULT
