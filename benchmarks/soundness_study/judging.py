"""What an audit of the study is held against: who the card really is, and what its owner controls."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass, field
from functools import cache
from typing import Final

from benchmarks.soundness_study.machines import Machine, evidence
from benchmarks.soundness_study.products import simulated_products
from benchmarks.soundness_study.questions import answer, evidence_on, question, real_yardstick
from benchmarks.soundness_study.spreads import draw, with_noise
from gpuaudit.appraisal.case import device_cases
from gpuaudit.appraisal.claim import Claim, claim_of
from gpuaudit.appraisal.reference import Yardstick
from gpuaudit.appraisal.result import AttestationResult, Basis, LineResult, Verdict
from gpuaudit.evidence.bundle import EvidenceBundle
from gpuaudit.evidence.measurement import Dtype
from gpuaudit.evidence.reading import Known
from gpuaudit.simulated.adversaries.adversary import Control
from gpuaudit.simulated.adversaries.stage import honest_stage
from gpuaudit.simulated.spec import honest_device
from gpuaudit.tender.model import HardwareLine

FALSE_CONFIRMATION: Final = "false confirmation"
FALSE_REFUTATION: Final = "false refutation"
UNEXPLAINED: Final = "unexplained"
NAMED: Final = "confirmed, rival named"
NOT_LESSER: Final = "confirmed, not lesser"
SHARE: Final = "confirmed, a share above the floors"

_OWNS_REPORTED: Final = frozenset({Control.NVML, Control.KERNEL, Control.PROCESS})
# Less than a card, or fewer cards than shown: these satisfy no claim, whatever they are cut from.
_NOT_WHOLE: Final = ("a part of a card", "one card as several", "one UUID for all", "nine tenths of a card")
_LINK_SHARE: Final = 0.875
_NINE_TENTHS: Final = "nine tenths of a card"


@dataclass(slots=True)
class Tally:
    """What the audits of one kind of machine gave."""

    machines: int = 0
    cells: int = 0
    audits: int = 0
    verdicts: Counter[tuple[str, Verdict]] = field(default_factory=Counter)
    notable: Counter[str] = field(default_factory=Counter)
    who: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    examples: dict[str, str] = field(default_factory=dict)

    def add(self, other: Tally) -> None:
        """Add the counts of another tally."""
        self.machines += other.machines
        self.cells += other.cells
        self.audits += other.audits
        self.verdicts += other.verdicts
        self.notable += other.notable
        self.who += other.who
        self.examples = {**other.examples, **self.examples}


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """What is so: whether the claim is borne out, and whether the card is a lesser one of those that it could be taken for."""

    genuine: bool
    lesser: bool


def study(machine: Machine, seed: int) -> tuple[str, Tally]:
    """Attest one machine, and appraise it for each of its claims under each draw of noise."""
    yardstick = _yardstick()
    bundle = evidence(machine, seed)
    chance = random.Random(seed)  # noqa: S311 - noise of a study, to be repeated
    tally = Tally(machines=1)
    for named in machine.claims:
        tally.cells += 1
        claim = _claim(named, machine.cards)
        truth = _truth(machine, claim)
        for _ in range(machine.draws):
            result = answer(_noisy(bundle, machine, chance), question(named, machine.cards), yardstick)
            count(machine, named, truth, result, tally)
    return machine.kind, tally


def count(machine: Machine, named: str, truth: Truth, result: AttestationResult, tally: Tally) -> None:
    """Count what came out of one audit."""
    (line,) = result.lines
    tally.audits += 1
    for basis, verdict in (
        ("reported", line.by_basis.reported),
        ("measured", line.by_basis.measured),
        ("overall", line.verdict),
    ):
        tally.verdicts[basis, verdict] += 1
    for notable in notables(machine, line, truth):
        tally.notable[notable] += 1
        tally.who[notable, machine.physical, machine.pose] += 1
        tally.examples.setdefault(notable, _example(machine, named, result))


def notables(machine: Machine, line: LineResult, truth: Truth) -> tuple[str, ...]:
    """Name what is notable of one result: what must not be, and what is counted apart."""
    if truth.genuine:
        return _of_genuine(machine, line)
    found = []
    if line.by_basis.reported is Verdict.CONFIRMED and not machine.controls & _OWNS_REPORTED:
        found.append(f"{FALSE_CONFIRMATION}, reported")
    if line.by_basis.measured is Verdict.CONFIRMED and Control.PROCESS not in machine.controls:
        found.append(_excuse(machine, line, truth, "measured"))
    if line.verdict is Verdict.CONFIRMED:
        found.append(_excuse(machine, line, truth, "overall"))
    if line.verdict is Verdict.INCONCLUSIVE and truth.lesser and not _is_named(machine, line):
        found.append(UNEXPLAINED)
    return tuple(found)


def _of_genuine(machine: Machine, line: LineResult) -> tuple[str, ...]:
    if not machine.controls <= {Control.NOTHING}:
        return ()
    bases = (("reported", line.by_basis.reported), ("measured", line.by_basis.measured), ("overall", line.verdict))
    return tuple(f"{FALSE_REFUTATION}, {basis}" for basis, verdict in bases if verdict is Verdict.REFUTED)


def _excuse(machine: Machine, line: LineResult, truth: Truth, basis: str) -> str:
    """Say whether a confirmation of what is not so is false, or one that the result itself qualifies."""
    if machine.kind.startswith(_NINE_TENTHS):
        return f"{SHARE}, {basis}"
    if not truth.lesser and not machine.kind.startswith(_NOT_WHOLE):
        return f"{NOT_LESSER}, {basis}"
    if basis == "overall" and machine.controls & _OWNS_REPORTED and _is_named(machine, line, only_reported=True):
        return f"{NAMED}, {basis}"
    return f"{FALSE_CONFIRMATION}, {basis}"


def _is_named(machine: Machine, line: LineResult, *, only_reported: bool = False) -> bool:
    return any(
        rival.product == machine.physical and (not only_reported or rival.excluded_by == (Basis.REPORTED,))
        for rival in line.rivals
    )


def _truth(machine: Machine, claim: Claim) -> Truth:
    whole = not machine.kind.startswith(_NOT_WHOLE)
    return Truth(genuine=whole and machine.physical in claim.claimed, lesser=whole and machine.physical in claim.lesser)


def _noisy(bundle: EvidenceBundle, machine: Machine, chance: random.Random) -> EvidenceBundle:
    family = _yardstick().catalogue.product(machine.physical).family
    simulated = _simulated_shares(machine.physical)
    noises = {
        device.identity.uuid.value: draw(chance, family, simulated, throttled=machine.throttled)
        for device in bundle.nvml.devices
        if isinstance(device.identity.uuid, Known)
    }
    return with_noise(bundle, noises)


@cache
def _simulated_shares(product: str) -> dict[str, float]:
    """Return which share of its datasheet an honest simulated card reaches, so that noise can be given as such a share."""
    profile = simulated_products()[product]
    (case,) = device_cases(evidence_on(honest_stage([honest_device(0, profile)])), _yardstick().thresholds.canonical)
    traits = profile.physical
    dtype = Dtype.BF16 if "gemm-bf16" in _yardstick().catalogue.product(product).required.measurements else Dtype.FP16

    def share(quantity: str, peak: float) -> float:
        reading = case.reading(quantity)
        assert isinstance(reading, Known), f"{product}: no {quantity} of an honest simulated card"  # noqa: S101
        return float(reading.value) / peak

    return {
        "arithmetic": share(f"gemm-{dtype.value}", traits.dense_flop_per_second[dtype]),
        "double": share("gemm-fp64", traits.dense_flop_per_second[Dtype.FP64]),
        "memory": share("copy", traits.memory_bytes_per_second),
        # Of the link between cards, which one card cannot show (simulated/accelerator.py).
        "link": _LINK_SHARE,
    }


def _example(machine: Machine, named: str, result: AttestationResult) -> str:
    posing = f" posing as {machine.pose}" if machine.pose else ""
    return f"{machine.cards} {machine.physical}{posing} {machine.adversary} for {named}: {result.headline}"


@cache
def _yardstick() -> Yardstick:
    return real_yardstick()


@cache
def _claim(named: str, cards: int) -> Claim:
    (line,) = question(named, cards).tender.lines
    assert isinstance(line, HardwareLine)  # noqa: S101 - `question` makes no other
    return claim_of(line, _yardstick())
