"""`gpuaudit report`."""

from __future__ import annotations

import hashlib
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from gpuaudit.appraisal.result import AttestationResult
from gpuaudit.cli import console
from gpuaudit.cli.commands import command_app
from gpuaudit.cli.options import KeyringOption, QuietOption
from gpuaudit.cli.output import write_file
from gpuaudit.cli.page import page_of
from gpuaudit.envelope import (
    Keyring,
    PredicateType,
    is_unsigned,
    load_keyring,
    open_evidence,
    open_sealed,
    read_bounded,
    read_unsigned,
)
from gpuaudit.envelope.keystore import own_keys
from gpuaudit.errors import AuthenticityError, CouldNotAuthenticateError, MachineError, UsageError
from gpuaudit.evidence.bundle import EvidenceBundle
from gpuaudit.evidence.codec import load
from gpuaudit.report.as_json import as_json
from gpuaudit.report.as_junit import as_junit
from gpuaudit.report.as_text import USUAL_WIDTH, as_text
from gpuaudit.report.compose import view_of
from gpuaudit.report.paper import Evidence, NoEvidence, Paper, Sealed, Whole
from gpuaudit.report.redact import redacted

app = command_app()


class ReportFormat(StrEnum):
    """The forms of a report."""

    TEXT = "text"
    HTML = "html"
    JSON = "json"
    JUNIT = "junit"


@app.command()
def report(
    result: Annotated[Path, typer.Argument(metavar="RESULT", help="A sealed result.", show_default=False)],
    evidence: Annotated[
        Path | None,
        typer.Option("--evidence", metavar="FILE", help="Its evidence, if not in the same folder.", show_default=False),
    ] = None,
    redact: Annotated[
        bool, typer.Option("--redact/--no-redact", help="Replace what names the machine by salted digests.")
    ] = False,
    keyring: KeyringOption = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="FILE", help="A new file; by default stdout.", show_default=False)
    ] = None,
    quiet: QuietOption = False,
    format_: Annotated[ReportFormat, typer.Option("--format", help="How to show it.")] = ReportFormat.TEXT,
) -> None:
    """Show a sealed RESULT: as text, as a page, as JSON, or for CI.

    Cards, measurements and machine are shown from the evidence that the result
    names, where that lies in the same folder. All forms show the same.

    Example: gpuaudit report result.json --format html --out report.html

    Exit status: 0 done, whatever the verdict, 3 RESULT is not authentic, 2
    wrong usage, 4 FILE cannot be written, or the extra `report` is missing.
    """
    console.hush(quiet=quiet)
    paper = read_paper(result, evidence, load_keyring(own_keys(), keyring or ()))
    if redact:
        digest = paper.seal.sha256 if isinstance(paper.seal, Sealed) else ""
        paper = redacted(paper, full_sha256=digest)
    if out is None:
        console.result(_written(paper, format_, width=console.width(USUAL_WIDTH)))
    else:
        write_file(out, _written(paper, format_, width=USUAL_WIDTH).encode())
        console.say(f"wrote {out}")


def read_paper(result: Path, evidence: Path | None, keyring: Keyring) -> Paper:
    """Open a sealed result, and the evidence that it names where that can be had.

    Raises:
        AuthenticityError: The result is not one that a trusted key signed, or evidence was asked for that is not its own.
        UsageError: There is no such file.
    """
    opened = open_sealed(read_bounded(result, refusal=AuthenticityError), keyring, PredicateType.RESULT, place=str(result))
    loaded = load(AttestationResult, opened.predicate, place=str(result))
    seal = Sealed(name=result.name, sha256=opened.sha256, signed_by=opened.keyids)
    return Paper(result=loaded, seal=seal, evidence=_evidence(loaded, result, evidence, keyring), redaction=Whole())


def _evidence(result: AttestationResult, place: Path, asked_for: Path | None, keyring: Keyring) -> Evidence:
    match result.evidence:
        case (summary,):
            # Of a name that somebody else wrote only the last part is looked for.
            path = asked_for or place.parent / Path(summary.file.name).name
        case several:
            return NoEvidence(reason=f"the result rests on {len(several)} files of evidence; only one can be shown")
    try:
        return _read_evidence(path, summary.file.sha256, keyring)
    except (UsageError, AuthenticityError, MachineError) as error:
        if asked_for is not None:
            raise
        advice = " The result itself is authentic." if isinstance(error, CouldNotAuthenticateError) else ""
        return NoEvidence(reason=f"{error}.{advice}")


def _read_evidence(path: Path, sha256: str, keyring: Keyring) -> EvidenceBundle:
    data = read_bounded(path, refusal=AuthenticityError)
    if hashlib.sha256(data).hexdigest() != sha256:
        raise AuthenticityError(f"{path}: not the evidence that the result names; its SHA-256 is another")
    if is_unsigned(data):
        return read_unsigned(data, place=str(path))
    return open_evidence(data, keyring, place=str(path)).bundle


def _written(paper: Paper, format_: ReportFormat, *, width: int) -> str:
    match format_:
        case ReportFormat.TEXT:
            return as_text(view_of(paper), width=width)
        case ReportFormat.HTML:
            return page_of(paper)
        case ReportFormat.JSON:
            return as_json(paper.result, view_of(paper))
        case ReportFormat.JUNIT:
            return as_junit(paper.result)
