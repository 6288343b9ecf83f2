"""The result of a fleet: a result (`urn:gpuaudit:result:v1`) whose `scope` is `fleet`, and a row for every file."""

from __future__ import annotations

from dataclasses import replace
from typing import Final, Literal

from securesystemslib.signer import Signer

from gpuaudit.appraisal.result import ByBasis, Digest, Verdict
from gpuaudit.envelope import PredicateType, Subject, seal
from gpuaudit.evidence.bundle import Origin, Tool
from gpuaudit.evidence.codec import dump, load
from gpuaudit.evidence.record import record

# No text holds this: the quotes in it would be escaped. And no other record of a result has rows.
_NO_ROWS: Final = b'"rows":[]'


@record
class FleetRow:
    """One file, or one node that has none.

    `state` is `appraised`, or why the file contributes nothing: `not-authentic`, `unknown-key`, `unreadable`, `failed`,
    `changed-key`, `not-shown`. `verdict` and `reason` are those of the node alone, of its worst line; a row that contributes nothing
    is inconclusive.
    """

    node: str
    file: Digest
    state: str
    verdict: Verdict
    reason: str
    origin: str
    signed_by: tuple[str, ...]
    host_name: str
    devices: str
    started_at: str
    finished_at: str
    notices: tuple[str, ...]


@record
class FleetLine:
    """The verdict on one line over all machines. `statement` is empty where no random sample was planned, or none is needed."""

    id: str
    text: str
    verdict: Verdict
    reason: str
    by_basis: ByBasis
    good_servers: int
    open_servers: int
    bad_servers: int
    good_devices: int
    statement: str
    sampled: str


@record
class FleetDuplicate:
    """Cards that two files show; see `duplicates.Sighting`."""

    first: str
    second: str
    cards: int
    example: str
    at_once: bool
    copied: bool


@record
class FleetOutlier:
    """A device that stands out from the fleet; `score` is -1 where the fleet's values do not differ at all."""

    product: str
    quantity: str
    subject: str
    value: float
    median: float
    score: float


@record
class FleetDistribution:
    """One measured quantity over all devices that report one product."""

    product: str
    quantity: str
    count: int
    smallest: float
    median: float
    mad: float
    largest: float


@record
class FleetLeftOut:
    """A node that was asked to answer together with others, and does not count; and why."""

    node: str
    reason: str


@record
class FleetTogether:
    """A round in which nodes were challenged at the same time, as far as it holds; see `simultaneity.Pool` for the numbers.

    `state` is `read`, or `not-authentic`, with the reason; then nothing is known of the round. `basis` is `challenged` only if it is
    for every node that counts. Numbers are 0 where nothing is proved. None of it moves a verdict.
    """

    file: Digest
    state: str
    reason: str
    statement: str
    basis: str
    product: str
    began_at: str
    asked: int
    nodes: tuple[str, ...]
    left_out: tuple[FleetLeftOut, ...]
    slots: int
    fill_seconds: float
    walk_seconds: float
    operations_per_second: float
    lookup_bytes_per_second: float
    held_bytes: int
    cards: int
    machines: int


@record
class FleetTrust:
    """Why the keys were believed: `keyring` or `first-use`, and what that means here."""

    kind: str
    detail: str


@record
class FleetResult:
    """Everything needed to read a fleet's verdict and to come to it again from the same files."""

    schema_version: Literal[1]
    scope: Literal["fleet"]
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
    complete: bool
    appraised_at: str
    trust: FleetTrust
    by_basis: ByBasis
    coverage: tuple[str, ...]
    notices: tuple[str, ...]
    lines: tuple[FleetLine, ...]
    rows: tuple[FleetRow, ...]
    duplicates: tuple[FleetDuplicate, ...]
    products: dict[str, int]
    distributions: tuple[FleetDistribution, ...]
    outliers: tuple[FleetOutlier, ...]
    together: tuple[FleetTogether, ...] = ()


def dump_fleet_result(result: FleetResult) -> bytes:
    """Write a result as JSON bytes, as `codec.dump` does; the rows one at a time, which of a large fleet takes a third of the memory."""
    begin, rows, end = dump(FleetResult, replace(result, rows=())).partition(_NO_ROWS)
    return b"".join((begin, rows[:-1], b",".join(dump(FleetRow, row) for row in result.rows), rows[-1:], end))


def seal_fleet_result(result: FleetResult, signer: Signer) -> bytes:
    """Sign a fleet's result. Its subjects are the tender's file and every file of evidence that was appraised.

    Raises:
        ValueError: It would be too large to open again: some ten thousand nodes.
    """
    files = (result.tender, *(row.file for row in result.rows if row.file.sha256))
    return seal(
        PredicateType.RESULT,
        tuple(Subject(name=file.name, sha256=file.sha256) for file in files),
        dump_fleet_result(result),
        signer,
    )


def read_fleet_result(predicate: bytes, *, place: str) -> FleetResult:
    """Read a fleet's result from what was signed.

    Raises:
        AuthenticityError: It is something else, such as the result of one machine.
    """
    return load(FleetResult, predicate, place=place)
