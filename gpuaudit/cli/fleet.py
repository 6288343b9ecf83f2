"""`gpuaudit fleet`."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from gpuaudit.appraisal.appraise import Question
from gpuaudit.appraisal.result import Digest
from gpuaudit.cli import console
from gpuaudit.cli.collect import DEFAULT_SUITE, SIMULATED_HEAD, nonce_of
from gpuaudit.cli.commands import command_app
from gpuaudit.cli.exits import Exit
from gpuaudit.cli.extras import needs_extra
from gpuaudit.cli.format import Format
from gpuaudit.cli.judging import Terms, read_terms
from gpuaudit.cli.moment import moment_of
from gpuaudit.cli.options import (
    BusyOption,
    CompleteOption,
    FormatOption,
    KeyOption,
    KeyringOption,
    NonceOption,
    PolicyOption,
    PublicKeyOption,
    SimulatedOption,
    SimulateOption,
    SuiteOption,
    TenderOption,
)
from gpuaudit.cli.output import RESULT_NAME, claimed, write_file
from gpuaudit.cli.signing import load_signer
from gpuaudit.clock import WallClock, rfc3339
from gpuaudit.envelope import PredicateType, load_keyring, open_sealed, read_bounded, read_nonce
from gpuaudit.envelope.keystore import own_keys
from gpuaudit.errors import AuthenticityError, CouldNotAuthenticateError, UsageError

# What a command does not need on its way is not imported: neither scipy, nor the simulation, nor ray.
if TYPE_CHECKING:
    from gpuaudit.fleet.gather import Hearing
    from gpuaudit.fleet.node import Node
    from gpuaudit.fleet.result import FleetResult
    from gpuaudit.fleet.run import Engine
    from gpuaudit.fleet.trust import Trust

app = command_app(help="Audit many machines: plan, run, appraise and report on them as one.")

_KNOWN_NODES: Final = "known-nodes.json"
_EXAMPLES: Final = "without Ray, let srun, pdsh or Kubernetes run `gpuaudit attest` on each node"


class FleetFormat(StrEnum):
    """The forms of a fleet's result."""

    TEXT = "text"
    JSON = "json"
    HTML = "html"
    PROMETHEUS = "prometheus"


WorkersOption = Annotated[int, typer.Option("--workers", metavar="N", min=0, help="Processes to use; 0 is one for each core.")]
FleetFormatOption = Annotated[FleetFormat, typer.Option("--format", help="How to print it.")]
PlanFileOption = Annotated[
    Path | None, typer.Option("--out", metavar="FILE", help="A new file for the plan, as JSON.", show_default=False)
]
ResultFolderOption = Annotated[
    Path | None,
    typer.Option("--out", metavar="DIR", help="A new or empty folder for the sealed result.", show_default=False),
]


@app.command()
@needs_extra("fleet")
def plan(
    tender: TenderOption,
    confidence: Annotated[float, typer.Option("--confidence", help="How sure the statement is to be.")] = 0.95,
    tolerance: Annotated[float, typer.Option("--tolerance", help="Share of bad servers that may stay unfound.")] = 0.02,
    servers: Annotated[
        int, typer.Option("--servers", metavar="N", help="How many there are, if not as the tender says.", show_default=False)
    ] = 0,
    inventory: Annotated[
        Path | None,
        typer.Option("--inventory", metavar="FILE", help="Their names, one a line.", show_default=False),
    ] = None,
    absence: Annotated[
        float, typer.Option("--absence", help="Share of the period that may go unfound, for the number of audits.")
    ] = 0.10,
    audits: Annotated[
        int, typer.Option("--audits", metavar="N", help="How many audits over the period, instead.", show_default=False)
    ] = 0,
    start: Annotated[
        str, typer.Option("--start", metavar="DATE", help="When the period begins; by default now.", show_default=False)
    ] = "",
    nonce: NonceOption = "",
    out: PlanFileOption = None,
    format_: FormatOption = Format.TEXT,
) -> None:
    """Plan which servers to audit and when, and what that can show.

    Draws so many servers that, if all of them are confirmed, no more than the
    tolerated share of all is bad (hypergeometric, exact). The draw follows from
    tender, date and nonce; the commitment may be published before the provider
    names the servers, everything else after. For a tender with a period, draws
    random audit times, which are to be kept secret.

    Example: gpuaudit fleet plan --tender ustc-suzhou-2024 --out plan.json

    Exit status: 0 done, 2 wrong usage, 4 FILE cannot be written.
    """
    from gpuaudit.evidence.codec import dump
    from gpuaudit.fleet.plan import FleetPlan, PlanTerms, make_plan, numbered, plan_in_words, servers_claimed
    from gpuaudit.tender.parse import load_tender

    loaded = load_tender(tender)
    count = servers or servers_claimed(loaded.tender)
    if inventory is None and not count:
        raise UsageError(
            f"--servers: {loaded.tender.slug} does not say how many servers there are; give --servers or --inventory"
        )
    names = _inventory(inventory) if inventory is not None else numbered(count)
    now = WallClock().now()
    begin = moment_of(start, option="--start") if start else now
    terms = PlanTerms(confidence=confidence, tolerance=tolerance, absence=absence, audits=audits, start=begin)
    made = make_plan(loaded, names, terms, date=f"{now:%Y-%m-%d}", nonce=nonce_of(nonce))
    written = dump(FleetPlan, made)
    if out is not None:
        write_file(out, written + b"\n")
        console.say(f"wrote {out}")
    console.result(written.decode() if format_ is Format.JSON else plan_in_words(made))


