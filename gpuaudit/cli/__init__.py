"""The command line: one file per command, `exits` for what the exit status means, `console` for all that is printed."""

from __future__ import annotations

from gpuaudit.cli.app import main

__all__ = ["main"]
