"""A command that ends in every way in which a command can."""

from __future__ import annotations

import errno
import os
import time

import typer

from gpuaudit.cli import console
from gpuaudit.cli.commands import command_app
from gpuaudit.errors import AuthenticityError, CouldNotAuthenticateError, MachineError, MalformedFileError, UsageError

app = command_app()

ENDS: dict[str, BaseException] = {
    "usage": UsageError("it cannot be"),
    "malformed": MalformedFileError("it cannot be"),
    "authenticity": AuthenticityError("it cannot be"),
    "unknown-signer": CouldNotAuthenticateError("it cannot be"),
    "machine": MachineError("it cannot be"),
    "full-disk": OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "some/file"),
    "broken-pipe": BrokenPipeError(errno.EPIPE, os.strerror(errno.EPIPE)),
    "fault": ZeroDivisionError("our own mistake"),
    "ctrl-c": KeyboardInterrupt(),
    "end-of-input": EOFError(),
    "verdict": typer.Exit(10),
    "hostile": UsageError("\x1b]52;c;aGk=\x07 \u202egnirts\u202c \x9b31m two\nlines"),
}


@app.command()
def explode(how: str) -> None:
    """End in a given way."""
    if how == "done":
        console.result("done")
        return
    if how == "wait":
        console.say("waiting")
        time.sleep(600)
    raise ENDS[how]
