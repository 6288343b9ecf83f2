"""The `gpuaudit` program: finds the command, runs it, and turns what went wrong into one line and an exit status."""

from __future__ import annotations

import importlib
import sys
import traceback
from typing import Annotated, Any, Final, NoReturn

import typer
from typer.core import TyperGroup
from typing_extensions import override

from gpuaudit import __version__
from gpuaudit.cli import console
from gpuaudit.cli.commands import COMMANDS
from gpuaudit.cli.exits import Exit
from gpuaudit.errors import AuthenticityError, MachineError, UsageError

_PROGRAM: Final = "gpuaudit"
# Help is compared with the README, so it must not follow the terminal's width.
_CONTEXT: Final = {"help_option_names": ["--help", "-h"], "terminal_width": 80, "max_content_width": 80}


class _LazyGroup(TyperGroup):
    """Lists all commands without importing them; imports the one that is called."""

    @override
    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    @override
    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        if cmd_name not in COMMANDS:
            return None
        command = typer.main.get_command(importlib.import_module(COMMANDS[cmd_name].module).app)
        command.name = cmd_name
        return command

    @override
    def format_commands(self, ctx: Any, formatter: Any) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, command.summary) for name, command in COMMANDS.items()])


_app: Final = typer.Typer(
    cls=_LazyGroup,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings=_CONTEXT,
)


@_app.callback(invoke_without_command=True)
def _gpuaudit(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.")] = False,
) -> None:
    """Tell whether this machine holds the GPUs that a contract says.

    Reads what the machine reports, measures what it can do, seals both in a
    signed file, and appraises that file, anywhere and any time later, against
    a written claim.
    """
    if version:
        console.result(f"{_PROGRAM} {__version__}")
        raise typer.Exit(Exit.DONE)
    if context.invoked_subcommand is None:
        console.page(context.get_help())
        raise typer.Exit(Exit.USAGE)


def main() -> NoReturn:
    """Run the command that the process was called with, and exit."""
    console.prepare()
    sys.exit(run(sys.argv[1:]))


def run(arguments: list[str]) -> int:
    """Run one command and return its exit status; never raises for what a user, a file or the machine did wrong."""
    console.hush(quiet=False)
    try:
        return int(_dispatch(arguments))
    except KeyboardInterrupt:
        return _interrupted()
    except SystemExit:
        # typer ends the program without a word where a pipe broke. Not stdout's: the console takes that in its stride.
        return _failed(Exit.FAULT, f"a fault in gpuaudit {__version__}: a pipe to another process broke; this is no verdict")
    except OSError as error:
        return _failed(Exit.MACHINE, _of_machine(error))
    except Exception:  # noqa: BLE001 - the last resort: a fault of ours gets its traceback and exit status 1
        return _fault()


def _dispatch(arguments: list[str]) -> int:
    try:
        # An empty `complete_var`: with the default one, a variable of the environment would make typer print shell completions
        # and exit 0, which is the exit status of `confirmed`. Completion is a command of its own, and a static script.
        code = typer.main.get_command(_app).main(arguments, prog_name=_PROGRAM, complete_var="", standalone_mode=False)
    except AuthenticityError as error:
        return _failed(Exit.NOT_AUTHENTIC, str(error))
    except UsageError as error:
        return _failed(Exit.USAGE, str(error))
    except MachineError as error:
        return _failed(Exit.MACHINE, str(error))
    except typer.TyperException as error:
        return _failed(Exit.USAGE, _of_usage(error))
    except typer.Abort:
        return _interrupted()
    # typer turns Ctrl-C into this status.
    return _interrupted() if code == Exit.INTERRUPTED else (code or Exit.DONE)


def _failed(code: Exit, message: str) -> Exit:
    console.complain(f"{_PROGRAM}: {message}")
    return code


def _interrupted() -> Exit:
    return _failed(Exit.INTERRUPTED, "interrupted")


def _of_machine(error: OSError) -> str:
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{error.strerror or error}"


def _of_usage(error: typer.TyperException) -> str:
    context = getattr(error, "ctx", None)
    path = context.command_path if context is not None else _PROGRAM
    message = " ".join(error.format_message().split()).rstrip(".")
    return f"{message[:1].lower()}{message[1:]}; see {path} --help"


def _fault() -> Exit:
    console.page(traceback.format_exc())
    return _failed(Exit.FAULT, f"a fault in gpuaudit {__version__}: this is no verdict, and not the machine's fault")
