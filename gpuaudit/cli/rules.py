"""`gpuaudit rules`: what each rule looks at, and what it does not catch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import typer

from gpuaudit.appraisal.result import Effect
from gpuaudit.appraisal.rules.manual import EFFECTS, HEADINGS, Manual, manuals
from gpuaudit.catalogue.compiled import load_catalogue
from gpuaudit.cli import console
from gpuaudit.cli.commands import command_app
from gpuaudit.cli.format import Format, as_json, as_table
from gpuaudit.cli.options import FormatOption
from gpuaudit.errors import UsageError

app = command_app(help="Show the rules that an appraisal applies.")


@app.command("list")
def list_rules(format_: FormatOption = Format.TEXT) -> None:
    """List all rules with what they may do.

    Effects: identity and throughput rules exclude products, shortfall rules
    withhold a confirmation, note rules are shown and move nothing.

    Example: gpuaudit rules list

    Exit status: 0 done.
    """
    rows = [(one.slug, one.basis, one.effect, one.statement) for one in manuals()]
    header = ("rule", "basis", "effect", "says")
    if format_ is Format.JSON:
        console.result(as_json([dict(zip(header, row, strict=True)) for row in rows]))
    else:
        console.result(as_table(header, rows))


@app.command()
def explain(
    rule: Annotated[str, typer.Argument(metavar="RULE", help="A rule's name, from `rules list`.", show_default=False)],
    format_: FormatOption = Format.TEXT,
) -> None:
    """Explain RULE: what it looks at, catches and does not catch, and its numbers.

    Example: gpuaudit rules explain pci-device-id

    Exit status: 0 done, 2 no such rule.
    """
    known = {one.slug: one for one in manuals()}
    if rule not in known:
        raise UsageError(f"rules explain: no rule {rule!r}; expected one of {', '.join(known)}")
    manual = known[rule]
    sections = manual.sections()
    if format_ is Format.JSON:
        console.result(as_json({"rule": rule, "statement": manual.statement, **sections}))
        return
    told = [
        f"{rule}: {manual.statement}",
        f"basis {manual.basis}, effect {manual.effect}, reads {', '.join(manual.reads)}",
        EFFECTS[manual.effect],
        *_required(manual),
        "",
    ]
    told += [f"{heading}: {sections[heading]}" for heading in HEADINGS]
    console.result("\n".join(told))


def _required(manual: Manual) -> Iterator[str]:
    """Say of how many products the rule's readings are required; notes and counting ask for none."""
    if manual.effect in (Effect.IDENTITY, Effect.THROUGHPUT, Effect.SHORTFALL):
        products = load_catalogue().products
        reads = frozenset(manual.reads)
        count = sum(reads <= {*one.required.readings, *one.required.measurements} for one in products)
        yield f"Required of {count} of the {len(products)} products in the catalogue; `gpuaudit catalogue show PRODUCT` says what must be known."
