"""What `gpuaudit fleet plan` does."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gpuaudit.cli import console
from gpuaudit.cli.collect import nonce_of
from gpuaudit.cli.format import Format
from gpuaudit.cli.moment import moment_of
from gpuaudit.cli.output import write_file
from gpuaudit.clock import WallClock
from gpuaudit.envelope import read_bounded
from gpuaudit.errors import UsageError
from gpuaudit.evidence.codec import dump
from gpuaudit.fleet.plan import FleetPlan, PlanTerms, make_plan, numbered, plan_in_words, servers_claimed
from gpuaudit.tender.parse import load_tender


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The plan that is asked for. `servers` and `audits` are 0, `start` and `nonce` empty, where they follow from something else."""

    tender: str
    servers: int
    inventory: Path | None
    confidence: float
    tolerance: float
    absence: float
    audits: int
    start: str
    nonce: str


def plan_fleet(wanted: Wanted, *, out: Path | None, form: Format) -> None:
    """Draw servers and audit times, print the plan, and write it to `out`.

    Raises:
        UsageError: A number is out of range, or nobody says how many servers there are.
        MachineError: `out` cannot be written.
    """
    loaded = load_tender(wanted.tender)
    count = wanted.servers or servers_claimed(loaded.tender)
    if wanted.inventory is None and not count:
        raise UsageError(
            f"--servers: {loaded.tender.slug} does not say how many servers there are; give --servers or --inventory"
        )
    names = _inventory(wanted.inventory) if wanted.inventory is not None else numbered(count)
    now = WallClock().now()
    terms = PlanTerms(
        confidence=wanted.confidence,
        tolerance=wanted.tolerance,
        absence=wanted.absence,
        audits=wanted.audits,
        start=moment_of(wanted.start, option="--start") if wanted.start else now,
    )
    made = make_plan(loaded, names, terms, date=f"{now:%Y-%m-%d}", nonce=nonce_of(wanted.nonce))
    written = dump(FleetPlan, made)
    if out is not None:
        write_file(out, written + b"\n")
        console.say(f"wrote {out}")
    console.result(written.decode() if form is Format.JSON else plan_in_words(made))


def _inventory(path: Path) -> tuple[str, ...]:
    text = read_bounded(path, refusal=UsageError).decode("utf-8", "replace")
    return tuple(line.strip() for line in text.splitlines() if line.strip())
