"""What a rule on a machine is: a look at all of its evidence that gives one finding and excludes no product.

What such rules contradict is shown above the verdict. Counting (in `count.py`) does not rest on them.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, TypeAlias

from gpuaudit.appraisal.result import Basis, Effect, Finding, Outcome
from gpuaudit.appraisal.threshold import Plausible
from gpuaudit.evidence.bundle import EvidenceBundle
from gpuaudit.evidence.reading import Reading, Unknown

_THIS: Final = "this machine"
_SHOWN: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What the appraiser brings: the nonce it asked to be answered, or none, and what it takes for plausible."""

    nonce_expected: str
    plausible: Plausible


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What a machine rule saw."""

    outcome: Outcome
    observed: str
    expected: str


Look: TypeAlias = Callable[[EvidenceBundle, Context], Observation]


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineRule:
    """One rule on a machine."""

    slug: str
    statement: str
    manual: str
    basis: Basis
    look: Look

    def find(self, bundle: EvidenceBundle, context: Context) -> Finding:
        """Look at the evidence and say what was found."""
        seen = self.look(bundle, context)
        return Finding(
            rule=self.slug,
            outcome=seen.outcome,
            effect=Effect.NOTE,
            basis=self.basis,
            required=False,
            subject=_THIS,
            observed=seen.observed,
            expected=seen.expected,
            excluded=(),
        )


def machine_rule(slug: str, *, basis: Basis = Basis.REPORTED) -> Callable[[Look], MachineRule]:
    """Make a machine rule of a look; its name is a sentence that is true when the rule is satisfied, its docstring the manual."""

    def make(look: Look) -> MachineRule:
        return MachineRule(
            slug=slug,
            statement=look.__name__.replace("_", " "),
            manual=inspect.getdoc(look) or "",
            basis=basis,
            look=look,
        )

    return make


def weigh(odd: list[str], compared: int, *, expected: str, nothing: str) -> Observation:
    """Make an observation of what looked odd, in words, among so many things compared.

    Args:
        odd: What is contradicted; the first few are shown.
        compared: How much could be compared at all.
        expected: What a genuine machine shows.
        nothing: What to say where nothing could be compared.
    """
    if odd:
        more = f" and {len(odd) - _SHOWN} more" if len(odd) > _SHOWN else ""
        return Observation(outcome=Outcome.CONTRADICTED, observed="; ".join(odd[:_SHOWN]) + more, expected=expected)
    if not compared:
        return Observation(outcome=Outcome.UNDETERMINED, observed=nothing, expected=expected)
    return Observation(outcome=Outcome.SATISFIED, observed=f"{compared} compared", expected=expected)


def why(unknown: Unknown) -> str:
    """Write that something is unknown, and for which reason."""
    return f"unknown ({unknown.reason.value})"


def told(reading: Reading[str]) -> str:
    """Write a reading of text, or why there is none."""
    return why(reading) if isinstance(reading, Unknown) else reading.value


def bus_key(bus_id: str) -> str:
    """Return a bus id without the domain's leading zeros: NVML writes eight digits, the kernel four."""
    return re.sub(r"^0+(?=[0-9a-f]{4}:)", "", bus_id.lower())
