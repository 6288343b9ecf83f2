"""The attestation result: the predicate of `urn:gpuaudit:result:v1`, and the words in which a verdict is said."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from gpuaudit.evidence.bundle import Origin, Tool
from gpuaudit.evidence.record import record


class Verdict(StrEnum):
    """What is said of a claim. There are no others; reasons are words beside it."""

    CONFIRMED = "confirmed"
    REFUTED = "refuted"
    INCONCLUSIVE = "inconclusive"
    OUT_OF_SCOPE = "out-of-scope"


class Basis(StrEnum):
    """What a reading rests on, from what anyone can say to what someone else signed."""

    REPORTED = "reported"
    MEASURED = "measured"
    CHALLENGED = "challenged"
    ENDORSED = "endorsed"


class Outcome(StrEnum):
    """What a rule found. Only `satisfied` counts for a claim."""

    SATISFIED = "satisfied"
    CONTRADICTED = "contradicted"
    UNDETERMINED = "undetermined"
    NOT_APPLICABLE = "not-applicable"


class Effect(StrEnum):
    """What a rule may do.

    `identity` and `throughput` exclude products, `shortfall` only withholds a confirmation, `note` says something worth reading.
    """

    IDENTITY = "identity"
    THROUGHPUT = "throughput"
    SHORTFALL = "shortfall"
    NOTE = "note"


@record
class Finding:
    """One rule on one subject: always there, whatever it found.

    `required` says whether the verdict may rest on it; findings that are not required are shown and move nothing.
    `excluded` names every product that the reading cannot come from.
    """

    rule: str
    outcome: Outcome
    effect: Effect
    basis: Basis
    required: bool
    subject: str
    observed: str
    expected: str
    excluded: tuple[str, ...]


@record
class ByBasis:
    """What each basis supports alone."""

    reported: Verdict
    measured: Verdict
    challenged: Verdict
    endorsed: Verdict


@record
class Rival:
    """A lesser product that the claim must be told apart from.

    `excluded_by` lists the bases that exclude it on every counted device; `would_exclude` is the basis of the cheapest observation
    that could, and `observation` names it. Empty observation: nothing in the catalogue separates the two.
    """

    product: str
    title: str
    excluded_by: tuple[Basis, ...]
    would_exclude: str
    observation: str


@record
class DeviceStanding:
    """Where one device stands against one line."""

    subject: str
    name: str
    uuid: str
    verdict: Verdict
    by_basis: ByBasis
    candidates: tuple[str, ...]
    reason: str


@record
class LineResult:
    """The verdict on one line of the tender, and everything that it rests on."""

    id: str
    text: str
    verdict: Verdict
    reason: str
    by_basis: ByBasis
    claimed: tuple[str, ...]
    devices: tuple[DeviceStanding, ...]
    rivals: tuple[Rival, ...]
    no_data: tuple[str, ...]
    findings: tuple[Finding, ...]


@record
class Digest:
    """A file that the result speaks of."""

    name: str
    sha256: str


@record
class EvidenceSummary:
    """Which evidence was appraised, and who sealed it."""

    file: Digest
    signed_by: tuple[str, ...]
    nonce: str
    started_at: str
    finished_at: str
    tool: Tool
    devices_seen: int


@record
class AttestationResult:
    """Everything needed to read a verdict and to come to it again from the same files."""

    schema_version: Literal[1]
    tool: Tool
    verdict: Verdict
    accepted: bool
    headline: str
    origin: Origin
    policy: str
    policy_sha256: str
    thresholds_sha256: str
    rules_sha256: str
    catalogue_version: str
    tender: Digest
    tender_title: str
    evidence: tuple[EvidenceSummary, ...]
    complete: bool
    appraised_at: str
    by_basis: ByBasis
    coverage: tuple[str, ...]
    notices: tuple[str, ...]
    machine_findings: tuple[Finding, ...]
    lines: tuple[LineResult, ...]
    challenges: tuple[Digest, ...] = ()
