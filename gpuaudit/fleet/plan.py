"""A plan: which servers to look at and when, drawn from a seed to which its maker is committed.

1 Draw a nonce and publish the commitment, 2 let the provider name the servers, 3 open the seed: everybody can draw again. Who
knows the seed before the servers are named could choose the names; who draws after having seen them could choose the draw.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, Literal

from gpuaudit.clock import rfc3339
from gpuaudit.envelope.intake import read_bounded
from gpuaudit.errors import AuthenticityError, UsageError
from gpuaudit.evidence.codec import load
from gpuaudit.evidence.record import record
from gpuaudit.fleet.sampling import audits_needed, sample_size, shortest_caught, state
from gpuaudit.tender.expectation import HOURS_PER_MONTH
from gpuaudit.tender.model import AtLeast, Exactly, HardwareLine, Tender
from gpuaudit.tender.parse import LoadedTender

_METHOD: Final = "gpuaudit fleet draw/1"
_MOST_SERVERS: Final = 1_000_000
_MOST_AUDITS: Final = 10_000


@record
class FleetPlan:
    """What was drawn, and everything that is needed to draw it again. `audit_times` are empty where no line has a period."""

    schema_version: Literal[1]
    method: str
    tender: str
    tender_sha256: str
    date: str
    nonce: str
    seed: str
    commitment: str
    confidence: float
    tolerance: float
    servers: tuple[str, ...]
    drawn: tuple[str, ...]
    audit_times: tuple[str, ...]
    can_conclude: tuple[str, ...]
    cannot_conclude: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanTerms:
    """What a plan is to reach. `audits` is 0 where their number follows from `absence`."""

    confidence: float
    tolerance: float
    absence: float
    audits: int
    start: datetime


def make_plan(loaded: LoadedTender, servers: Sequence[str], terms: PlanTerms, *, date: str, nonce: str) -> FleetPlan:
    """Draw servers, and times where the tender has a period.

    Args:
        loaded: The tender.
        servers: Names of all servers, in any order.
        terms: What the plan is to reach.
        date: Of the plan, as 2026-11-23; part of the seed.
        nonce: In hexadecimal; part of the seed.

    Raises:
        UsageError: A number is out of range, or a server is named twice.
    """
    _require_names(servers)
    size = sample_size(len(servers), terms.confidence, terms.tolerance)
    seed = seed_of(loaded.sha256, date, nonce)
    times = _times(loaded.tender, terms, seed)
    return FleetPlan(
        schema_version=1,
        method=_METHOD,
        tender=loaded.tender.slug,
        tender_sha256=loaded.sha256,
        date=date,
        nonce=nonce,
        seed=seed,
        commitment=commitment_to(seed),
        confidence=terms.confidence,
        tolerance=terms.tolerance,
        servers=tuple(sorted(servers)),
        drawn=draw(servers, seed, size),
        audit_times=times,
        can_conclude=_can(len(servers), size, terms, times),
        cannot_conclude=_cannot(len(servers), size, times),
    )


def seed_of(tender_sha256: str, date: str, nonce: str) -> str:
    """Return the seed of a draw, the SHA-256 of tender, date and nonce, in hexadecimal."""
    return hashlib.sha256(f"{_METHOD} {tender_sha256} {date} {nonce}".encode()).hexdigest()


def commitment_to(seed: str) -> str:
    """Return what is published before the servers are named: the SHA-256 of the seed's bytes."""
    return hashlib.sha256(bytes.fromhex(seed)).hexdigest()


def draw(servers: Sequence[str], seed: str, size: int) -> tuple[str, ...]:
    """Draw `size` servers: those whose SHA-256 of seed and name is smallest, so that any language can draw again."""
    ordered = sorted(servers, key=lambda name: hashlib.sha256(f"{seed} server {name}".encode()).digest())
    return tuple(sorted(ordered[:size]))


