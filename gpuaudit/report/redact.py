"""A report that can be published without naming machines: what names them is replaced by salted digests.

Equal texts have equal digests within one report, and different ones in another: the salt is drawn for each and kept nowhere, so
that nobody can try all serial numbers there are. A redacted result is no longer the one that was signed, and says of which file it
is the redaction.
"""

from __future__ import annotations

import dataclasses
import hashlib
import re
import secrets
from collections.abc import Iterator
from enum import Enum
from typing import Any, Final, TypeVar

from gpuaudit.evidence.bundle import EvidenceBundle
from gpuaudit.evidence.reading import Known, Reading
from gpuaudit.report.paper import NoEvidence, Paper, Redacted

T = TypeVar("T")

_DIGITS: Final = 10
# A host called `a100` or `gpu` must not take the word out of a sentence.
_SHORTEST_SERIAL: Final = 4
# What names a machine wherever it stands; the kind becomes the digest's prefix.
_PATTERNS: Final = {
    "uuid": r"(?:GPU-|MIG-)?[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}",
    "bus": r"\b[0-9a-fA-F]{4,8}:[0-9a-fA-F]{2}:[0-9a-fA-F]{2}\.[0-9a-fA-F]\b",
    "mac": r"\b(?:[0-9a-fA-F]{2}:){5}[0-9a-fA-F]{2}\b",
    "ip": (
        r"(?<![\w.])(?:\d{1,3}\.){3}\d{1,3}(?![\w.])"
        r"|(?<![\w:])(?:[0-9a-fA-F]{1,4}:){3,7}[0-9a-fA-F]{1,4}(?![\w:])"
        r"|(?<![\w:])[0-9a-fA-F:]*::[0-9a-fA-F:.]*[0-9a-fA-F](?![\w:])"
        r"|(?<![\w:])[0-9a-fA-F]{1,4}(?::[0-9a-fA-F]{1,4})*::(?![\w:])"
    ),
}
_NAMING: Final = re.compile("|".join(f"(?P<{kind}>{pattern})" for kind, pattern in _PATTERNS.items()))
# Versions look like addresses; they stand in fields of their own.
_VERSIONS: Final = frozenset(
    {"vbios_version", "driver_version", "nvml_version", "kernel_release", "python_version", "version", "cuda_version"}
)

# Of a closed set of words, or what one needs to check a file.
_FIXED: Final = frozenset({"state", "kind", "layout", "company", "backend", "method", "sha256"})


def redacted(paper: Paper, *, full_sha256: str, salt: bytes = b"") -> Paper:
    """Replace UUIDs, serial numbers, bus ids, host names and addresses in a paper.

    What is known to name the machine (its serial numbers, host name and the digests of its machine and boot ids) is replaced
    wherever it stands, in other texts too, unless it is shorter than four characters. User names in paths are not known. Left alone are digests of files, keys and the nonce, without which nobody could check
    anything.

    Args:
        paper: The full one.
        full_sha256: Of the file that still has it.
        salt: For a test; by default one is drawn.
    """
    replacer = _Replacer(salt or secrets.token_bytes(32), dict(_names(paper)))
    result = replacer.walk(paper.result, "")
    evidence = paper.evidence if isinstance(paper.evidence, NoEvidence) else replacer.walk(paper.evidence, "")
    seal = replacer.walk(paper.seal, "")
    redaction = Redacted(full_sha256=full_sha256, replaced=len(replacer.given))
    return dataclasses.replace(paper, result=result, seal=seal, evidence=evidence, redaction=redaction)


def _names(paper: Paper) -> Iterator[tuple[str, str]]:
    """Yield the texts that name this machine and have no form of their own, with their kind."""
    evidence = paper.evidence
    if not isinstance(evidence, EvidenceBundle):
        return
    readings: list[tuple[str, Reading[str]]] = [
        ("host", evidence.host.host_name),
        ("machine", evidence.host.machine_id_digest),
        ("boot", evidence.host.boot_id_digest),
    ]
    readings += [("serial", device.identity.serial) for device in evidence.nvml.devices]
    for kind, reading in readings:
        if isinstance(reading, Known) and len(reading.value) >= _SHORTEST_SERIAL:
            yield reading.value, kind


class _Replacer:
    """Walks through records and replaces in every text."""

    def __init__(self, salt: bytes, names: dict[str, str]) -> None:
        self._salt = salt
        self._names = names
        self._known = re.compile(
            "|".join(rf"(?<!\w){re.escape(name)}(?!\w)" for name in sorted(names, key=len, reverse=True)) or r"(?!)"
        )
        self.given: set[str] = set()

    def walk(self, value: T, field: str) -> T:
        """Return `value` with every text in it redacted; `field` is the name under which it stands."""
        return self._walk(value, field)  # type: ignore[no-any-return]

    def _walk(self, value: Any, field: str) -> Any:
        if isinstance(value, Enum):
            return value
        if isinstance(value, str):
            return self._text(value, field)
        if isinstance(value, tuple):
            return tuple(self._walk(item, field) for item in value)
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return self._record(value, field)
        return value

    def _record(self, value: Any, field: str) -> Any:
        # The value of a reading stands under the name of the reading.
        known = isinstance(value, Known)
        changes = {
            one.name: self._walk(getattr(value, one.name), field if known and one.name == "value" else one.name)
            for one in dataclasses.fields(value)
            if one.name not in _FIXED
        }
        return dataclasses.replace(value, **changes)

    def _text(self, text: str, field: str) -> str:
        if field in _VERSIONS:
            return text
        if field in ("serial", "host_name") and text:
            return self._digest(field.removesuffix("_name"), text)
        known = self._known.sub(lambda found: self._digest(self._names[found[0]], found[0]), text)
        return _NAMING.sub(lambda found: self._digest(str(found.lastgroup), found[0]), known)

    def _digest(self, kind: str, text: str) -> str:
        # NVML, kernel and torch write one bus id and one UUID in different ways.
        same = text.lower().removeprefix("gpu-")
        if kind == "bus":
            same = same[-len("0000:00:00.0") :]
        digest = f"{kind}-{hashlib.sha256(self._salt + same.encode()).hexdigest()[:_DIGITS]}"
        self.given.add(digest)
        return digest
