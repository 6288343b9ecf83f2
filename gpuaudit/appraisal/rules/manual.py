"""The manuals of all rules, of devices, of machines and of counting alike, as `rules list` and `rules explain` show them."""

from __future__ import annotations

import hashlib
import inspect
from dataclasses import dataclass
from functools import cache
from typing import Final

from gpuaudit.appraisal.result import Effect
from gpuaudit.appraisal.rules import ALL_RULES
from gpuaudit.appraisal.rules.counting import COUNT, as_many_devices_as_claimed_are_confirmed
from gpuaudit.appraisal.rules.machine import MACHINE_RULES

# The manual of every rule has these headings, in this order.
_VERDICT: Final = "verdict"
HEADINGS: Final = ("Looks at", "Catches", "Does not catch", "Numbers from", "Checked on")

# What each effect can do to a verdict, for whoever reads one rule alone.
EFFECTS: Final = {
    Effect.IDENTITY.value: (
        "Identity: a value that a product cannot give excludes that product. A device is refuted where every claimed product is"
        " excluded. A value that could not be read excludes nobody and blocks `confirmed`. All this only where the claimed product"
        " requires the reading; elsewhere what is odd is shown and moves nothing."
    ),
    Effect.THROUGHPUT.value: (
        "Throughput: a rate or a ratio outside what a product can give in any honest state excludes that product. A device is refuted"
        " where every claimed product is excluded. A rate that is merely low excludes nobody: it withholds `confirmed`, as does one that"
        " is missing. All this only where the claimed product requires the measurement; elsewhere what is odd is shown and moves nothing."
    ),
    Effect.SHORTFALL.value: (
        "Shortfall: what is too slow or too small withholds `confirmed` (`under-delivering`) where the claimed product requires the"
        " measurement, as does one that is missing; elsewhere it is shown and moves nothing. It excludes no product and never refutes: a genuine card may be capped, hot or shared."
    ),
    Effect.NOTE.value: "Note: what is odd is shown above the verdict. It moves no verdict, neither way.",
    _VERDICT: "Verdict: this is where devices become the verdict on a line of the tender.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Manual:
    """What is to be known of one rule. `statement` is a sentence that is true when the rule is satisfied."""

    slug: str
    statement: str
    basis: str
    effect: str
    reads: tuple[str, ...]
    text: str

    def sections(self) -> dict[str, str]:
        """Return the text by heading.

        Raises:
            ValueError: A heading is missing; a test keeps that from happening.
        """
        found: dict[str, str] = {}
        rest = " ".join(self.text.split())
        for here, following in zip(HEADINGS, (*HEADINGS[1:], ""), strict=True):
            _, heading, body = rest.partition(f"{here}:")
            if not heading:
                raise ValueError(f"rule {self.slug}: expected the heading {here!r} in its docstring; add it")
            found[here] = (body.partition(f"{following}:")[0] if following else body).strip()
            rest = body
        return found


def manuals() -> tuple[Manual, ...]:
    """Return the manuals of all rules, in the order in which findings are shown."""
    counting = Manual(
        slug=COUNT,
        statement=as_many_devices_as_claimed_are_confirmed.__name__.replace("_", " "),
        basis="all",
        effect=_VERDICT,
        reads=("nvml.devices", "kernel.pci_functions"),
        text=inspect.getdoc(as_many_devices_as_claimed_are_confirmed) or "",
    )
    machine = tuple(
        Manual(slug=one.slug, statement=one.statement, basis=one.basis.value, effect="note", reads=(), text=one.manual)
        for one in MACHINE_RULES
    )
    device = tuple(
        Manual(
            slug=one.slug,
            statement=one.statement,
            basis=one.basis.value,
            effect=one.effect.value,
            reads=one.reads,
            text=one.manual,
        )
        for one in ALL_RULES
    )
    return (counting, *machine, *device)


@cache
def rules_sha256() -> str:
    """Return a digest of what all rules are: their names, statements, manuals, readings and effects, in order."""
    text = "\n".join(f"{one.slug}|{one.statement}|{one.basis}|{one.effect}|{one.reads}|{one.text}" for one in manuals())
    return hashlib.sha256(text.encode()).hexdigest()
