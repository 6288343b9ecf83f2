"""The small ELF reader: genuine headers, forged ones, and noise."""

from __future__ import annotations

import os
import struct
import sys
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpuaudit.attester.elf import ElfFacts, read_elf
from gpuaudit.evidence.reading import Known, Reason, Source, Unknown
from tests.attester.elves import library


def facts_of(data: bytes) -> ElfFacts:
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.flush()
        return read_elf(file.fileno(), shown="library")


@pytest.mark.parametrize("bits", [32, 64])
@pytest.mark.parametrize("order", ["<", ">"])
def test_soname_and_sections_are_read(bits: int, order: str) -> None:
    facts = facts_of(library("libcuda.so.1", (".text", ".go.buildinfo"), bits=bits, order=order))
    assert facts.soname == Known(value="libcuda.so.1", source=Source.HOST)
    assert facts.sections == Known(value=(".text", ".go.buildinfo", ".shstrtab"), source=Source.HOST)


def test_a_real_library_of_this_machine_is_read() -> None:
    """The C library, whose soname everybody knows: our own writer must not be the only witness."""
    maps = Path("/proc/self/maps").read_text(encoding="utf-8")
    path = next(line.split(maxsplit=5)[5] for line in maps.splitlines() if line.endswith(("/libc.so.6", "/libc-2.31.so")))
    with Path(path).open("rb") as file:
        facts = read_elf(file.fileno(), shown=path)
    assert facts.soname == Known(value="libc.so.6", source=Source.HOST)
    assert isinstance(facts.sections, Known)
    assert {".dynsym", ".text", ".shstrtab"} <= set(facts.sections.value)


def test_a_program_has_no_soname() -> None:
    with Path(sys.executable).open("rb") as file:
        soname = read_elf(file.fileno(), shown="python").soname
    assert isinstance(soname, Unknown)
    assert soname.reason is Reason.NOT_FOUND


def test_a_library_without_section_headers_has_none() -> None:
    data = bytearray(library())
    data[0x3C:0x40] = struct.pack("<HH", 0, 0)
    facts = facts_of(bytes(data))
    assert facts.sections == Known(value=(), source=Source.HOST)
    assert isinstance(facts.soname, Known)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"#!/bin/sh\nexec real-nvml\n", id="shell-script"),
        pytest.param(b"\x7fELF", id="magic-only"),
        pytest.param(b"\x7fELF\x02\x01\x01" + bytes(9), id="header-cut-off"),
        pytest.param(b"\x7fELF\x03\x01\x01" + bytes(100), id="no-such-class"),
        pytest.param(b"\x7fELF\x02\x07\x01" + bytes(100), id="no-such-byte-order"),
        pytest.param(library()[:-1], id="last-byte-missing"),
    ],
)
def test_what_is_no_whole_library_is_a_fault(data: bytes) -> None:
    sections = facts_of(data).sections
    assert isinstance(sections, Unknown)
    assert sections.reason is Reason.FAULT


@pytest.mark.parametrize(
    ("offset", "layout", "value"),
    [
        pytest.param(0x20, "<Q", 2**63, id="segments-beyond-the-file"),
        pytest.param(0x36, "<H", 12, id="segments-of-another-size"),
        pytest.param(0x38, "<H", 65535, id="too-many-segments"),
        pytest.param(64 + 56 + 8, "<Q", 2**64 - 1, id="dynamic-table-beyond-the-file"),
        pytest.param(64 + 56 + 32, "<Q", 2**40, id="dynamic-table-of-a-terabyte"),
        pytest.param(64 + 112 + 8, "<Q", 1, id="strings-in-no-segment"),
        pytest.param(64 + 112 + 24, "<Q", 2**62, id="soname-beyond-the-file"),
    ],
)
def test_a_forged_way_to_the_soname_is_a_fault(offset: int, layout: str, value: int) -> None:
    data = bytearray(library())
    struct.pack_into(layout, data, offset, value)
    soname = facts_of(bytes(data)).soname
    assert isinstance(soname, Unknown)
    assert soname.reason is Reason.FAULT


@pytest.mark.parametrize(
    ("offset", "layout", "value"),
    [
        pytest.param(0x28, "<Q", 2**63, id="sections-beyond-the-file"),
        pytest.param(0x3C, "<H", 65535, id="too-many-sections"),
        pytest.param(0x3E, "<H", 65535, id="names-in-no-section"),
    ],
)
def test_a_forged_way_to_the_sections_is_a_fault(offset: int, layout: str, value: int) -> None:
    data = bytearray(library())
    struct.pack_into(layout, data, offset, value)
    sections = facts_of(bytes(data)).sections
    assert isinstance(sections, Unknown)
    assert sections.reason is Reason.FAULT


def test_a_name_that_would_move_the_cursor_is_a_fault() -> None:
    facts = facts_of(library("lib\x1b[2J.so"))
    assert isinstance(facts.soname, Unknown)
    assert "\x1b" not in facts.soname.detail


def test_a_name_without_end_is_a_fault() -> None:
    assert isinstance(facts_of(library("x" * 200)).soname, Unknown)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_noise_in_the_headers_never_raises_and_never_takes_long(data: st.DataObject) -> None:
    noisy = bytearray(library())
    for _ in range(data.draw(st.integers(1, 6))):
        noisy[data.draw(st.integers(4, len(noisy) - 1))] = data.draw(st.integers(0, 255))
    started = time.monotonic()
    facts = facts_of(bytes(noisy[: data.draw(st.integers(0, len(noisy)))]))
    assert time.monotonic() - started < 30
    for reading in (facts.soname, facts.sections):
        assert isinstance(reading, Known | Unknown)


def test_the_descriptor_stays_where_it_was(tmp_path: Path) -> None:
    (tmp_path / "library").write_bytes(library())
    with (tmp_path / "library").open("rb") as file:
        os.lseek(file.fileno(), 7, os.SEEK_SET)
        read_elf(file.fileno(), shown="library")
        assert os.lseek(file.fileno(), 0, os.SEEK_CUR) == 7
