"""`gpuaudit verify`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gpuaudit.appraisal.result import Verdict
from gpuaudit.cli import console
from gpuaudit.cli.commands import command_app
from gpuaudit.cli.format import Format, as_json
from gpuaudit.cli.options import FormatOption, KeyringOption
from gpuaudit.envelope import Keyring, Opened, PredicateType, load_keyring, open_any, read_bounded
from gpuaudit.envelope.keystore import own_keys
from gpuaudit.errors import AuthenticityError
from gpuaudit.evidence.bundle import Origin
from gpuaudit.evidence.codec import decode, load
from gpuaudit.evidence.record import record
from gpuaudit.report.words import SIGNED_ALL_THE_SAME, STAMPS

app = command_app()


@record
class _Outcome:
    """What the result of one machine and that of a fleet have in common."""

    origin: Origin
    verdict: Verdict
    accepted: bool


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A sealed file: evidence or result.", show_default=False)],
    keyring: KeyringOption = None,
    format_: FormatOption = Format.TEXT,
) -> None:
    """Verify the signatures of FILE, and nothing else.

    Says who signed it and what was signed, not whether it is true. Trusts one's
    own keys and those given with --keyring.

    Example: gpuaudit verify evidence.json

    Exit status: 0 signed by a trusted key, 3 not authentic, 2 wrong usage.
    """
    trusted: Keyring = load_keyring(own_keys(), keyring or ())
    opened = open_any(read_bounded(file, refusal=AuthenticityError), trusted, place=str(file))
    console.result(_as_text(opened) if format_ is Format.TEXT else as_json(_as_plain(opened)))


def _as_text(opened: Opened) -> str:
    lines = [f"{opened.place}: authentic, {opened.predicate_type}", *_told(opened)]
    lines += [f"signed by    {signer.keyid} ({signer.ownership} key, {signer.place})" for signer in opened.signers]
    lines += [f"not checked  {keyid} (signed too, not in the keyring)" for keyid in opened.strangers]
    lines += [f"subject      {subject.name} sha256:{subject.sha256}" for subject in opened.subjects]
    lines += [f"file         sha256:{opened.sha256}", f"signed bytes sha256:{opened.payload_sha256}"]
    return "\n".join(lines)


def _told(opened: Opened) -> list[str]:
    """Say what a signature does not: that the evidence is simulated or a capture, and what a result's verdict is."""
    about = _about(opened)
    stamp = STAMPS[Origin(about.get("origin", Origin.HARDWARE.value))]
    mark = [SIGNED_ALL_THE_SAME.format(stamp=stamp)] if stamp else []
    return [*mark, *(f"{name:<12} {value}" for name, value in about.items())]


def _about(opened: Opened) -> dict[str, str]:
    match opened.predicate_type:
        case PredicateType.EVIDENCE:
            return {"origin": decode(opened.predicate, place=opened.place).origin.value}
        case PredicateType.RESULT:
            result = load(_Outcome, opened.predicate, place=opened.place)
            return {"origin": result.origin.value, "verdict": result.verdict.value, "accepted": str(result.accepted).lower()}
        case _:
            return {}


def _as_plain(opened: Opened) -> dict[str, object]:
    return {
        "authentic": True,
        "predicateType": opened.predicate_type.value,
        **_about(opened),
        "signedBy": [
            {"keyid": signer.keyid, "ownership": signer.ownership.value, "place": signer.place} for signer in opened.signers
        ],
        "notChecked": list(opened.strangers),
        "subjects": [{"name": subject.name, "sha256": subject.sha256} for subject in opened.subjects],
        "fileSha256": opened.sha256,
        "payloadSha256": opened.payload_sha256,
    }
