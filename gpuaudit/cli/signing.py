"""The key that signs: the one that was asked for, or one's own, made at first use."""

from __future__ import annotations

from pathlib import Path

from gpuaudit.cli import console
from gpuaudit.envelope.keys import is_key_uri, read_private_key, signer_by_uri
from gpuaudit.envelope.keystore import LoadedSigner, own_keys
from gpuaudit.errors import UsageError


def load_signer(key: str, public_key: Path | None) -> LoadedSigner:
    """Load the key of `--key`, or the default one; where that is made now, say so.

    Args:
        key: A path, a URI (`awskms:…`), or empty for the default key.
        public_key: The public half; wanted with a URI, and with nothing else.

    Raises:
        UsageError: There is no such key, or it cannot be used.
        MachineError: Others can read it, or it cannot be reached.
    """
    if is_key_uri(key):
        if public_key is None:
            raise UsageError(f"--key: {key[:80]}: the key's public half is wanted too; give it with --public-key FILE")
        return LoadedSigner(signer=signer_by_uri(key, public_key, ask=console.ask_secret), place=key, made_now=False)
    if public_key is not None:
        raise UsageError("--public-key: goes with a --key that is a URI; a file holds its public half")
    if key:
        return LoadedSigner(signer=read_private_key(Path(key), ask=console.ask_secret), place=key, made_now=False)
    default = own_keys().default_key(ask=console.ask_secret)
    if default.made_now:
        console.say(f"made a signing key: {default.place} (id {default.keyid})")
        console.say("a key made on the machine that is audited proves only that one key signed, not whose it is")
    return default