@app.command("run")
@needs_extra("fleet")
def run_(
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="A folder for the evidence; one begun before is gone on with.")
    ],
    simulate: SimulateOption = "",
    nodes: Annotated[int, typer.Option("--nodes", metavar="N", min=1, help="How many simulated nodes.")] = 1,
    seed: Annotated[int, typer.Option("--seed", metavar="S", help="Decides all that is random in simulated nodes.")] = 0,
    bad: Annotated[
        list[str] | None,
        typer.Option(
            "--bad",
            metavar="N:HOW",
            help="N of them are bad: `3:adversary=LINE` or `1:spec=a800-sxm4-80gb:8`.",
            show_default=False,
        ),
    ] = None,
    address: Annotated[
        str,
        typer.Option(
            "--address", metavar="A", help="Ray: a cluster's address, `auto`, or `local` to start one here.", show_default=False
        ),
    ] = "",
    nonce: NonceOption = "",
    suite: SuiteOption = DEFAULT_SUITE,
    busy_ok: BusyOption = False,
    retries: Annotated[int, typer.Option("--retries", metavar="N", min=0, help="How often to try a node again.")] = 1,
    timeout: Annotated[float, typer.Option("--timeout", metavar="S", min=1, help="Seconds for a node (Ray).")] = 1800,
    workers: WorkersOption = 0,
) -> None:
    """Attest every node of a Ray cluster, or of a simulated fleet, into DIR.

    Each node seals its own evidence with a key made for it: DIR/NODE.json, and
    DIR/keys/NODE.pub. A node that fails, hangs or vanishes leaves DIR/NODE.failed
    with the reason. Run again, only nodes without evidence are run. With --nonce
    each node answers its own, SHA-256 of "NONCE NODE".

    Example: gpuaudit fleet run --simulate a100-sxm4-80gb:8 --nodes 2 --out fleet

    Exit status: 0 all nodes have evidence, 4 some have not or DIR cannot be
    written, 2 wrong usage, 130 interrupted.
    """
    from gpuaudit.fleet.ledger import Ledger
    from gpuaudit.fleet.node import NodeTask
    from gpuaudit.fleet.nonces import node_nonce
    from gpuaudit.fleet.run import run_fleet

    master = nonce_of(nonce)
    fleet = _Fleet(spec=simulate, nodes=nodes, seed=seed, bad=tuple(bad or ()))
    engine, members = _engine(address, fleet, attempts=retries + 1, timeout=timeout, workers=workers)
    tasks = [NodeTask(node=member, nonce=node_nonce(master, member.node), suite=suite, busy_ok=busy_ok) for member in members]
    if simulate:
        console.say(SIMULATED_HEAD)
    summary = run_fleet(tasks, Ledger(folder=out), engine, told=_progress)
    console.result(f"{summary.sealed} sealed, {summary.kept} had evidence before, {len(summary.failed)} failed: {out}")
    if summary.failed:
        console.say(f"failed: {', '.join(summary.failed[:8])}; see {out}/NODE.failed, and run again to retry")
    raise typer.Exit(Exit.MACHINE if summary.failed else Exit.DONE)


