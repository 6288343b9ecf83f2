"""The NVIDIA libraries mapped into this process: path, digest and ELF facts."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path
from typing import Final

from gpuaudit.attester.elf import ElfFacts, read_elf
from gpuaudit.attester.files import Tree, UnreadableError, legible, regular_file
from gpuaudit.evidence.host import LibraryFacts
from gpuaudit.evidence.reading import Known, Reading, Reason, Source, Unknown
from gpuaudit.units import Bytes

_MAPS: Final = "/proc/self/maps"
_MAX_MAPS_BYTES: Final = 8 * 1024 * 1024
_MAX_FILES: Final = 4096
_MAX_LIBRARIES: Final = 16
# NVIDIA's largest libraries have some hundred megabytes.
_MAX_DIGESTED_BYTES: Final = 512 * 1024 * 1024
_CHUNK: Final = 1024 * 1024
_WANTED: Final = re.compile(r"(libnvidia-ml|libcuda)\.so(\.|$)")
_MAPPED: Final = re.compile(r"[0-9a-f]+-[0-9a-f]+ \S{4} [0-9a-f]+ \S+ \d+ +(/.*)")


def collect_libraries(root: Path) -> Reading[tuple[LibraryFacts, ...]]:
    """Describe the mapped files that are `libnvidia-ml` or `libcuda` by their file name or by their soname, sorted by path.

    The soname catches a library of another name behind a link of the right one: the kernel lists what the link led to. What
    this does not catch: a library of both another name and another soname, and a file exchanged after it was mapped, except
    where the kernel marks it as deleted.

    Args:
        root: Where the machine's file system begins.
    """
    tree = Tree(root=root, source=Source.HOST)
    maps = tree.text(_MAPS, limit=_MAX_MAPS_BYTES)
    if isinstance(maps, Unknown):
        return maps
    paths = sorted({match[1] for line in maps.value.splitlines() if (match := _MAPPED.fullmatch(line))})
    if len(paths) > _MAX_FILES:
        return tree.unknown(Reason.FAULT, f"{_MAPS}: more than {_MAX_FILES} mapped files")
    libraries: list[LibraryFacts] = []
    for path in paths:
        libraries.extend(_facts_if_wanted(tree, path))
        if len(libraries) > _MAX_LIBRARIES:
            return tree.unknown(Reason.FAULT, f"{_MAPS}: more than {_MAX_LIBRARIES} NVIDIA libraries")
    return Known(value=tuple(libraries), source=Source.HOST)


def digest_file(tree: Tree, path: str) -> Reading[str]:
    """Return the SHA-256 of a regular file of at most 512 MiB, as lower-case hexadecimal."""
    try:
        with regular_file(tree.path(path), path, follow=True) as descriptor:
            return _digest(tree, descriptor, path)
    except UnreadableError as error:
        return tree.unknown(error.reason, error.detail)


def _facts_if_wanted(tree: Tree, path: str) -> tuple[LibraryFacts, ...]:
    wanted = _WANTED.match(path.rpartition("/")[2]) is not None
    try:
        with regular_file(tree.path(path), path) as descriptor:
            elf = read_elf(descriptor, shown=path)
            if not wanted and not (isinstance(elf.soname, Known) and _WANTED.match(elf.soname.value)):
                return ()
            size = Bytes(os.fstat(descriptor).st_size)
            return (_facts(path, elf, _digest(tree, descriptor, path), Known(value=size, source=Source.HOST)),)
    except UnreadableError as error:
        # Also a mapped file that was deleted since, which the kernel lists as "PATH (deleted)".
        unread = tree.unknown(error.reason, error.detail)
        return (_facts(path, ElfFacts(soname=unread, sections=unread), unread, unread),) if wanted else ()


def _facts(path: str, elf: ElfFacts, digest: Reading[str], size: Reading[Bytes]) -> LibraryFacts:
    return LibraryFacts(path=legible(path, limit=512), sha256=digest, size_bytes=size, soname=elf.soname, sections=elf.sections)


def _digest(tree: Tree, descriptor: int, path: str) -> Reading[str]:
    digest = hashlib.sha256()
    offset = 0
    while chunk := os.pread(descriptor, _CHUNK, offset):
        digest.update(chunk)
        offset += len(chunk)
        if offset > _MAX_DIGESTED_BYTES:
            return tree.unknown(Reason.FAULT, f"{path}: longer than {_MAX_DIGESTED_BYTES} bytes")
    return Known(value=digest.hexdigest(), source=Source.HOST)
