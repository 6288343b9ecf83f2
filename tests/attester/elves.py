"""ELF libraries made by hand, as small as they can be: headers, one dynamic table, sections without content."""

from __future__ import annotations

import struct
from collections.abc import Sequence


def library(
    soname: str = "libnvidia-ml.so.1", sections: Sequence[str] = (".text", ".dynamic"), *, bits: int = 64, order: str = "<"
) -> bytes:
    """Make a shared library whose headers hold `soname` and `sections`."""
    word = "Q" if bits == 64 else "I"
    header_size, segment_size, section_size = (64, 56, 64) if bits == 64 else (52, 32, 40)
    names = b"\0" + b"".join(name.encode() + b"\0" for name in (*sections, ".shstrtab"))
    strings = b"\0" + soname.encode() + b"\0"
    entry = struct.Struct(order + word * 2)
    dynamic_at = header_size + 2 * segment_size
    dynamic_size = 3 * entry.size
    strings_at = dynamic_at + dynamic_size
    # The library is loaded at 0x10000, so that addresses and offsets differ.
    dynamic = entry.pack(5, 0x10000 + strings_at) + entry.pack(14, 1) + entry.pack(0, 0)
    names_at = strings_at + len(strings)
    sections_at = names_at + len(names)
    count = len(sections) + 2
    ident = b"\x7fELF" + bytes([2 if bits == 64 else 1, 1 if order == "<" else 2, 1]) + bytes(9)
    header = struct.pack(
        f"{order}HHI{word * 3}IHHHHHH",
        3, 62, 1, 0, header_size, sections_at, 0, header_size, segment_size, 2, section_size, count, count - 1,
    )  # fmt: skip
    whole = sections_at + count * section_size
    segments = _segment(1, (0, 0x10000, whole), bits, order)
    segments += _segment(2, (dynamic_at, 0x10000 + dynamic_at, dynamic_size), bits, order)
    positions = [names.index(b"\0" + name.encode() + b"\0") + 1 for name in (*sections, ".shstrtab")]
    table = _section(0, 0, 0, bits, order) + b"".join(_section(position, 0, 0, bits, order) for position in positions[:-1])
    table += _section(positions[-1], names_at, len(names), bits, order)
    return ident + header + segments + dynamic + strings + names + table


def _segment(kind: int, place: tuple[int, int, int], bits: int, order: str) -> bytes:
    offset, address, size = place
    if bits == 64:
        return struct.pack(f"{order}IIQQQQQQ", kind, 4, offset, address, address, size, size, 8)
    return struct.pack(f"{order}IIIIIIII", kind, offset, address, address, size, size, 4, 4)


def _section(name: int, offset: int, size: int, bits: int, order: str) -> bytes:
    layout = "IIQQQQIIQQ" if bits == 64 else "IIIIIIIIII"
    return struct.pack(order + layout, name, 1, 0, 0, offset, size, 0, 0, 1, 0)
