"""`gpuaudit compare`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from gpuaudit.cli import console
from gpuaudit.cli.commands import command_app
from gpuaudit.cli.format import Format, as_json, as_table
from gpuaudit.cli.options import FormatOption, KeyringOption
from gpuaudit.cli.output import EVIDENCE_NAME
from gpuaudit.envelope import load_keyring, open_evidence, read_bounded
from gpuaudit.envelope.keyring import Keyring
from gpuaudit.envelope.keystore import own_keys
from gpuaudit.errors import AuthenticityError
from gpuaudit.evidence.bundle import EvidenceBundle, Origin
from gpuaudit.evidence.codec import dump
from gpuaudit.report.comparison import Comparison, comparison_terms
from gpuaudit.report.comparison import compare as compare_bundles
from gpuaudit.report.words import STAMPS

app = command_app()


@app.command()
def compare(
    before: Annotated[
        Path, typer.Argument(metavar="A", help="The earlier audit: its folder, or its evidence.", show_default=False)
    ],
    after: Annotated[Path, typer.Argument(metavar="B", help="The later one.", show_default=False)],
    keyring: KeyringOption = None,
    format_: FormatOption = Format.TEXT,
) -> None:
    """Compare two audits of one machine: what changed, beyond noise.

    Cards are paired by UUID. A rate has changed where it differs by more than
    both its intervals and 5 %. What changes by itself (temperatures, clocks at
    the moment, counters) is not compared. Nothing here is a verdict.

    Example: gpuaudit compare monday friday

    Exit status: 0 done, whatever changed, 3 not authentic, 2 wrong usage.
    """
    trusted = load_keyring(own_keys(), keyring or ())
    bundles = (_opened(before, trusted), _opened(after, trusted))
    found = compare_bundles(*bundles, comparison_terms())
    if format_ is Format.JSON:
        plain = json.loads(dump(Comparison, found))
        console.result(as_json({"origins": [bundle.origin.value for bundle in bundles], **plain}))
    else:
        console.result(_as_text(found, bundles))


def _opened(path: Path, keyring: Keyring) -> EvidenceBundle:
    file = path / EVIDENCE_NAME if path.is_dir() else path
    return open_evidence(read_bounded(file, refusal=AuthenticityError), keyring, place=str(file)).bundle


def _as_text(found: Comparison, bundles: tuple[EvidenceBundle, EvidenceBundle]) -> str:
    stamps = dict.fromkeys(STAMPS[bundle.origin] for bundle in bundles if bundle.origin is not Origin.HARDWARE)
    first, second = bundles
    head = [" ".join(("***", *stamps, "***"))] if stamps else []
    head.append(f"from {first.started_at} to {second.started_at}: {found.same_cards} cards are the same, by UUID")
    head.append(f"{found.compared} readings and rates compared, {len(found.changes)} changed")
    if not found.changes:
        return "\n".join(head)
    rows = [(one.subject, one.what, one.kind.value, one.before, one.after) for one in found.changes]
    return "\n".join((*head, "", as_table(("of", "what", "change", "before", "after"), rows)))
