"""What a report is made from: a result, how it was sealed, and the evidence behind it where that is at hand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from gpuaudit.appraisal.result import AttestationResult, Digest
from gpuaudit.evidence.bundle import EvidenceBundle


@dataclass(frozen=True, slots=True, kw_only=True)
class Sealed:
    """The result came in a sealed file."""

    name: str
    sha256: str
    signed_by: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class NotSealed:
    """The result was not written to a file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NoEvidence:
    """The evidence is not at hand, and this is why."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Whole:
    """Nothing was left out or replaced."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Redacted:
    """What names the machine was replaced by salted digests; `full_sha256` is of the file that still has it."""

    full_sha256: str
    replaced: int


Seal: TypeAlias = Sealed | NotSealed
Evidence: TypeAlias = EvidenceBundle | NoEvidence
Redaction: TypeAlias = Whole | Redacted


@dataclass(frozen=True, slots=True, kw_only=True)
class Paper:
    """Everything that a report may say."""

    result: AttestationResult
    seal: Seal
    evidence: Evidence
    redaction: Redaction


def paper_of(result: AttestationResult, file: Digest, signed_by: tuple[str, ...], evidence: Evidence) -> Paper:
    """Put together a result that was sealed as `file` and the evidence that it rests on."""
    seal = Sealed(name=file.name, sha256=file.sha256, signed_by=signed_by)
    return Paper(result=result, seal=seal, evidence=evidence, redaction=Whole())
