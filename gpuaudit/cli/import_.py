"""`gpuaudit import`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gpuaudit.attester.capture.bundle import import_capture
from gpuaudit.cli import console
from gpuaudit.cli.commands import command_app
from gpuaudit.cli.output import write_file
from gpuaudit.envelope import read_bounded, write_unsigned
from gpuaudit.errors import MalformedFileError

app = command_app()


@app.command()
def import_(
    capture: Annotated[Path, typer.Argument(metavar="CAPTURE", help="What `nvidia-smi -q -x` printed.", show_default=False)],
    out: Annotated[Path, typer.Option(metavar="FILE", help="Where to write the evidence; must not exist.", show_default=False)],
) -> None:
    """Turn a captured nvidia-smi -q -x into unsigned evidence.

    What the capture lacks is Unknown. Nobody vouches for a capture, so the file
    is not signed, and only `appraise --policy testimony` takes it.

    Example: gpuaudit import smi.xml --out captured.json

    Exit status: 0 done, 2 not a capture or FILE exists, 4 FILE cannot be written.
    """
    bundle = import_capture(read_bounded(capture, refusal=MalformedFileError), place=str(capture))
    write_file(out, write_unsigned(bundle))
    console.result(f"{out}: unsigned evidence of {len(bundle.nvml.devices)} devices; basis: reported")
