"""Two facts from the headers of an ELF file: its soname and the names of its sections.

Enough to tell how a library was built (Go leaves `.go.buildinfo`, seen in a public mock of NVML), without a parser of
everything. The file may be made to hurt a reader: every offset, count and length is checked against the file's size or a bound,
nothing is followed, and what does not hold is an Unknown.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from typing import Final

from gpuaudit.evidence.reading import Known, Reading, Reason, Source, Unknown

_MAGIC: Final = b"\x7fELF"
_MAX_SECTIONS: Final = 512
_MAX_SEGMENTS: Final = 128
_MAX_DYNAMIC_BYTES: Final = 64 * 1024
_MAX_NAME_BYTES: Final = 128
_MAX_NAMES_BYTES: Final = 64 * 1024

# Numbers from the System V ABI, chapters 4 and 5 (https://refspecs.linuxfoundation.org/elf/gabi4+/contents.html).
_PT_LOAD: Final = 1
_PT_DYNAMIC: Final = 2
_DT_NULL: Final = 0
_DT_STRTAB: Final = 5
_DT_SONAME: Final = 14


class MalformedElfError(ValueError):
    """The headers contradict the file or each other; never leaves this module."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ElfFacts:
    """What the headers say; a library without a soname has that reading Unknown (not found)."""

    soname: Reading[str]
    sections: Reading[tuple[str, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layout:
    """How one class of ELF (32 or 64 bit, either byte order) writes its tables."""

    header: struct.Struct
    segment: struct.Struct
    section: struct.Struct
    dynamic: struct.Struct
    # Where type, offset, virtual address and file size stand within a program header: the classes order them differently.
    segment_fields: tuple[int, int, int, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Segment:
    kind: int
    offset: int
    address: int
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Elf:
    descriptor: int
    size: int
    layout: _Layout
    segments_offset: int
    segment_count: int
    sections_offset: int
    section_count: int
    names_index: int

    def bytes_at(self, offset: int, length: int) -> bytes:
        """Read exactly `length` bytes that must lie within the file."""
        if offset < 0 or length < 0 or offset + length > self.size:
            raise MalformedElfError(f"{length} bytes at {offset} lie outside the file of {self.size}")
        data = os.pread(self.descriptor, length, offset)
        if len(data) != length:
            raise MalformedElfError("the file became shorter while it was read")
        return data


def read_elf(descriptor: int, *, shown: str) -> ElfFacts:
    """Read the facts of an open regular file.

    Args:
        descriptor: Open for reading; its position does not matter and is left as it is.
        shown: How messages name the file.
    """
    try:
        elf = _open(descriptor)
    except (MalformedElfError, OSError) as error:
        fault = _fault(shown, error)
        return ElfFacts(soname=fault, sections=fault)
    return ElfFacts(soname=_soname_reading(elf, shown), sections=_sections_reading(elf, shown))


def _soname_reading(elf: _Elf, shown: str) -> Reading[str]:
    try:
        soname = _soname(elf)
    except (MalformedElfError, OSError) as error:
        return _fault(shown, error)
    if not soname:
        return Unknown(reason=Reason.NOT_FOUND, source=Source.HOST, detail=f"{shown}: no soname")
    return Known(value=soname, source=Source.HOST)


def _sections_reading(elf: _Elf, shown: str) -> Reading[tuple[str, ...]]:
    try:
        return Known(value=_section_names(elf), source=Source.HOST)
    except (MalformedElfError, OSError) as error:
        return _fault(shown, error)


def _fault(shown: str, error: Exception) -> Unknown:
    return Unknown(reason=Reason.FAULT, source=Source.HOST, detail=f"{shown}: {error}")


def _open(descriptor: int) -> _Elf:
    size = os.fstat(descriptor).st_size
    ident = os.pread(descriptor, 16, 0)
    if len(ident) < 16 or not ident.startswith(_MAGIC):
        raise MalformedElfError("not an ELF file")
    layout = _layout(ident[4], ident[5])
    header = os.pread(descriptor, layout.header.size, 16)
    if len(header) != layout.header.size:
        raise MalformedElfError("the header is cut off")
    (_, _, _, _, segments_at, sections_at, _, _, segment_size, segments, section_size, sections, names) = layout.header.unpack(
        header
    )
    if segments and segment_size != layout.segment.size:
        raise MalformedElfError(f"program headers of {segment_size} bytes")
    if sections and section_size != layout.section.size:
        raise MalformedElfError(f"section headers of {section_size} bytes")
    return _Elf(
        descriptor=descriptor,
        size=size,
        layout=layout,
        segments_offset=segments_at,
        segment_count=segments,
        sections_offset=sections_at,
        section_count=sections,
        names_index=names,
    )


def _layout(word_class: int, byte_order: int) -> _Layout:
    try:
        order = {1: "<", 2: ">"}[byte_order]
        word, section, segment, fields = {
            1: ("I", "IIIIIIIIII", "IIIIIIII", (0, 1, 2, 4)),
            2: ("Q", "IIQQQQIIQQ", "IIQQQQQQ", (0, 2, 3, 5)),
        }[word_class]
    except KeyError:
        raise MalformedElfError(f"class {word_class} and byte order {byte_order}") from None
    return _Layout(
        header=struct.Struct(f"{order}HHI{word * 3}IHHHHHH"),
        segment=struct.Struct(order + segment),
        section=struct.Struct(order + section),
        dynamic=struct.Struct(order + word * 2),
        segment_fields=fields,
    )


def _segments(elf: _Elf) -> tuple[_Segment, ...]:
    if elf.segment_count > _MAX_SEGMENTS:
        raise MalformedElfError(f"{elf.segment_count} program headers")
    table = elf.bytes_at(elf.segments_offset, elf.segment_count * elf.layout.segment.size)
    kind, offset, address, size = elf.layout.segment_fields
    return tuple(
        _Segment(kind=entry[kind], offset=entry[offset], address=entry[address], size=entry[size])
        for entry in elf.layout.segment.iter_unpack(table)
    )


def _soname(elf: _Elf) -> str:
    """Return the soname, or an empty text if there is none."""
    segments = _segments(elf)
    dynamic = next((segment for segment in segments if segment.kind == _PT_DYNAMIC), None)
    if dynamic is None:
        return ""
    if dynamic.size > _MAX_DYNAMIC_BYTES:
        raise MalformedElfError(f"a dynamic section of {dynamic.size} bytes")
    whole = dynamic.size - dynamic.size % elf.layout.dynamic.size
    values: dict[int, int] = {}
    for tag, value in elf.layout.dynamic.iter_unpack(elf.bytes_at(dynamic.offset, whole)):
        if tag == _DT_NULL:
            break
        values.setdefault(tag, value)
    if _DT_SONAME not in values or _DT_STRTAB not in values:
        return ""
    return _name_at(elf, _file_offset(segments, values[_DT_STRTAB]) + values[_DT_SONAME])


def _file_offset(segments: tuple[_Segment, ...], address: int) -> int:
    for segment in segments:
        if segment.kind == _PT_LOAD and segment.address <= address < segment.address + segment.size:
            return segment.offset + (address - segment.address)
    raise MalformedElfError(f"address {address:#x} lies in no segment")


def _name_at(elf: _Elf, offset: int) -> str:
    return _text(elf.bytes_at(offset, min(_MAX_NAME_BYTES, max(elf.size - offset, 0))))


def _section_names(elf: _Elf) -> tuple[str, ...]:
    if not elf.section_count:
        return ()
    if elf.section_count > _MAX_SECTIONS:
        raise MalformedElfError(f"{elf.section_count} section headers")
    if elf.names_index >= elf.section_count:
        raise MalformedElfError(f"section {elf.names_index} of {elf.section_count} is to hold the names")
    table = elf.bytes_at(elf.sections_offset, elf.section_count * elf.layout.section.size)
    headers = tuple(elf.layout.section.iter_unpack(table))
    _, _, _, _, offset, size, *_ = headers[elf.names_index]
    if size > _MAX_NAMES_BYTES:
        raise MalformedElfError(f"{size} bytes of section names")
    names = elf.bytes_at(offset, size)
    # The first section is always the empty one.
    return tuple(_text(names[header[0] : header[0] + _MAX_NAME_BYTES]) for header in headers[1:])


def _text(data: bytes) -> str:
    name, end, _ = data.partition(b"\0")
    if not end:
        raise MalformedElfError("a name that does not end")
    if not all(0x20 <= byte < 0x7F for byte in name):
        raise MalformedElfError("a name that is not plain ASCII")
    return name.decode("ascii")
