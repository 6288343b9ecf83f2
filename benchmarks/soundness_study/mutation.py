"""Does every required rule matter? Each is removed in turn, and some cell has to change."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Final

from benchmarks.soundness_study.expectations import load_expectations, outcome_of
from benchmarks.soundness_study.machines import Machine, evidence, names_of
from benchmarks.soundness_study.products import simulated_products
from benchmarks.soundness_study.questions import answer, evidence_of, question, real_yardstick
from benchmarks.soundness_study.spreads import Noise, with_noise
from gpuaudit.appraisal.reference import Yardstick, prepare
from gpuaudit.appraisal.rule import Rule
from gpuaudit.appraisal.rules import ALL_RULES
from gpuaudit.evidence.bundle import EvidenceBundle
from gpuaudit.evidence.reading import Known
from gpuaudit.simulated.adversaries.renaming import ALL_FIELDS
from gpuaudit.simulated.profile import known_profiles
from gpuaudit.simulated.spec import parse_spec

# Cards that differ in the one value that the forger forgot.
_CARELESS: Final = (
    ("a800-sxm4-80gb", "a100-sxm4-80gb", "device_id"),
    ("a800-sxm4-80gb", "a100-sxm4-80gb", "subsystem_id"),
    ("a800-sxm4-80gb", "a100-sxm4-80gb", "name"),
    ("a100-sxm4-40gb", "a100-sxm4-80gb", "memory_total_bytes"),
)


# Claims of cards without bf16 units, and how much memory a larger card must hide to pass for one.
_WITHOUT_BF16: Final = (("rtx-4090", "v100-sxm2-16gb", 16), ("l40s", "v100-sxm2-32gb", 32))
_A100: Final = "a100-sxm4-80gb"
_V100: Final = "v100-sxm2-32gb"
# Tensor cores at a quarter, all else as it should be.
_WEAK: Final = Noise(factors={"arithmetic": 0.25, "double": 1.0, "memory": 1.0, "link": 1.0})
# A whole card's name, ids and memory, and a vGPU's mode.
_VIRTUAL: Final = "virtual=1,renamed-as=a100-sxm4-80gb,ids"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutation:
    """A rule that was removed, and how many cells then came out otherwise; `example` is one of them."""

    rule: str
    changed: int
    example: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cell:
    name: str
    bundle: EvidenceBundle
    claim: str
    cards: int


def mutations() -> tuple[Mutation, ...]:
    """Remove each rule that some product requires, and count the cells that change."""
    yardstick = real_yardstick()
    before = {cell.name: _verdicts(cell, yardstick) for cell in _cells()}
    return tuple(_without(rule, yardstick, before) for rule in required_rules(yardstick))


def required_rules(yardstick: Yardstick) -> tuple[Rule, ...]:
    """Return the rules of which some product requires all readings."""
    required = [frozenset((*one.required.readings, *one.required.measurements)) for one in yardstick.catalogue.products]
    return tuple(rule for rule in ALL_RULES if any(frozenset(rule.reads) <= names for names in required))


def _without(rule: Rule, yardstick: Yardstick, before: dict[str, tuple[object, ...]]) -> Mutation:
    others = tuple(other for other in ALL_RULES if other is not rule)
    mutant = prepare(yardstick.catalogue, yardstick.thresholds, others)
    changed = [cell.name for cell in _cells() if _verdicts(cell, mutant) != before[cell.name]]
    return Mutation(rule=rule.slug, changed=len(changed), example=changed[0] if changed else "")


def _verdicts(cell: _Cell, yardstick: Yardstick) -> tuple[object, ...]:
    got = outcome_of(answer(cell.bundle, question(cell.claim, cell.cards), yardstick))
    return (got.reported, got.measured, got.overall)


@cache
def _cells() -> tuple[_Cell, ...]:
    return tuple(_all_cells())


def _all_cells() -> Iterator[_Cell]:
    for case in load_expectations():
        yield _Cell(
            name=case.id, bundle=evidence_of(parse_spec(case.simulate), case.adversary), claim=case.claim, cards=case.cards
        )
    for physical in known_profiles():
        for pose in known_profiles():
            # An honest machine where the two are one.
            machine = _posing(physical, pose)
            yield from _asked(machine, evidence(machine, seed=1))
    for physical, pose, gib in _WITHOUT_BF16:
        machine = replace(_posing(physical, pose), adversary=f"kernel-too,limited-to={gib}")
        yield from _asked(machine, evidence(machine, seed=1))
    yield _Cell(name="vGPU with a card's name and ids", bundle=evidence_of(parse_spec(_A100), _VIRTUAL), claim="A100", cards=1)
    honest = evidence(_posing(_V100, _V100), seed=1)
    (uuid,) = [one.identity.uuid.value for one in honest.nvml.devices if isinstance(one.identity.uuid, Known)]
    weak = with_noise(honest, {uuid: _WEAK})
    yield _Cell(name="V100 with tensor cores at a quarter", bundle=weak, claim="V100", cards=1)
    for physical, pose, field in _CARELESS:
        machine = replace(_posing(physical, pose), adversary=f"forgot={field},kernel-too")
        yield from _asked(machine, evidence(machine, seed=1))


def _posing(physical: str, pose: str) -> Machine:
    assert pose in simulated_products()  # noqa: S101 - all profiles are
    return Machine(
        kind="mutation", physical=physical, claims=names_of(pose), pose=pose, fields=ALL_FIELDS, adversary="kernel-too"
    )


def _asked(machine: Machine, bundle: EvidenceBundle) -> Iterator[_Cell]:
    for claim in machine.claims:
        name = f"{machine.physical} posing as {machine.pose} {machine.adversary} for {claim}"
        yield _Cell(name=name, bundle=bundle, claim=claim, cards=1)
