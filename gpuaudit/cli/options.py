"""Options that several commands share, spelt and explained once.

None of them has an environment variable: on a rented machine the environment may be the adversary's.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from gpuaudit.cli.format import Format

KeyringOption: TypeAlias = Annotated[
    list[Path] | None,
    typer.Option(
        "--keyring",
        metavar="PATH",
        help="Trust this public key (PEM), or all in this folder, beside one's own.",
        show_default=False,
    ),
]

FormatOption: TypeAlias = Annotated[Format, typer.Option("--format", help="How to print it.")]

SimulateOption: TypeAlias = Annotated[
    str,
    typer.Option(
        "--simulate",
        metavar="SPEC",
        help="Not this machine but a simulated one: `a100-sxm4-80gb:8`, `a:1,b:1`. Marked as such.",
        show_default=False,
    ),
]

AdversaryOption: TypeAlias = Annotated[
    str,
    typer.Option(
        "--adversary",
        metavar="NAME",
        help="Who plays on the simulated machine: `renamed-as=a100-sxm4-80gb,ids`.",
        show_default=False,
    ),
]

SuiteOption: TypeAlias = Annotated[str, typer.Option("--suite", metavar="NAME", help="What to measure.")]

BusyOption: TypeAlias = Annotated[
    bool, typer.Option("--busy-ok/--no-busy-ok", help="Load devices on which others' processes run, too.")
]

NonceOption: TypeAlias = Annotated[
    str,
    typer.Option(
        "--nonce", metavar="HEX", help="The verifier's nonce; without one, freshness stays undetermined.", show_default=False
    ),
]

OutOption: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--out", metavar="DIR", help="A new or empty folder for the files; by default one named for now.", show_default=False
    ),
]

KeyOption: TypeAlias = Annotated[
    str,
    typer.Option(
        "--key",
        metavar="KEY",
        help="Sign with this file (PKCS#8 PEM) or URI (awskms:…), not with one's own key.",
        show_default=False,
    ),
]

PublicKeyOption: TypeAlias = Annotated[
    Path | None, typer.Option("--public-key", metavar="FILE", help="The public half of a --key URI.", show_default=False)
]

TenderOption: TypeAlias = Annotated[
    str,
    typer.Option(
        "--tender", metavar="T", help="What was claimed: a slug (see `tender list`) or a TOML file.", show_default=False
    ),
]

PolicyOption: TypeAlias = Annotated[
    str, typer.Option("--policy", metavar="P", help="What counts: standard, strict or testimony.")
]

CompleteOption: TypeAlias = Annotated[
    bool, typer.Option("--complete/--no-complete", help="Take the machines shown for all there are.")
]

SimulatedOption: TypeAlias = Annotated[
    bool,
    typer.Option("--allow-simulated/--no-allow-simulated", help="Accept a confirmed simulation, for tests of one's own."),
]

QuietOption: TypeAlias = Annotated[
    bool, typer.Option("--quiet/--no-quiet", help="Say only what went wrong; the result is printed all the same.")
]
