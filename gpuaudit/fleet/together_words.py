"""What a round of machines that were challenged at the same time says in a fleet's result."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Final

from gpuaudit.appraisal.result import Digest
from gpuaudit.challenge.result import HostKey
from gpuaudit.envelope import Keyring
from gpuaudit.errors import AuthenticityError, GpuauditError
from gpuaudit.evidence.bundle import Origin
from gpuaudit.fleet.folder import Folder
from gpuaudit.fleet.result import FleetLeftOut, FleetResult, FleetTogether
from gpuaudit.fleet.rows import APPRAISED
from gpuaudit.fleet.simultaneity import Pool, simultaneity_of
from gpuaudit.fleet.together import ReadRound, read_round

NOT_AUTHENTIC: Final = "not-authentic"
READ: Final = "read"
_SHOWN: Final = 4
_NOT_EXCLUDED: Final = "Not excluded: which machine holds which card is not shown; fewer and larger cards, other cards helping, a relay to machines elsewhere"
_NOTHING: Final = FleetTogether(
    file=Digest(name="", sha256=""),
    state=READ,
    reason="",
    statement="",
    basis="",
    product="",
    began_at="",
    asked=0,
    nodes=(),
    left_out=(),
    slots=0,
    fill_seconds=0.0,
    walk_seconds=0.0,
    operations_per_second=0.0,
    lookup_bytes_per_second=0.0,
    held_bytes=0,
    cards=0,
    machines=0,
)


def with_rounds(result: FleetResult, folder: Folder, keyring: Keyring) -> FleetResult:
    """Add to a fleet's result what its nodes showed at the same time. The verdict stays as it is.

    Args:
        result: From the evidence alone.
        folder: Where the rounds lie.
        keyring: Whose word on times is taken: of verifiers, not of nodes.
    """
    told: list[FleetTogether] = []
    for candidate in folder.rounds:
        file = Digest(name=candidate.name, sha256="")
        try:
            told.append(replace(round_told(read_round(candidate, keyring, result.rows)), file=file))
        except GpuauditError as error:
            state = NOT_AUTHENTIC if isinstance(error, AuthenticityError) else "unreadable"
            told.append(replace(_NOTHING, file=file, state=state, reason=" ".join(str(error).split())))
    statements = [one.statement for one in told if one.nodes]
    return replace(
        result,
        together=tuple(told),
        headline=" ".join([result.headline, *statements]),
        notices=(*(notice for one in told for notice in _notices(one)), *result.notices),
        coverage=tuple(_coverage(line, told, result) for line in result.coverage),
    )


def round_told(one: ReadRound) -> FleetTogether:
    """Work out what a round proves, and put it in words."""
    made = one.record
    rehearsed = any(result.rehearsal for result in one.results.values())
    shown = simultaneity_of(one.answers, seeds=made.seeds, lookup_ceiling=made.lookup_ceiling_bytes_per_second)
    left_out = {**one.left_out, **shown.left_out}
    counted = [one.results[node] for node in shown.nodes]
    challenged = bool(counted) and all(result.basis == "challenged" for result in counted)
    told = replace(
        _NOTHING,
        basis="challenged" if challenged else "measured" if counted else "",
        reason="" if challenged or not counted else next(one.basis_reason for one in counted if one.basis != "challenged"),
        product=made.product,
        began_at=made.began_at,
        asked=len(made.members),
        nodes=shown.nodes,
        left_out=tuple(FleetLeftOut(node=node, reason=reason) for node, reason in sorted(left_out.items())),
    )
    keys = [result.host for result in counted if isinstance(result.host, HostKey)]
    for pool in shown.pools:
        told = replace(told, slots=pool.slots, fill_seconds=pool.fill_seconds, walk_seconds=pool.walk_seconds)
        if not rehearsed:
            told = _with_floors(told, pool)
    return replace(told, statement=_statement(told, same_key=len(keys) - len(set(keys))))


def _with_floors(told: FleetTogether, pool: Pool) -> FleetTogether:
    return replace(
        told,
        operations_per_second=pool.operations_per_second,
        lookup_bytes_per_second=pool.lookup_bytes_per_second,
        held_bytes=pool.held_bytes,
        cards=pool.cards,
        machines=pool.machines,
    )


def _statement(told: FleetTogether, *, same_key: int) -> str:
    if not told.nodes:
        return f"None of {told.asked} nodes answered together with others."
    parts = [
        f"{len(told.nodes)} of {told.asked} nodes answered together on the verifier's clock, for {told.slots} slots: all work within "
        f"{told.fill_seconds:.2f} s, all lookups within {told.walk_seconds:.2f} s."
    ]
    if told.cards:
        parts.append(
            f"{_did(told)}, which takes at least {told.cards} x {told.product}, or {told.machines} such machines, if nothing else "
            "helped."
        )
        parts.append(
            f"At least {told.held_bytes / 1e9:,.4g} GB lay in memory at one moment."
            if told.held_bytes
            else "How much lay in memory at one moment is not bounded: cards can serve slots in turns."
        )
        if told.machines < len(told.nodes):
            parts.append("Some of the nodes may be one machine.")
    if told.basis != "challenged":
        parts.append(f"Basis measured: {told.reason}.")
    if same_key:
        parts.append(f"{same_key} of them answered at a host key that another has too.")
    return f"{' '.join(parts)} {_NOT_EXCLUDED}."


def _did(told: FleetTogether) -> str:
    if told.basis != "challenged":
        return "Whatever answered did all of it"
    return (
        f"Whatever answered worked out at least {told.operations_per_second / 2e12:,.4g} x 10^12 exact 8-bit multiply-adds a second, and "
        f"looked up at least {told.lookup_bytes_per_second / 1e12:,.3g} TB a second"
    )


def _notices(one: FleetTogether) -> Iterator[str]:
    if one.state != READ:
        yield f"{one.file.name}: {one.state}: {one.reason}; nothing is known of who answered together"
    for reason in dict.fromkeys(left.reason for left in one.left_out):
        nodes = [left.node for left in one.left_out if left.reason == reason]
        more = f" and {len(nodes) - _SHOWN} more" if len(nodes) > _SHOWN else ""
        yield f"not shown together with the others: {', '.join(nodes[:_SHOWN])}{more}: {reason}"


def _coverage(line: str, told: Sequence[FleetTogether], result: FleetResult) -> str:
    """Narrow what is said of simultaneity where every node that was appraised answered together, by hardware, to a verifier."""
    if not line.startswith("simultaneity: "):
        return line
    shown = {row.node for row in result.rows if row.state == APPRAISED}
    for one in told:
        if one.basis == "challenged" and result.origin is Origin.HARDWARE and one.cards and shown <= set(one.nodes):
            return (
                f"simultaneity: all {len(shown)} nodes shown answered together; at least {one.machines} machines, and which of them "
                "holds which card is not shown"
            )
    return line
