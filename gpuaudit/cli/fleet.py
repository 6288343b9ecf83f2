"""`gpuaudit fleet`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Final

import typer

from gpuaudit.cli import console
from gpuaudit.cli.challenge import DeviceOption, ProductOption, RehearsalOption, SecondsOption, TenderToChallenge
from gpuaudit.cli.commands import command_app
from gpuaudit.cli.exits import Exit
from gpuaudit.cli.extras import needs_extra
from gpuaudit.cli.fleet_report import FleetFormat
from gpuaudit.cli.format import Format
from gpuaudit.cli.options import (
    BusyOption,
    CompleteOption,
    FormatOption,
    KeyOption,
    KeyringOption,
    NonceOption,
    PolicyOption,
    PublicKeyOption,
    QuietOption,
    SimulatedOption,
    SimulateOption,
    SuiteOption,
    TenderOption,
)
from gpuaudit.errors import UsageError

app = command_app(help="Audit many machines: plan, run, appraise and report on them as one.")

# As `gpuaudit.cli.collect` has it, whose imports take longer than a dozen files; only `run` needs them.
_SUITE: Final = "quick"
# The largest share of the memory; a node that can give less gets a smaller challenge.
_RUNG: Final = 95

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
    from gpuaudit.cli.fleet_plan import Wanted, plan_fleet

    wanted = Wanted(
        tender=tender,
        servers=servers,
        inventory=inventory,
        confidence=confidence,
        tolerance=tolerance,
        absence=absence,
        audits=audits,
        start=start,
        nonce=nonce,
    )
    plan_fleet(wanted, out=out, form=format_)


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
    suite: SuiteOption = _SUITE,
    busy_ok: BusyOption = False,
    retries: Annotated[int, typer.Option("--retries", metavar="N", min=0, help="How often to try a node again.")] = 1,
    timeout: Annotated[float, typer.Option("--timeout", metavar="S", min=1, help="Seconds for a node (Ray).")] = 1800,
    workers: WorkersOption = 0,
    together: Annotated[
        bool, typer.Option("--together/--no-together", help="Challenge all nodes at the same time, on this machine's clock.")
    ] = False,
    hosts: Annotated[
        Path | None,
        typer.Option("--hosts", metavar="FILE", help="Together: the nodes, as ssh takes them, one a line.", show_default=False),
    ] = None,
    tender: TenderToChallenge = "",
    product: ProductOption = "",
    seconds: SecondsOption = 10.0,
    rehearsal: RehearsalOption = False,
    device: DeviceOption = "cuda",
    remote: Annotated[str, typer.Option("--remote", metavar="PROGRAM", help="Together: gpuaudit on the nodes.")] = "gpuaudit",
    ssh_config: Annotated[
        Path | None, typer.Option("--ssh-config", metavar="FILE", help="For ssh, in place of one's own.", show_default=False)
    ] = None,
    key: KeyOption = "",
    public_key: PublicKeyOption = None,
    quiet: QuietOption = False,
) -> None:
    """Attest every node of a Ray cluster, or of a simulated fleet, into DIR.

    Each node seals its own evidence with a key made for it: DIR/NODE.json, and
    DIR/keys/NODE.pub. A node that fails, hangs or vanishes leaves DIR/NODE.failed
    with the reason. Run again, only nodes without evidence are run. With --nonce
    each node answers its own, SHA-256 of "NONCE NODE".

    With --together this machine speaks to every node itself, over ssh, and
    challenges all of them at once, because servers shown one after another may
    be one. DIR, new or empty, gets NODE/evidence.json, NODE/challenge.json and
    round.together. A node that fails or is late is left out, with its reason.

    Example: gpuaudit fleet run --simulate a100-sxm4-80gb:8 --nodes 2 --out fleet

    Exit status: 0 all nodes have evidence (with --together: all answered
    together), 4 some have not or DIR cannot be written, 2 wrong usage, 130
    interrupted.
    """
    from gpuaudit.cli.fleet_run import Effort, SimulatedFleet, run_nodes

    console.hush(quiet=quiet)
    fleet = SimulatedFleet(spec=simulate, nodes=nodes, seed=seed, bad=tuple(bad or ()))
    if together:
        from gpuaudit.cli.challenging import Wanted, device_kind
        from gpuaudit.cli.fleet_members import Reach, Round
        from gpuaudit.cli.fleet_together import run_together

        round_ = Round(
            fleet=fleet,
            hosts=hosts,
            reach=Reach(program=remote, device=device_kind(device).value, config=str(ssh_config) if ssh_config else ""),
            claim=(tender, product),
            wanted=Wanted(seconds=seconds, rung=_RUNG, rehearsal=rehearsal, suite=suite),
            attempts=retries + 1,
            checkers=workers,
            busy_ok=busy_ok,
        )
        left_out = run_together(out, round_, elsewhere=bool(address or nonce), key=(key, public_key))
        raise typer.Exit(Exit.MACHINE if left_out else Exit.DONE)
    if hosts or tender or product or rehearsal:
        raise UsageError("fleet run: --hosts, --tender, --product and --rehearsal go with --together")
    effort = Effort(suite=suite, busy_ok=busy_ok, attempts=retries + 1, timeout=timeout, workers=workers)
    failed = run_nodes(out, fleet, effort, address=address, nonce=nonce)
    raise typer.Exit(Exit.MACHINE if failed else Exit.DONE)


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
    address: Annotated[
        str,
        typer.Option(
            "--address",
            metavar="A",
            help="Ray: send the files to a cluster at this address, `auto`, or `local`.",
            show_default=False,
        ),
    ] = "",
    workers: WorkersOption = 0,
    quiet: QuietOption = False,
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
    from gpuaudit.cli.fleet_appraise import Asked, appraise_fleet
    from gpuaudit.cli.fleet_report import shown
    from gpuaudit.cli.judging import exit_of, read_terms
    from gpuaudit.envelope import read_nonce

    console.hush(quiet=quiet)
    asked = Asked(
        terms=read_terms(tender, policy, complete=complete, allow_simulated=allow_simulated),
        nonce=read_nonce(nonce) if nonce else "",
        plan=plan_file,
        keyring=tuple(keyring or ()),
        first_use=first_use,
        known_nodes=known_nodes,
    )
    result = appraise_fleet(
        folder,
        asked,
        address=address,
        workers=workers,
        out=out,
        key=(key, public_key),
        show=lambda result: console.result(shown(result, format_)),
    )
    raise typer.Exit(exit_of(result.verdict, accepted=result.accepted))


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
    from gpuaudit.cli.fleet_report import read_result, shown

    console.result(shown(read_result(result, keyring or ()), format_, whole=True))
