"""Completion scripts for shells: all that can be typed, written out, so that no script has to ask the program."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, get_type_hints

import typer

from gpuaudit.cli.commands import COMMANDS

_PROGRAM: Final = "gpuaudit"
_HELP: Final = ("--help", "-h")


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What can be typed after a command.

    `path` are the command's words, none for the program itself. `values` has the options that take a value, with the words
    that it can be, or none where it can be anything: that is completed as a file. So are arguments, unless words are given.
    """

    path: tuple[str, ...]
    commands: tuple[str, ...] = ()
    options: tuple[str, ...] = _HELP
    values: Mapping[str, tuple[str, ...]]
    arguments: tuple[str, ...] = ()

    @property
    def words(self) -> tuple[str, ...]:
        """Everything that can follow, but values."""
        return (*self.commands, *self.arguments, *self.options)


def places() -> tuple[Place, ...]:
    """Return all places of the program, the outermost first; imports every command."""
    return (
        Place(path=(), commands=tuple(COMMANDS), options=("--version", *_HELP), values={}),
        *(place for name in COMMANDS for place in _below((name,), _command(name))),
    )


def bash_script(found: Sequence[Place]) -> str:
    """Write the script for bash, to be sourced."""
    return f"""# Completion of gpuaudit for bash, made by `gpuaudit completion bash`.
_gpuaudit() {{
  local typed=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD-1]}} place={_PROGRAM} choices='' i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "$place ${{COMP_WORDS[i]}}" in
{_moves(found)}
    esac
  done
{_choose(found)}
  COMPREPLY=($(compgen -W "$choices" -- "$typed"))
}}
complete -o default -F _gpuaudit {_PROGRAM}
"""


def zsh_script(found: Sequence[Place]) -> str:
    """Write the script for zsh, to be sourced after `compinit` or put into a folder of `$fpath` as `_gpuaudit`."""
    return f"""#compdef {_PROGRAM}
# Completion of gpuaudit for zsh, made by `gpuaudit completion zsh`.
_gpuaudit() {{
  local before=${{words[CURRENT-1]}} place={_PROGRAM} choices='' i
  local -a all
  for ((i = 2; i < CURRENT; i++)); do
    case "$place ${{words[i]}}" in
{_moves(found)}
    esac
  done
{_choose(found)}
  all=(${{=choices}})
  compadd -a all || _files
}}
if [ "$funcstack[1]" = _gpuaudit ]; then _gpuaudit "$@"; else compdef _gpuaudit {_PROGRAM}; fi
"""


def fish_script(found: Sequence[Place]) -> str:
    """Write the script for fish, to be sourced or put into `~/.config/fish/completions`."""
    moves = "\n".join(
        f"            case '{_typed(one.path)}'\n                set place {_joined(one.path)}" for one in found[1:]
    )
    rules = "\n".join(rule for place in found for rule in _fish_rules(place))
    return f"""# Completion of gpuaudit for fish, made by `gpuaudit completion fish`.
function __gpuaudit_place
    set -l place {_PROGRAM}
    for word in (commandline -opc)
        switch "$place $word"
{moves}
        end
    end
    echo $place
end
{rules}
"""


def _command(name: str) -> Any:
    return typer.main.get_command(importlib.import_module(COMMANDS[name].module).app)


def _below(path: tuple[str, ...], command: Any) -> Iterator[Place]:
    commands = getattr(command, "commands", {})
    options = [parameter for parameter in command.params if parameter.param_type_name == "option"]
    arguments = [parameter for parameter in command.params if parameter.param_type_name == "argument"]
    # The annotations, not typer's own types: those are nobody's interface.
    hints = get_type_hints(command.callback) if command.callback else {}
    yield Place(
        path=path,
        commands=tuple(commands),
        options=(*(word for option in options for word in _spellings(option)), *_HELP),
        values={option.opts[0]: _choices(hints[option.name]) for option in options if not option.is_flag},
        arguments=tuple(choice for argument in arguments for choice in _choices(hints[argument.name])),
    )
    for name, below in commands.items():
        yield from _below((*path, name), below)


def _spellings(option: Any) -> tuple[str, ...]:
    return (*option.opts, *option.secondary_opts)


def _choices(annotation: object) -> tuple[str, ...]:
    return tuple(str(one.value) for one in annotation) if isinstance(annotation, type) and issubclass(annotation, Enum) else ()


def _moves(found: Sequence[Place]) -> str:
    return "\n".join(f"      '{_typed(place.path)}') place={_joined(place.path)} ;;" for place in found if place.path)


def _choose(found: Sequence[Place]) -> str:
    values = [
        f"    '{_joined(place.path)} {option}') choices='{' '.join(choices)}' ;;"
        for place in found
        for option, choices in place.values.items()
    ]
    others = [f"    '{_joined(place.path)} '*) choices='{' '.join(place.words)}' ;;" for place in found]
    return "\n".join(['  case "$place $before" in', *values, *others, "  esac"])


def _fish_rules(place: Place) -> Iterator[str]:
    start = f"complete -c {_PROGRAM} -n 'test (__gpuaudit_place) = {_joined(place.path)}'"
    if place.commands or place.arguments:
        yield f"{start} -f -a '{' '.join((*place.commands, *place.arguments))}'"
    for option in place.options:
        switch = f"-l {option[2:]}" if option.startswith("--") else f"-s {option[1:]}"
        match place.values.get(option):
            case None:
                yield f"{start} {switch}"
            case ():
                yield f"{start} {switch} -r"
            case choices:
                yield f"{start} {switch} -x -a '{' '.join(choices)}'"


def _joined(path: tuple[str, ...]) -> str:
    return ".".join((_PROGRAM, *path))


def _typed(path: tuple[str, ...]) -> str:
    """Return where one was, and the word that led to `path`: so a command is told from an argument that is called the same."""
    return f"{_joined(path[:-1])} {path[-1]}"
