"""`gpuaudit challenge`."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Annotated, Final

import typer

from gpuaudit.cli import console
from gpuaudit.cli.commands import command_app
from gpuaudit.cli.format import Format
from gpuaudit.cli.options import (
    BusyOption,
    FormatOption,
    KeyOption,
    KeyringOption,
    PublicKeyOption,
    QuietOption,
    SimulatedOption,
    SimulateOption,
)
from gpuaudit.units import Seconds

app = command_app(help="Make a machine prove what it can do, timed and checked elsewhere.")

_RUNGS: Final = "95, 90, 75 or 50"

TenderToChallenge = Annotated[
    str, typer.Option("--tender", metavar="T", help="What was claimed: a slug or a TOML file.", show_default=False)
]
ProductOption = Annotated[
    str,
    typer.Option("--product", metavar="ID", help="The product to size for, as `catalogue list` has it.", show_default=False),
]
SlotsOption = Annotated[
    int, typer.Option("--slots", metavar="N", help="How many devices; 0 for what the tender says, or all.", min=0, max=64)
]
SecondsOption = Annotated[
    float, typer.Option("--seconds", metavar="S", help="How long the work should take.", min=0.1, max=300)
]
RungOption = Annotated[int, typer.Option("--rung", metavar="PERCENT", help=f"Share of the memory to fill: {_RUNGS}.")]
RehearsalOption = Annotated[
    bool, typer.Option("--rehearsal/--no-rehearsal", help="Small sizes that take a second and prove nothing.")
]
DeviceOption = Annotated[str, typer.Option("--device", metavar="KIND", help="What answers: cuda or cpu.")]
ProofFolderOption = Annotated[
    Path | None,
    typer.Option("--out", metavar="DIR", help="A new or empty folder for result and transcript.", show_default=False),
]
LimitOption = Annotated[
    float, typer.Option("--limit", metavar="S", help="Give up any stage that takes longer.", min=1, max=7200)
]


@app.command()
def plan(
    tender: TenderToChallenge = "",
    product: ProductOption = "",
    slots: SlotsOption = 0,
    seconds: SecondsOption = 10.0,
    rung: RungOption = 95,
    format_: FormatOption = Format.TEXT,
) -> None:
    """Show how large a challenge would be, what it would prove and what not.

    Example: gpuaudit challenge plan --tender sustech-2024

    Exit status: 0 done, 2 wrong usage.
    """
    from gpuaudit.cli.challenge_plan import plan_as_text, planned
    from gpuaudit.cli.challenging import Wanted, target_of, usual_footing
    from gpuaudit.cli.format import as_json

    footing = usual_footing()
    wanted = Wanted(seconds=seconds, rung=_rung(rung), rehearsal=False, suite="")
    found = planned(target_of(tender, product, slots, footing), wanted, footing)
    console.result(as_json(found) if format_ is Format.JSON else plan_as_text(found))


@app.command()
def ssh(
    host: Annotated[str, typer.Argument(metavar="HOST", help="As ssh takes it: NAME or USER@NAME.", show_default=False)],
    tender: TenderToChallenge = "",
    product: ProductOption = "",
    slots: SlotsOption = 0,
    seconds: SecondsOption = 10.0,
    rung: RungOption = 95,
    rehearsal: RehearsalOption = False,
    measure: Annotated[str, typer.Option("--measure", metavar="SUITE", help="Measure it there too.", show_default=False)] = "",
    attempts: Annotated[
        int, typer.Option("--attempts", metavar="N", help="How often to try; each costs certainty.", min=1, max=10)
    ] = 1,
    device: DeviceOption = "cuda",
    remote: Annotated[str, typer.Option("--remote", metavar="PROGRAM", help="gpuaudit on that machine.")] = "gpuaudit",
    host_key: Annotated[
        str,
        typer.Option("--host-key", metavar="SHA256:…", help="The fingerprint, learnt some other way.", show_default=False),
    ] = "",
    ssh_config: Annotated[
        Path | None, typer.Option("--ssh-config", metavar="FILE", help="For ssh, in place of one's own.", show_default=False)
    ] = None,
    out: ProofFolderOption = None,
    key: KeyOption = "",
    public_key: PublicKeyOption = None,
    format_: FormatOption = Format.TEXT,
    quiet: QuietOption = False,
) -> None:
    """Challenge HOST over ssh, on this machine's clock.

    Writes DIR/challenge.json, sealed with one's own key, the evidence that
    answers it, and the transcripts from which anybody can check it again.
    Attempts of earlier calls, kept beside one's keys, share the odds.

    Example: gpuaudit challenge ssh root@gpu7 --tender sustech-2024 --out proof

    Exit status: 0 the answer holds, 11 nothing is proved, 13 the answer holds
    but is simulated, 2 wrong usage, 3 not the host key that was expected, 4
    HOST cannot be reached.
    """
    console.hush(quiet=quiet)
    from gpuaudit.challenge.ssh import Destination
    from gpuaudit.cli.challenge_remote import challenge_over_ssh
    from gpuaudit.cli.challenging import Wanted, device_kind, exit_of, target_of, usual_footing

    destination = Destination(
        host=host,
        command=(remote, "challenge", "answer", "--stdio", "--device", device_kind(device).value),
        config=str(ssh_config) if ssh_config else "",
        expected_key=host_key,
    )
    wanted = Wanted(seconds=seconds, rung=_rung(rung), rehearsal=rehearsal, suite=measure)
    result = challenge_over_ssh(
        destination,
        target_of(tender, product, slots, usual_footing()),
        wanted,
        attempts=attempts,
        out=out,
        key=(key, public_key),
        form=format_,
    )
    raise typer.Exit(exit_of(result, allow_simulated=False))


@app.command()
def local(
    tender: TenderToChallenge = "",
    product: ProductOption = "",
    slots: SlotsOption = 0,
    seconds: SecondsOption = 10.0,
    rung: RungOption = 95,
    rehearsal: RehearsalOption = False,
    device: DeviceOption = "cuda",
    simulate: SimulateOption = "",
    allow_simulated: SimulatedOption = False,
    busy_ok: BusyOption = False,
    limit: LimitOption = 600.0,
    out: ProofFolderOption = None,
    key: KeyOption = "",
    public_key: PublicKeyOption = None,
    format_: FormatOption = Format.TEXT,
    quiet: QuietOption = False,
) -> None:
    """Challenge this machine, on its own clock: at most a measurement.

    With --device cpu nothing needs to be claimed: the processor is timed
    beforehand, and the host's own memory is filled. With --simulate SPEC
    simulated devices answer in miniature, on a clock moved by hand.

    Example: gpuaudit challenge local --device cpu --rehearsal --out proof

    Exit status: 0 the answer holds, 11 nothing is proved, 13 the answer holds
    but is simulated, 2 wrong usage, 4 DIR cannot be written.
    """
    console.hush(quiet=quiet)
    from gpuaudit.cli.challenge_local import challenge_locally, this_machine
    from gpuaudit.cli.challenging import Wanted, device_kind, exit_of

    wanted, claim = Wanted(seconds=seconds, rung=_rung(rung), rehearsal=rehearsal, suite=""), (tender, product, slots)
    kind = device_kind(device)
    if simulate:
        from gpuaudit.cli.challenge_simulated import simulated_answering
        from gpuaudit.errors import UsageError

        if rehearsal:
            raise UsageError("--rehearsal: not with --simulate: a simulation is small already; leave one of them out")
        answering = simulated_answering(simulate, claim)
    else:
        answering = this_machine(kind, claim, busy_ok=busy_ok, limit=Seconds(limit))
    result = challenge_locally(answering, wanted, out=out, key=(key, public_key), form=format_)
    raise typer.Exit(exit_of(result, allow_simulated=allow_simulated))


@app.command()
def issue(
    request: Annotated[Path, typer.Argument(metavar="REQUEST", help="The file to write.", show_default=False)],
    tender: TenderToChallenge = "",
    product: ProductOption = "",
    slots: SlotsOption = 1,
    seconds: SecondsOption = 1.0,
    rung: RungOption = 50,
    rehearsal: RehearsalOption = False,
    quiet: QuietOption = False,
) -> None:
    """Write a challenge to a file, for a machine that cannot be reached.

    Example: gpuaudit challenge issue request.txt --product t4 --rehearsal

    Exit status: 0 done, 2 wrong usage or REQUEST exists, 4 it cannot be
    written.
    """
    console.hush(quiet=quiet)
    from gpuaudit.cli.challenge_files import issue_to_file
    from gpuaudit.cli.challenging import Wanted, target_of, usual_footing

    wanted = Wanted(seconds=seconds, rung=_rung(rung), rehearsal=rehearsal, suite="")
    issue_to_file(request, target_of(tender, product, slots, usual_footing()), wanted, draw=secrets.token_bytes)


@app.command()
def answer(
    request: Annotated[Path | None, typer.Argument(metavar="[REQUEST]", help="What `issue` wrote.", show_default=False)] = None,
    stdio: Annotated[bool, typer.Option("--stdio/--no-stdio", help="Answer over stdin and stdout, as ssh starts it.")] = False,
    device: DeviceOption = "cuda",
    busy_ok: BusyOption = False,
    limit: LimitOption = 600.0,
    out: ProofFolderOption = None,
    quiet: QuietOption = False,
) -> None:
    """Answer a challenge: over stdin and stdout, or REQUEST into DIR.

    Loads no device on which others work, and gives up what takes too long.

    Example: gpuaudit challenge answer request.txt --device cpu --out answer

    Exit status: 0 answered, 2 wrong usage, 3 REQUEST is not one, 4 DIR cannot
    be written or a device failed.
    """
    console.hush(quiet=quiet)
    from gpuaudit.cli.challenge_files import answer_to_folder
    from gpuaudit.cli.challenge_remote import answer_over_stdio
    from gpuaudit.cli.challenging import device_kind
    from gpuaudit.errors import UsageError
    from gpuaudit.workload.challenge_crew import ProcessCrew

    crew = ProcessCrew(device_kind(device), busy_ok=busy_ok, limit=Seconds(limit))
    if stdio and request is None:
        answer_over_stdio(crew, busy_ok=busy_ok)
    elif request is not None and out is not None and not stdio:
        answer_to_folder(request, out, crew, busy_ok=busy_ok)
    else:
        raise UsageError("challenge answer: give either --stdio, or REQUEST and --out DIR")


@app.command()
def check(
    request: Annotated[Path, typer.Argument(metavar="REQUEST", help="What `issue` wrote.", show_default=False)],
    answered: Annotated[Path, typer.Argument(metavar="ANSWER", help="The folder that `answer` wrote.", show_default=False)],
    tender: TenderToChallenge = "",
    product: ProductOption = "",
    rehearsal: RehearsalOption = False,
    out: ProofFolderOption = None,
    key: KeyOption = "",
    public_key: PublicKeyOption = None,
    format_: FormatOption = Format.TEXT,
    quiet: QuietOption = False,
) -> None:
    """Check the ANSWER to a REQUEST by recomputing a sample of it.

    Nobody's clock ran, so no floor follows from it: only that the work was
    done, by whatever, in whatever time.

    Example: gpuaudit challenge check request.txt answer --product t4

    Exit status: 0 the answer holds, 11 nothing is proved, 13 the answer holds
    but is simulated, 2 wrong usage, 3 not an answer, 4 DIR cannot be written.
    """
    console.hush(quiet=quiet)
    from gpuaudit.cli.challenge_files import check_answer_folder
    from gpuaudit.cli.challenging import exit_of, target_of, usual_footing

    target = target_of(tender, product, 0, usual_footing())
    result = check_answer_folder(request, answered, target, rehearsal=rehearsal, out=out, key=(key, public_key), form=format_)
    raise typer.Exit(exit_of(result, allow_simulated=False))


@app.command()
def recheck(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A sealed challenge.json.", show_default=False)],
    keyring: KeyringOption = None,
) -> None:
    """Check a sealed challenge again, from the transcripts beside FILE.

    Recomputes everything but the times, which are the word of who signed, and
    opens evidence.json by machine.pub, if both are beside FILE.

    Example: gpuaudit challenge recheck proof/challenge.json

    Exit status: 0 it follows from its transcripts, 2 wrong usage, 3 it does
    not, the evidence is other evidence, or no trusted key signed it.
    """
    from gpuaudit.cli.challenge_files import recheck_file

    console.result(recheck_file(file, keyring or ()))


def _rung(percent: int) -> int:
    from gpuaudit.challenge.messages import RUNGS
    from gpuaudit.errors import UsageError

    if percent not in RUNGS:
        raise UsageError(f"--rung: got {percent}, expected {_RUNGS}")
    return percent