def read_plan(path: Path, loaded: LoadedTender) -> FleetPlan:
    """Read a plan and draw it again.

    Raises:
        AuthenticityError: It is not a plan, is for another tender, or its draw is not what its seed gives.
    """
    plan = load(FleetPlan, read_bounded(path, refusal=AuthenticityError), place=str(path))
    if plan.tender_sha256 != loaded.sha256:
        raise AuthenticityError(f"{path}: a plan for {plan.tender} with another file than this {loaded.tender.slug}")
    seed = seed_of(plan.tender_sha256, plan.date, plan.nonce)
    try:
        _require_names(plan.servers)
        size = sample_size(len(plan.servers), plan.confidence, plan.tolerance)
    except UsageError as error:
        raise AuthenticityError(f"{path}: {error}") from None
    if (plan.method, plan.seed, plan.drawn) != (_METHOD, seed, draw(plan.servers, seed, size)):
        raise AuthenticityError(f"{path}: its servers are not those that {_METHOD} draws from its tender, date and nonce")
    return plan


def plan_in_words(plan: FleetPlan) -> str:
    """Write a plan as text: what was drawn, when to audit, and what that can and cannot show."""
    lines = [
        f"tender       {plan.tender} sha256:{plan.tender_sha256}",
        f"draw         {len(plan.drawn)} of {len(plan.servers):,} servers",
        f"commitment   {plan.commitment} (publish it before the servers are named)",
        f"seed         {plan.seed} (of date {plan.date}, nonce {plan.nonce}; publish them after)",
        f"drawn        {', '.join(plan.drawn)}",
    ]
    lines += [f"audit        {time}" for time in plan.audit_times]
    lines += [f"can show     {text}" for text in plan.can_conclude]
    lines += [f"cannot show  {text}" for text in plan.cannot_conclude]
    return "\n".join(lines)


def servers_claimed(tender: Tender) -> int:
    """Return how many servers the tender speaks of, 0 where it gives no number."""
    counts = [line.servers for line in tender.lines if isinstance(line, HardwareLine)]
    return max((count.n for count in counts if isinstance(count, Exactly | AtLeast)), default=0)


def numbered(count: int) -> tuple[str, ...]:
    """Name servers that have no names yet, in the order in which they are to be listed: `node-000` and so on.

    Raises:
        UsageError: There are none, or more than can be drawn from.
    """
    if not 1 <= count <= _MOST_SERVERS:
        raise UsageError(f"--servers: got {count}, expected a number from 1 to {_MOST_SERVERS:,}")
    width = max(3, len(str(count - 1)))
    return tuple(f"node-{index:0{width}}" for index in range(count))


def _require_names(servers: Sequence[str]) -> None:
    if not servers or len(frozenset(servers)) != len(servers):
        raise UsageError(f"servers: got {len(servers)} names, {len(frozenset(servers))} different; expected each once")


def _times(tender: Tender, terms: PlanTerms, seed: str) -> tuple[str, ...]:
    months = _months(tender)
    if not months:
        return ()
    count = terms.audits or audits_needed(terms.confidence, terms.absence)
    if not 1 <= count <= _MOST_AUDITS:
        raise UsageError(f"--audits: got {count}, expected a number from 1 to {_MOST_AUDITS:,}")
    seconds = months * HOURS_PER_MONTH * 3600
    shares = (int(hashlib.sha256(f"{seed} audit {index}".encode()).hexdigest(), 16) / 2**256 for index in range(count))
    return tuple(rfc3339(moment) for moment in sorted(terms.start + timedelta(seconds=share * seconds) for share in shares))


def _months(tender: Tender) -> float:
    return max((line.period.months for line in tender.lines if isinstance(line, HardwareLine)), default=0)


def _can(population: int, size: int, terms: PlanTerms, times: Sequence[str]) -> tuple[str, ...]:
    statement = state(population, size, 0, terms.confidence)
    told = [f"if all {size} of {population} servers drawn are confirmed: {statement.text}"]
    if times:
        share = shortest_caught(terms.confidence, len(times))
        told.append(
            f"if all {len(times)} audits are confirmed: at {terms.confidence * 100:g} %, the claim did not fail "
            f"for {share * 100:.1f} % of the period or more"
        )
    return tuple(told)


def _cannot(population: int, size: int, times: Sequence[str]) -> tuple[str, ...]:
    told = []
    if size < population:
        told.append(f"that all {population} servers are as claimed: a server that is not looked at is not confirmed")
        told.append("anything, if others than the servers drawn are shown: one that was drawn and is not shown counts as bad")
    told.append("that the servers are there at once: shown one after another, many servers may be one")
    if times:
        told.append("anything on the time between audits, if they are announced: keep the times to yourself")
    return tuple(told)
