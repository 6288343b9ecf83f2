"""The commands: where each is, and the line that the top help shows of it.

The line is the first of the command's own help; a test compares them. It stands here too so that `gpuaudit --help` imports no
command: some of them import cryptography.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import typer


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandEntry:
    """A command's module, whose `app` is its `typer.Typer`, and its one line."""

    module: str
    summary: str


def command_app(*, help: str = "") -> typer.Typer:  # noqa: A002 - typer's word
    """Make the `app` of a command's module.

    With one `@app.command()` the module is that command; with several it is a group of them, and `help` is the group's.
    """
    settings: dict[str, Any] = {"help": help} if help else {}
    return typer.Typer(add_completion=False, rich_markup_mode=None, pretty_exceptions_enable=False, **settings)


def _entry(name: str, summary: str) -> CommandEntry:
    return CommandEntry(module=f"gpuaudit.cli.{name}", summary=summary)


COMMANDS: Final[dict[str, CommandEntry]] = {
    "audit": _entry("audit", "Audit this machine against a tender: collect, measure, seal, appraise."),
    "probe": _entry("probe", "Show what the machine says about its GPUs; measures nothing."),
    "bench": _entry("bench", "Measure what the devices can do, and show it; seals nothing."),
    "attest": _entry("attest", "Collect and measure, and seal the evidence; no verdict."),
    "appraise": _entry("appraise", "Appraise sealed EVIDENCE against a tender."),
    "challenge": _entry("challenge", "Make a machine prove what it can do, timed and checked elsewhere."),
    "verify": _entry("verify", "Verify the signatures of FILE, and nothing else."),
    "report": _entry("report", "Show a sealed RESULT: as text, as a page, as JSON, or for CI."),
    "compare": _entry("compare", "Compare two audits of one machine: what changed, beyond noise."),
    "schema": _entry("schema", "Print the JSON Schema of NAME: evidence, result or tender."),
    "fleet": _entry("fleet", "Audit many machines: plan, run, appraise and report on them as one."),
    "registry": _entry("registry", "Keep the history of evidence and results: add, history, drift, coverage."),
    "rules": _entry("rules", "Show the rules that an appraisal applies."),
    "import": _entry("import_", "Turn a captured nvidia-smi -q -x into unsigned evidence."),
    "tender": _entry("tender", "List, show and check tenders: the claims that evidence is appraised against."),
    "catalogue": _entry("catalogue", "Show what is known of each product, and what a device can be."),
    "keys": _entry("keys", "Make and show signing keys."),
    "completion": _entry("completion", "Print the completion script of SHELL: bash, zsh or fish."),
}