@app.command()
@needs_extra("fleet")
def appraise(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="With NODE.json or NODE/evidence.json.", show_default=False)],
    tender: TenderOption,
    policy: PolicyOption = "standard",
    nonce: NonceOption = "",
    complete: CompleteOption = False,
    allow_simulated: SimulatedOption = False,
    keyring: KeyringOption = None,
    first_use: Annotated[
        bool,
        typer.Option(
            "--trust-on-first-use/--no-trust-on-first-use", help="Trust FOLDER/keys, unless a node had another key before."
        ),
    ] = False,
    known_nodes: Annotated[
        Path | None,
        typer.Option(
            "--known-nodes", metavar="FILE", help="Keys seen before; by default beside one's own.", show_default=False
        ),
    ] = None,
    plan_file: Annotated[
        Path | None,
        typer.Option("--plan", metavar="FILE", help="The plan that the servers were drawn by.", show_default=False),
    ] = None,
    out: ResultFolderOption = None,
    key: KeyOption = "",
    public_key: PublicKeyOption = None,
    workers: WorkersOption = 0,
    format_: FleetFormatOption = FleetFormat.TEXT,
) -> None:
    """Appraise all evidence in FOLDER against a tender, as one fleet.

    Each file is opened, verified and appraised by itself; one that is corrupt,
    foreign or missing gets a row with its reason. Cards that are shown twice are
    counted once; in two places at once they refute. Trusts one's own keys, those
    of --keyring, or those that came with the evidence (--trust-on-first-use).

    Example: gpuaudit fleet appraise fleet --tender cnki --keyring fleet/keys

    Exit status: 0 confirmed, 10 refuted, 11 inconclusive, 12 out of scope, 13
    confirmed but simulated, 3 no file is authentic, 2 wrong usage, 4 DIR cannot
    be written.
    """
    from gpuaudit.fleet.aggregate import NoPlan, fold_fleet
    from gpuaudit.fleet.folder import read_folder
    from gpuaudit.fleet.gather import Hearing, available_cores, gather
    from gpuaudit.fleet.plan import read_plan
    from gpuaudit.fleet.result import seal_fleet_result

    terms = read_terms(tender, policy, complete=complete, allow_simulated=allow_simulated)
    asked = read_nonce(nonce) if nonce else ""
    drawing = read_plan(plan_file, terms.tender) if plan_file is not None else NoPlan()
    files = read_folder(folder)
    known = known_nodes or own_keys().folder.parent / _KNOWN_NODES
    hearing = Hearing(
        question=_question(terms, asked),
        trust=_trust(folder, keyring or [], known, first_use=first_use),
        nonce=asked,
        appraised_at=rfc3339(WallClock().now()),
    )
    assembly = gather(files, hearing, drawing, workers=workers or available_cores())
    result = fold_fleet(
        assembly,
        hearing.question,
        catalogue_version=terms.yardstick.catalogue.version,
        appraised_at=hearing.appraised_at,
    )
    if not assembly.heard and assembly.silent:
        first = assembly.silent[0]
        raise CouldNotAuthenticateError(
            f"{folder}: none of {len(assembly.silent)} files is authentic; {first.file}: {first.reason}"
        )
    if first_use:
        _remember(hearing, known, result)
    if out is not None:
        signer = load_signer(key, public_key)
        with claimed(out) as target:
            target.write({RESULT_NAME: seal_fleet_result(result, signer.signer)})
    console.result(_shown(result, format_))
    raise typer.Exit(_exit_of(result))


