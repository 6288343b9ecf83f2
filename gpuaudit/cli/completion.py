"""`gpuaudit completion`."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from gpuaudit.cli import console
from gpuaudit.cli.commands import command_app
from gpuaudit.cli.shells import bash_script, fish_script, places, zsh_script

app = command_app()

_SCRIPTS = {"bash": bash_script, "zsh": zsh_script, "fish": fish_script}


class Shell(StrEnum):
    """The shells that are served."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


@app.command()
def completion(
    shell: Annotated[Shell, typer.Argument(metavar="SHELL", help="bash, zsh or fish.", show_default=False)],
) -> None:
    """Print the completion script of SHELL: bash, zsh or fish.

    The script holds the names of all commands and options, and never calls
    gpuaudit: no variable of the environment can make it print anything else than
    what was asked for. Of bash, source the file from ~/.bashrc.

    Example: gpuaudit completion bash > gpuaudit.bash

    Exit status: 0 done, 2 wrong usage.
    """
    console.result(_SCRIPTS[shell.value](places()))
