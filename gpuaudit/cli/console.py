"""The only file that prints: the result to stdout, everything else to stderr.

What is printed may hold what an adversary's machine said, so every character that a terminal would obey is escaped. A reader
that went away (`| head`) is not an error and changes no exit status: the verdict stands.
"""

from __future__ import annotations

import os
import sys
from contextvars import ContextVar
from getpass import getpass
from typing import Final, TextIO

from gpuaudit.errors import UsageError
from gpuaudit.printable import printable

# On a terminal narrower than that no table can be read; it breaks the lines itself.
_NARROWEST: Final = 40
_quiet: Final[ContextVar[bool]] = ContextVar("quiet", default=False)


def hush(*, quiet: bool) -> None:
    """From now on say what goes on, or, where `quiet`, only what went wrong."""
    _quiet.set(quiet)


def result(text: str) -> None:
    """Print the result of a command, of one or more lines, to stdout.

    Raises:
        OSError: It cannot be written (a full disk behind a redirection).
    """
    _write(sys.stdout, printable(text, keep="\n").rstrip("\n") + "\n")


def say(text: str) -> None:
    """Print one line about what is going on to stderr, unless it is to be quiet."""
    if not _quiet.get():
        complain(text)


def complain(text: str) -> None:
    """Print one line about what went wrong to stderr, quiet or not."""
    _write(sys.stderr, printable(text) + "\n")


def page(text: str) -> None:
    """Print several lines that are not the result, such as help after a mistake, to stderr."""
    _write(sys.stderr, printable(text, keep="\n").rstrip("\n") + "\n")


def on_terminal() -> bool:
    """Whether a person sees stderr, so that a passphrase may be asked for there."""
    return sys.stderr.isatty()


def may_draw() -> bool:
    """Whether progress may be drawn on stderr: a person sees it, and it is not to be quiet."""
    return on_terminal() and not _quiet.get()


def width(otherwise: int) -> int:
    """Return how many characters a line on stdout may have: as many as its terminal shows, or `otherwise` in a pipe or a file."""
    try:
        columns = os.get_terminal_size(sys.stdout.fileno()).columns
    except OSError:
        columns = 0
    return max(columns, _NARROWEST) if columns else otherwise


def ask_secret(prompt: str) -> str:
    """Ask for a passphrase on the terminal, without showing it.

    Raises:
        UsageError: There is no terminal.
    """
    if not (sys.stdin.isatty() and on_terminal()):
        raise UsageError(
            f"{prompt.rstrip(': ')}: wanted, and there is no terminal to ask on; use a key without one, or run it on one"
        )
    return getpass(printable(prompt))


def prepare() -> None:
    """Make both streams print any text: what the terminal's encoding lacks is escaped, not a fault."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")


def _write(stream: TextIO, text: str) -> None:
    try:
        stream.write(text)
        stream.flush()
    except BrokenPipeError:
        # Python flushes once more when it exits, and would complain there.
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
