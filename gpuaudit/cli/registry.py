"""`gpuaudit registry`."""

from __future__ import annotations

from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gpuaudit.cli import console
from gpuaudit.cli.commands import command_app
from gpuaudit.cli.extras import needs_extra
from gpuaudit.cli.moment import moment_of
from gpuaudit.cli.options import KeyringOption, QuietOption
from gpuaudit.clock import WallClock, rfc3339
from gpuaudit.envelope import Keyring, PredicateType, load_keyring, open_any, open_evidence, read_bounded
from gpuaudit.envelope.keystore import own_keys
from gpuaudit.errors import AuthenticityError, UsageError

if TYPE_CHECKING:
    import pandas as pd

    from gpuaudit.registry.store import Registry

app = command_app(help="Keep the history of evidence and results: add, history, drift, coverage.")


class TableFormat(StrEnum):
    """The forms of a table."""

    CSV = "csv"
    JSON = "json"


DatabaseOption = Annotated[
    str,
    typer.Option(
        "--database",
        metavar="URL",
        help="`sqlite:///FILE` or `postgresql://…`; by default a file beside one's keys.",
        show_default=False,
    ),
]
TableFormatOption = Annotated[TableFormat, typer.Option("--format", help="How to print the table.")]


@app.command()
@needs_extra("registry")
def add(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Sealed evidence or results.", show_default=False)],
    database: DatabaseOption = "",
    keyring: KeyringOption = None,
    quiet: QuietOption = False,
) -> None:
    """Add sealed evidence and results to the registry.

    Only what a trusted key signed is added. A file is added whole or not at all,
    and once however often it is added.

    Example: gpuaudit registry add evidence.json result.json

    Exit status: 0 all are in the registry, 3 a file is not authentic (the others
    are added), 2 wrong usage, 4 the database does not answer.
    """
    from gpuaudit.cli.progress import counted
    from gpuaudit.registry.store import open_registry

    console.hush(quiet=quiet)
    trusted = load_keyring(own_keys(), keyring or ())
    refused = ""
    added = 0
    with open_registry(_url(database)) as registry, counted("files") as told:
        for number, file in enumerate(files, start=1):
            try:
                added += _added(file, registry, trusted)
            except AuthenticityError as error:
                refused = refused or str(error)
                console.complain(f"not added: {error}")
            told(number, len(files))
    console.result(f"{added} added, {len(files)} given")
    if refused:
        raise AuthenticityError(refused)


@app.command()
@needs_extra("registry")
def history(
    device: Annotated[str, typer.Argument(metavar="DEVICE", help="A UUID or a serial number.", show_default=False)],
    database: DatabaseOption = "",
    format_: TableFormatOption = TableFormat.CSV,
) -> None:
    """Show every audit that showed DEVICE, oldest first.

    Example: gpuaudit registry history GPU-b3ffc697-9c80-49c4-0f90-d7f10c2e3806

    Exit status: 0 done, 2 there is no such device, 4 the database does not answer.
    """
    from gpuaudit.registry.history import history as history_of
    from gpuaudit.registry.store import open_registry

    with open_registry(_url(database)) as registry:
        table = history_of(registry, device)
    if table.empty:
        raise UsageError(f"registry: no audit showed {device[:80]!a}; expected a UUID or a serial number")
    _print(table, format_)


@app.command()
@needs_extra("registry")
def drift(database: DatabaseOption = "", format_: TableFormatOption = TableFormat.CSV) -> None:
    """Show what differs in each device's newest audit from its earlier ones.

    Measured quantities by more than the noise of healthy cards, and identities
    by anything: a new VBIOS, another UUID under the same serial number.

    Example: gpuaudit registry drift

    Exit status: 0 done, whatever has drifted, 4 the database does not answer.
    """
    from gpuaudit.registry.history import drift as drift_of
    from gpuaudit.registry.store import open_registry

    with open_registry(_url(database)) as registry:
        _print(drift_of(registry), format_)


@app.command()
@needs_extra("registry")
def coverage(
    tender: Annotated[str, typer.Argument(metavar="TENDER", help="A slug or a TOML file.", show_default=False)],
    start: Annotated[
        str,
        typer.Option("--start", metavar="DATE", help="When the period begins, if not as the tender says.", show_default=False),
    ] = "",
    months: Annotated[
        float, typer.Option("--months", min=0, help="Its length, if not as the tender says.", show_default=False)
    ] = 0,
    database: DatabaseOption = "",
    quiet: QuietOption = False,
    format_: TableFormatOption = TableFormat.CSV,
) -> None:
    """Show how much of TENDER's period confirmed audits looked at, and the gaps.

    An audit covers the minutes that it took. The table holds the gaps between
    audits, the longest first; what they come to is said on stderr, and in JSON.

    Example: gpuaudit registry coverage sustech-2024 --start 2026-11-01

    Exit status: 0 done, 2 the period is not known, 4 the database does not answer.
    """
    import json

    from gpuaudit.registry.history import coverage as coverage_of
    from gpuaudit.registry.store import open_registry
    from gpuaudit.tender.expectation import HOURS_PER_MONTH
    from gpuaudit.tender.model import HardwareLine
    from gpuaudit.tender.parse import load_tender

    console.hush(quiet=quiet)
    loaded = load_tender(tender).tender
    periods = [line.period for line in loaded.lines if isinstance(line, HardwareLine)]
    length = months or max((period.months for period in periods), default=0)
    begins = start or max((period.start for period in periods), default="")
    if not length or not begins:
        raise UsageError(f"{loaded.slug}: expected a period with a start and a length; give --start and --months")
    begin = moment_of(begins, option="--start")
    with open_registry(_url(database)) as registry:
        found = coverage_of(registry, loaded.slug, begin, begin + timedelta(hours=length * HOURS_PER_MONTH))
    told = {
        "tender": found.tender,
        "from": found.begin,
        "to": found.end,
        "audits": found.audits,
        "seconds": found.seconds,
        "share": found.share,
    }
    if format_ is TableFormat.JSON:
        console.result(json.dumps({**told, "gaps": json.loads(found.gaps.to_json(orient="records"))}))
        return
    console.say(f"{found.audits} confirmed audits cover {found.share:.2%} of {found.begin} to {found.end}")
    _print(found.gaps, format_)


def _added(file: Path, registry: Registry, trusted: Keyring) -> bool:
    from gpuaudit.appraisal.threshold import load_thresholds
    from gpuaudit.registry.entries import evidence_entry, result_entry

    data = read_bounded(file, refusal=AuthenticityError)
    now = rfc3339(WallClock().now())
    opened = open_any(data, trusted, place=str(file))
    if opened.predicate_type is PredicateType.RESULT:
        return registry.add_result(result_entry(opened, name=file.name, added_at=now))
    evidence = open_evidence(data, trusted, place=str(file))
    canonical = load_thresholds().thresholds.canonical
    return registry.add_evidence(evidence_entry(evidence, canonical, name=file.name, size=len(data), added_at=now))


def _url(database: str) -> str:
    from gpuaudit.registry.store import default_url

    return database or default_url(own_keys().folder.parent)


def _print(table: pd.DataFrame, format_: TableFormat) -> None:
    console.result(table.to_csv(index=False) if format_ is TableFormat.CSV else table.to_json(orient="records"))
