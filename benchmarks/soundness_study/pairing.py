"""Two products, one handed over for the other: which rules tell them apart, at which basis, and by what ratio."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

from benchmarks.soundness_study.machines import Machine, evidence
from gpuaudit.appraisal.amount import Ratio
from gpuaudit.appraisal.case import device_cases, is_quantity
from gpuaudit.appraisal.claim import Claim, make_claim
from gpuaudit.appraisal.eliminate import Look, examine
from gpuaudit.appraisal.finding import expected, observed
from gpuaudit.appraisal.policy import load_policy
from gpuaudit.appraisal.reference import Yardstick
from gpuaudit.appraisal.result import Basis
from gpuaudit.appraisal.rule import Band, RatioFloor, Rule
from gpuaudit.appraisal.rules import RULES_BY_SLUG
from gpuaudit.evidence.bundle import EvidenceBundle
from gpuaudit.evidence.device import DeviceEvidence
from gpuaudit.evidence.measurement import quantity
from gpuaudit.evidence.reading import Known, Reason, Source, Unknown
from gpuaudit.evidence.record import entry
from gpuaudit.evidence.toml_file import load_toml
from gpuaudit.simulated.adversaries.renaming import ALL_FIELDS

_LEFT_OUT = Unknown(reason=Reason.NOT_FOUND, source=Source.NVML, detail="left out")


@entry
class Pair:
    """What was wanted, what was handed over, on how many cards, and the rule that tells."""

    wanted: str
    handed: str
    cards: int
    rule: str

    @property
    def id(self) -> str:
        """Name the pair for a list."""
        return f"{self.handed} for {self.wanted}, {self.cards} card{'s' if self.cards > 1 else ''}, {self.rule}"

    @property
    def basis(self) -> Basis:
        """Return the basis of the rule."""
        return RULES_BY_SLUG[self.rule].basis


@entry
class Pairs:
    """All pairs."""

    schema: Literal[1]
    pair: tuple[Pair, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Separation:
    """How one rule tells what was handed over: by excluding what was wanted, or by withholding it.

    `ratio` is what was seen, over the nearer end of what was expected; zero where the two are not numbers.
    """

    rule: Rule
    excludes: bool
    required: bool
    observed: str
    expected: str
    ratio: float


@cache
def load_pairs() -> tuple[Pair, ...]:
    """Read `pairs.toml`, strictly.

    Raises:
        MalformedFileError: The file breaks the format.
    """
    path = Path(__file__).parents[1] / "pairs.toml"
    return load_toml(Pairs, path.read_bytes(), place=path.name).pair


@cache
def handed_over(pair: Pair) -> EvidenceBundle:
    """Attest the machine with what was handed over, forged to be what was wanted if only measuring is to tell."""
    return evidence(_machine(pair, forged=pair.basis is Basis.MEASURED), seed=1)


@cache
def genuine(pair: Pair) -> EvidenceBundle:
    """Attest the machine with what was wanted."""
    return evidence(replace(_machine(pair, forged=False), physical=pair.wanted), seed=1)


def claim_of_pair(pair: Pair, yardstick: Yardstick) -> Claim:
    """Claim exactly the product that was wanted."""
    return make_claim((yardstick.catalogue.product(pair.wanted),), pair.cards - 1, yardstick)


def separations(bundle: EvidenceBundle, pair: Pair, yardstick: Yardstick) -> tuple[Separation, ...]:
    """Return every rule that tells the first card of `bundle` from what was wanted."""
    claim = claim_of_pair(pair, yardstick)
    case = device_cases(bundle, yardstick.thresholds.canonical)[0]
    looks = examine(case, claim, yardstick, load_policy("standard").policy).looks
    return tuple(_separations(looks, pair, claim))


def shedding(pair: Pair, yardstick: Yardstick) -> tuple[str, ...]:
    """Name the measuring rules by which a genuine machine sheds the product that could have been handed over."""
    claim = claim_of_pair(pair, yardstick)
    case = device_cases(genuine(pair), yardstick.thresholds.canonical)[0]
    looks = examine(case, claim, yardstick, load_policy("standard").policy).looks
    return tuple(
        look.reference.rule.slug
        for place, look in enumerate(looks)
        if place in claim.required_rules
        and look.reference.rule.basis is Basis.MEASURED
        and pair.handed in look.division.excluded
    )


def without(bundle: EvidenceBundle, rule: Rule) -> EvidenceBundle:
    """Return the evidence without anything that the rule reads."""
    quantities = {name for name in rule.reads if is_quantity(name)}
    kept = tuple(one for one in bundle.measurements if quantity(one) not in quantities)
    devices = tuple(_withheld(device, rule.reads) for device in bundle.nvml.devices)
    return replace(bundle, nvml=replace(bundle.nvml, devices=devices), measurements=kept)


def _machine(pair: Pair, *, forged: bool) -> Machine:
    return Machine(
        kind="pair",
        physical=pair.handed,
        claims=(pair.wanted,),
        pose=pair.wanted if forged else "",
        fields=ALL_FIELDS if forged else frozenset(),
        adversary="kernel-too" if forged else "",
        cards=pair.cards,
    )


def _separations(looks: tuple[Look, ...], pair: Pair, claim: Claim) -> Iterator[Separation]:
    (wanted,) = claim.products
    for place, look in enumerate(looks):
        excludes = pair.wanted in look.division.excluded
        if look.known and (excludes or pair.wanted in look.division.blocked):
            yield Separation(
                rule=look.reference.rule,
                excludes=excludes,
                required=place in claim.required_rules,
                observed=observed(look),
                expected=expected(look, (wanted,)),
                ratio=_ratio(look, pair.wanted),
            )


def _ratio(look: Look, wanted: str) -> float:
    expectation = look.reference.expected.get(wanted)
    value = look.reading.value if isinstance(look.reading, Known) else ""
    match expectation, value:
        case RatioFloor(low=low), Ratio(numerator=numerator, denominator=denominator):
            return numerator / denominator / low if denominator else 0.0
        case Band(low=low, high=high), int() | float():
            end = low if value < low else high
            return value / end if end else 0.0
        case _:
            return 0.0


def _withheld(device: DeviceEvidence, paths: tuple[str, ...]) -> DeviceEvidence:
    for path in paths:
        group, _, name = path.partition(".")
        if name:
            changed: Any = replace(getattr(device, group), **{name: _LEFT_OUT})
            device = replace(device, **{group: changed})
    return device
