"""Which libraries are mapped, and whose: a mock keeps its name or its soname, rarely neither."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from gpuaudit.attester.files import Tree
from gpuaudit.attester.libraries import collect_libraries, digest_file
from gpuaudit.evidence.host import LibraryFacts
from gpuaudit.evidence.reading import Known, Reason, Source, Unknown
from tests.attester.elves import library
from tests.attester.trees import put

NVML = "/usr/lib/x86_64-linux-gnu/libnvidia-ml.so.570.148.08"


def mapped(root: Path, files: Mapping[str, bytes], *, deleted: str = "") -> Path:
    """Put the files there and list each as mapped twice, with its code and its data, beside what every process has."""
    put(root, files)
    lines = [
        "55d0c0a00000-55d0c0a02000 r--p 00000000 fe:00 1234  /usr/bin/python3.11",
        "7ffd0000-7ffd1000 rw-p 00000000 00:00 0   [stack]",
    ]
    for index, path in enumerate(files):
        shown = f"{path} (deleted)" if path == deleted else path
        lines += [f"7f{index:010x}-7f{index + 1:010x} {rights} 00000000 fe:00 99   {shown}" for rights in ("r-xp", "rw-p")]
    put(root, {"/proc/self/maps": "\n".join(lines) + "\n", "/usr/bin/python3.11": library("")})
    return root


def the_libraries(root: Path) -> tuple[LibraryFacts, ...]:
    libraries = collect_libraries(root)
    assert isinstance(libraries, Known)
    return libraries.value


def test_nvml_and_cuda_are_described_and_nothing_else(tmp_path: Path) -> None:
    files = {
        NVML: library(),
        "/usr/lib/libcuda.so.570.148.08": library("libcuda.so.1"),
        "/usr/lib/libcudart.so.12": library("libcudart.so.12"),
    }
    cuda, nvml = the_libraries(mapped(tmp_path, files))
    assert cuda.path == "/usr/lib/libcuda.so.570.148.08"
    assert nvml == LibraryFacts(
        path=NVML,
        sha256=Known(value=hashlib.sha256(library()).hexdigest(), source=Source.HOST),
        size_bytes=Known(value=len(library()), source=Source.HOST),  # type: ignore[arg-type]
        soname=Known(value="libnvidia-ml.so.1", source=Source.HOST),
        sections=Known(value=(".text", ".dynamic", ".shstrtab"), source=Source.HOST),
    )


def test_a_mock_in_go_shows_its_sections(tmp_path: Path) -> None:
    (nvml,) = the_libraries(mapped(tmp_path, {NVML: library(sections=(".text", ".go.buildinfo", ".gopclntab"))}))
    assert isinstance(nvml.sections, Known)
    assert {".go.buildinfo", ".gopclntab"} <= set(nvml.sections.value)


def test_a_library_of_another_name_is_known_by_its_soname(tmp_path: Path) -> None:
    (fake,) = the_libraries(mapped(tmp_path, {"/opt/kit/libshim.so": library("libnvidia-ml.so.1")}))
    assert fake.path == "/opt/kit/libshim.so"


def test_a_library_deleted_since_is_listed_without_a_digest(tmp_path: Path) -> None:
    (nvml,) = the_libraries(mapped(tmp_path, {NVML: library()}, deleted=NVML))
    assert nvml.path == f"{NVML} (deleted)"
    assert isinstance(nvml.sha256, Unknown)
    assert nvml.sha256.reason is Reason.NOT_FOUND


def test_a_library_that_is_no_elf_file_still_has_its_digest(tmp_path: Path) -> None:
    (nvml,) = the_libraries(mapped(tmp_path, {NVML: b"#!/bin/sh\n"}))
    assert isinstance(nvml.sha256, Known)
    assert isinstance(nvml.soname, Unknown)
    assert nvml.soname.reason is Reason.FAULT


def test_a_pipe_in_the_place_of_a_library_does_not_hang(tmp_path: Path) -> None:
    root = mapped(tmp_path, {NVML: library()})
    (root / NVML.lstrip("/")).unlink()
    os.mkfifo(root / NVML.lstrip("/"))
    (nvml,) = the_libraries(root)
    assert isinstance(nvml.sha256, Unknown)


def test_more_than_half_a_gigabyte_is_not_digested(tmp_path: Path) -> None:
    root = mapped(tmp_path, {NVML: library()})
    os.truncate(root / NVML.lstrip("/"), 513 * 1024 * 1024)
    (nvml,) = the_libraries(root)
    assert isinstance(nvml.sha256, Unknown)
    assert nvml.sha256.reason is Reason.FAULT


def test_no_maps_is_not_found(tmp_path: Path) -> None:
    libraries = collect_libraries(tmp_path)
    assert isinstance(libraries, Unknown)
    assert libraries.reason is Reason.NOT_FOUND


@pytest.mark.parametrize("count", [17, 5000])
def test_more_libraries_than_any_process_has_are_refused(tmp_path: Path, count: int) -> None:
    paths = [f"/lib/{index}/libcuda.so.1" for index in range(count)]
    lines = [f"{index:012x}-{index + 1:012x} r-xp 00000000 fe:00 9 {path}" for index, path in enumerate(paths)]
    put(tmp_path, {"/proc/self/maps": "\n".join(lines)})
    libraries = collect_libraries(tmp_path)
    assert isinstance(libraries, Unknown)
    assert libraries.reason is Reason.FAULT


def test_this_process_has_no_nvidia_library_that_is_not_listed() -> None:
    maps = Path("/proc/self/maps").read_text(encoding="utf-8")
    libraries = collect_libraries(Path("/"))
    assert isinstance(libraries, Known)
    assert bool(libraries.value) == ("/libnvidia-ml.so" in maps or "/libcuda.so" in maps)


def test_the_digest_of_a_file_follows_links(tmp_path: Path) -> None:
    put(tmp_path, {"/lib/pynvml.py": "print()"})
    (tmp_path / "lib/link.py").symlink_to("pynvml.py")
    expected = Known(value=hashlib.sha256(b"print()").hexdigest(), source=Source.HOST)
    assert digest_file(Tree(root=tmp_path, source=Source.HOST), "/lib/link.py") == expected
