"""Testimonies as tests make them: machines by number, with cards of their own, without a file behind them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cache

from gpuaudit.appraisal.appraise import Question
from gpuaudit.appraisal.count import Tally
from gpuaudit.appraisal.policy import load_policy
from gpuaudit.appraisal.result import Digest, Verdict
from gpuaudit.evidence.bundle import Origin
from gpuaudit.fleet.aggregate import Assembly, Drawing, NoPlan, fold_fleet
from gpuaudit.fleet.outliers import RateBook
from gpuaudit.fleet.result import FleetResult, FleetTrust
from gpuaudit.fleet.testimony import Card, LineTestimony, NoTestimony, Testimonies, Testimony
from gpuaudit.tender.parse import load_tender

GOOD, OPEN, BAD = Verdict.CONFIRMED, Verdict.INCONCLUSIVE, Verdict.REFUTED


def card(key: str, verdict: Verdict = GOOD) -> Card:
    return Card(keys=frozenset({f"uuid {key}"}), overall=verdict, reported=verdict, measured=verdict)


def cards(number: int, verdict: Verdict = GOOD, count: int = 8) -> tuple[Card, ...]:
    return tuple(card(f"{number}-{place}", verdict) for place in range(count))


def machine(number: int, verdict: Verdict = GOOD, *, count: int = 8, times: tuple[str, str] = ("10:00", "10:05")) -> Testimony:
    """A machine of its own; equal numbers have equal cards."""
    return holding(f"node-{number:03}", cards(number, verdict, count), times=times)


def holding(node: str, held: Sequence[Card], *, times: tuple[str, str] = ("10:00", "10:05"), line: str = "a100") -> Testimony:
    """A machine with these cards."""
    verdicts = [one.overall for one in held]
    counted = Tally(name=node, good=verdicts.count(GOOD), open=verdicts.count(OPEN), bad=verdicts.count(BAD), all_seen=True)
    return Testimony(
        node=node,
        file=f"{node}.json",
        sha256=f"{node} file",
        payload_sha256=f"{node} {times}",
        signed_by=(f"key of {node}",),
        nonce=node,
        started_at=f"2026-11-23T{times[0]}:00Z",
        finished_at=f"2026-11-23T{times[1]}:00Z",
        origin=Origin.HARDWARE,
        host_name=f"host of {node}",
        products={"NVIDIA A100-SXM4-80GB": len(held)},
        lines={
            line: LineTestimony(
                cards=tuple(held), overall=counted, reported=counted, measured=counted, reason="", reported_only=()
            )
        },
        notices=(),
        rates=(),
    )


def renamed(one: Testimony, node: str) -> Testimony:
    """The same signed bytes under another name."""
    lines = {
        name: replace(
            line,
            overall=replace(line.overall, name=node),
            reported=replace(line.reported, name=node),
            measured=replace(line.measured, name=node),
        )
        for name, line in one.lines.items()
    }
    return replace(one, node=node, file=f"{node}.json", lines=lines)


def folded(
    heard: Testimonies,
    tender: str = "ustc-suzhou-2024",
    *,
    silent: Sequence[NoTestimony] = (),
    drawing: Drawing = NoPlan(),  # noqa: B008 - it has no fields
    complete: bool = False,
    policy: str = "standard",
) -> FleetResult:
    """The result of a fleet."""
    question = replace(_question(tender, policy), complete=complete)
    assembly = Assembly(
        heard=sorted(heard, key=lambda one: one.file),
        silent=silent,
        rates=RateBook(),
        drawing=drawing,
        trust=FleetTrust(kind="keyring", detail=""),
    )
    return fold_fleet(assembly, question, catalogue_version="test", appraised_at="2026-11-23T12:00:00Z")


@cache
def _question(tender: str, policy: str) -> Question:
    loaded = load_tender(tender)
    return Question(
        tender=loaded.tender,
        tender_file=Digest(name=loaded.tender.slug, sha256=loaded.sha256),
        policy=load_policy(policy),
        thresholds_sha256="",
    )
