"""`gpuaudit keys`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from securesystemslib.signer import SSlibKey

from gpuaudit.cli import console
from gpuaudit.cli.commands import command_app
from gpuaudit.cli.format import Format, as_json
from gpuaudit.cli.options import FormatOption
from gpuaudit.envelope.keys import KeyKind, public_pem, read_public_key
from gpuaudit.envelope.keystore import DEFAULT_NAME, own_keys

app = command_app(help="Make and show signing keys.")


@app.command()
def new(
    name: Annotated[
        str, typer.Option(help="What to call it; `default` is what signs unless --key says otherwise.")
    ] = DEFAULT_NAME,
    kind: Annotated[KeyKind, typer.Option(help="Which algorithm.")] = KeyKind.ED25519,
) -> None:
    """Make a key and keep it where only its owner can read it.

    Prints its id and its file. An existing key is never replaced. For a key with
    a passphrase: openssl pkcs8 -topk8 -scrypt, then --key FILE.

    Example: gpuaudit keys new --name laptop

    Exit status: 0 done, 2 the name is taken, 4 the folder cannot be used.
    """
    key = own_keys().create(name, kind, ask=console.ask_secret)
    console.result(f"{key.keyid}  {key.place}")


@app.command()
def show(
    pem: Annotated[bool, typer.Option("--pem/--no-pem", help="Print the public keys themselves, to be sent.")] = False,
    format_: FormatOption = Format.TEXT,
) -> None:
    """Show one's own public keys.

    What --pem prints can be sent to whoever verifies, who gives it to --keyring.

    Example: gpuaudit keys show --pem > laptop.pub

    Exit status: 0 done, 4 the folder cannot be used.
    """
    store = own_keys()
    keys = [(file, read_public_key(file)) for file in store.public_key_files()]
    if format_ is Format.JSON:
        plain = [
            {"keyid": key.keyid, "kind": key.scheme, "file": str(file), "pem": public_pem(key).decode()} for file, key in keys
        ]
        console.result(as_json(plain))
    elif not keys:
        console.say(f"no keys in {store.folder}; make one with: gpuaudit keys new")
    elif pem:
        console.result("".join(public_pem(key).decode() for _, key in keys))
    else:
        console.result("\n".join(f"{key.keyid}  {key.scheme}  {file}" for file, key in keys))


def _as_plain(file: Path, key: SSlibKey) -> dict[str, str]:
    return {"keyid": key.keyid, "kind": key.scheme, "file": str(file), "pem": public_pem(key).decode()}