@app.command()
@needs_extra("fleet")
def report(
    result: Annotated[Path, typer.Argument(metavar="RESULT", help="A fleet's sealed result.", show_default=False)],
    keyring: KeyringOption = None,
    format_: FleetFormatOption = FleetFormat.TEXT,
) -> None:
    """Show a fleet's sealed RESULT: as text, page, JSON or for Prometheus.

    Example: gpuaudit fleet report verdict/result.json --format html > fleet.html

    Exit status: 0 done, whatever the verdict, 3 RESULT is not authentic, 2
    wrong usage.
    """
    from gpuaudit.fleet.result import read_fleet_result

    data = read_bounded(result, refusal=AuthenticityError)
    opened = open_sealed(data, load_keyring(own_keys(), keyring or ()), PredicateType.RESULT, place=str(result))
    console.result(_shown(read_fleet_result(opened.predicate, place=str(result)), format_, whole=True))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fleet:
    """A simulated fleet as it was asked for."""

    spec: str
    nodes: int
    seed: int
    bad: tuple[str, ...]


def _engine(address: str, fleet: _Fleet, *, attempts: int, timeout: float, workers: int) -> tuple[Engine, tuple[Node, ...]]:
    """Find what runs the nodes, and the nodes."""
    from gpuaudit.fleet.gather import available_cores
    from gpuaudit.fleet.processes import ProcessEngine

    members: tuple[Node, ...] = ()
    if fleet.spec:
        from gpuaudit.fleet.simulate import parse_fault, simulated_fleet

        faults = tuple(parse_fault(text) for text in fleet.bad)
        members = simulated_fleet(fleet.spec, fleet.nodes, seed=fleet.seed, faults=faults)
    if address:
        from gpuaudit.fleet.ray_runner import RayEngine, connect, real_nodes

        connect(address)
        return RayEngine(attempts=attempts, timeout_seconds=timeout), members or real_nodes()
    if not members:
        raise UsageError(f"fleet run: expected --address of a Ray cluster, or --simulate; {_EXAMPLES}")
    return ProcessEngine(workers=workers or available_cores(), attempts=attempts), members


def _question(terms: Terms, nonce: str) -> Question:
    return Question(
        tender=terms.tender.tender,
        tender_file=Digest(name=terms.tender.tender.slug, sha256=terms.tender.sha256),
        policy=terms.policy,
        thresholds_sha256=terms.thresholds_sha256,
        nonce_expected=nonce,
        complete=terms.complete,
        allow_simulated=terms.allow_simulated,
    )


def _trust(folder: Path, keyring: list[Path], known: Path, *, first_use: bool) -> Trust:
    from gpuaudit.fleet.trust import trust_first_use, trust_keyring

    if not first_use:
        return trust_keyring(own_keys(), keyring)
    if keyring:
        raise UsageError("--trust-on-first-use: trusts the keys beside the evidence; expected it or --keyring, not both")
    return trust_first_use(own_keys(), folder, known)


def _remember(hearing: Hearing, known: Path, result: FleetResult) -> None:
    from gpuaudit.fleet.gather import known_key
    from gpuaudit.fleet.trust import remember

    seen = {known_key(result.tender.name, row.node): row.signed_by[0] for row in result.rows if row.signed_by}
    remember(known, hearing.trust.known, seen)


def _shown(result: FleetResult, format_: FleetFormat, *, whole: bool = False) -> str:
    from gpuaudit.evidence.codec import dump
    from gpuaudit.fleet.page import page_of
    from gpuaudit.fleet.prometheus import as_prometheus
    from gpuaudit.fleet.result import FleetResult as Kind
    from gpuaudit.report.as_text import as_brief, as_text

    match format_:
        case FleetFormat.JSON:
            return dump(Kind, result).decode()
        case FleetFormat.PROMETHEUS:
            return as_prometheus(result)
        case FleetFormat.HTML:
            from gpuaudit.report.as_html import as_html

            return as_html(page_of(result))
        case FleetFormat.TEXT:
            return as_text(page_of(result)) if whole else as_brief(page_of(result))


def _exit_of(result: FleetResult) -> Exit:
    if result.verdict.name == Exit.CONFIRMED.name and not result.accepted:
        return Exit.SIMULATED
    return Exit[result.verdict.name]


def _inventory(path: Path) -> tuple[str, ...]:
    text = read_bounded(path, refusal=UsageError).decode("utf-8", "replace")
    return tuple(line.strip() for line in text.splitlines() if line.strip())


def _progress(done: int, of: int) -> None:
    if console.on_terminal() or done == of:
        console.say(f"{done} of {of} nodes")
