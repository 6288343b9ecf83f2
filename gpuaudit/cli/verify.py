"""`gpuaudit verify`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gpuaudit.cli import console
from gpuaudit.cli.commands import command_app
from gpuaudit.cli.format import Format, as_json
from gpuaudit.cli.options import FormatOption, KeyringOption
from gpuaudit.envelope import Keyring, Opened, load_keyring, open_any, read_bounded
from gpuaudit.envelope.keystore import own_keys
from gpuaudit.errors import AuthenticityError

app = command_app()


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A sealed file: evidence or result.", show_default=False)],
    keyring: KeyringOption = None,
    format_: FormatOption = Format.TEXT,
) -> None:
    """Verify the signatures of FILE, and nothing else.

    Says who signed it and what was signed, not whether it is true. Trusts one's
    own keys and those given with --keyring.

    Exit status: 0 signed by a trusted key, 3 not authentic, 2 wrong usage.
    """
    trusted: Keyring = load_keyring(own_keys(), keyring or ())
    opened = open_any(read_bounded(file, refusal=AuthenticityError), trusted, place=str(file))
    console.result(_as_text(opened) if format_ is Format.TEXT else as_json(_as_plain(opened)))


def _as_text(opened: Opened) -> str:
    lines = [f"{opened.place}: authentic, {opened.predicate_type}"]
    lines += [f"signed by    {signer.keyid} ({signer.ownership} key, {signer.place})" for signer in opened.signers]
    lines += [f"not checked  {keyid} (signed too, not in the keyring)" for keyid in opened.strangers]
    lines += [f"subject      {subject.name} sha256:{subject.sha256}" for subject in opened.subjects]
    lines += [f"file         sha256:{opened.sha256}", f"signed bytes sha256:{opened.payload_sha256}"]
    return "\n".join(lines)


def _as_plain(opened: Opened) -> dict[str, object]:
    return {
        "authentic": True,
        "predicateType": opened.predicate_type.value,
        "signedBy": [
            {"keyid": signer.keyid, "ownership": signer.ownership.value, "place": signer.place} for signer in opened.signers
        ],
        "notChecked": list(opened.strangers),
        "subjects": [{"name": subject.name, "sha256": subject.sha256} for subject in opened.subjects],
        "fileSha256": opened.sha256,
        "payloadSha256": opened.payload_sha256,
    }
