"""The machines of the study: which card, which adversary, asked for what. Each line of the plan is one kind of cell."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Final

from benchmarks.soundness_study.products import simulated_products
from benchmarks.soundness_study.questions import evidence_on, real_yardstick
from gpuaudit.appraisal.claim import make_claim
from gpuaudit.appraisal.result import Basis
from gpuaudit.catalogue.compiled import load_catalogue
from gpuaudit.catalogue.model import Attribute, Listing
from gpuaudit.evidence.bundle import EvidenceBundle
from gpuaudit.simulated.adversaries.adversary import Control
from gpuaudit.simulated.adversaries.renaming import ALL_FIELDS, ID_FIELDS, NAME_FIELDS, reporting
from gpuaudit.simulated.adversaries.repertoire import controls, parse_adversary, play
from gpuaudit.simulated.adversaries.stage import honest_stage
from gpuaudit.simulated.profile import known_profiles
from gpuaudit.simulated.spec import honest_device

# What is sold by name most, or stands in tenders: every card of the study is passed off as each of these by name and ids alone.
WANTED: Final = (
    "a100-sxm4-40gb",
    "a100-sxm4-80gb",
    "a100-pcie-80gb",
    "h100-sxm5-80gb",
    "h100-pcie-80gb",
    "h200-sxm",
    "h20-96gb",
    "a800-sxm4-80gb",
    "h800-sxm5",
    "l40s",
    "v100-sxm2-32gb",
    "rtx-4090",
)
_PAIRED: Final = ("a100-sxm4-80gb", "a100-sxm4-40gb", "a100-pcie-80gb", "h100-sxm5-80gb", "h200-sxm", "h800-sxm5")
_EIGHT: Final = (
    ("a800-sxm4-80gb", "a100-sxm4-80gb"),
    ("a100-pcie-80gb", "a100-sxm4-80gb"),
    ("a100-sxm4-40gb", "a100-sxm4-80gb"),
    ("h800-sxm5", "h100-sxm5-80gb"),
    ("h100-pcie-80gb", "h100-sxm5-80gb"),
    ("h20-96gb", "h200-sxm"),
)
_GIB: Final = 1024**3
_FORGOTTEN: Final = ("name", "device_id", "subsystem_id", "memory_total_bytes")
_STATES: Final = (
    "capped=0.5",
    "capped=0.25",
    "shared=2",
    "occupied=8",
    "busy",
    "hot-room=65",
    "hot-room=80",
    "hidden-proc",
    "new-driver",
)
_PARTS: Final = (
    "mig-slice=1",
    "mig-slice=3",
    "mig-slice=3,hidden-mig",
    "mig-slice=6,hidden-mig",
    "virtual=0.25",
    "virtual=0.9",
)
_PRETENDED: Final = (NAME_FIELDS, NAME_FIELDS | ID_FIELDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """One machine of the plan.

    `pose` is the product it reports to be, or empty; `adversary` a line for the repertoire; `draws` how often noise is drawn.
    """

    kind: str
    physical: str
    claims: tuple[str, ...]
    pose: str = ""
    fields: frozenset[str] = frozenset()
    adversary: str = ""
    cards: int = 1
    draws: int = 1
    throttled: bool = False

    @property
    def controls(self) -> frozenset[Control]:
        """Return what its owner must control."""
        own = controls(parse_adversary(self.adversary)) if self.adversary else frozenset()
        if not self.pose:
            return own
        return own | {Control.NAME if self.fields == NAME_FIELDS else Control.NVML}


def evidence(machine: Machine, seed: int) -> EvidenceBundle:
    """Attest the machine the real way."""
    profiles = simulated_products()
    shown = 1 if machine.adversary.startswith("one-card-as") else machine.cards
    stage = honest_stage([honest_device(index, profiles[machine.physical], seed=seed) for index in range(shown)], seed=seed)
    if machine.pose:
        stage = reporting(stage, profiles[machine.pose].reported, machine.fields)
    if machine.adversary:
        stage = play(parse_adversary(machine.adversary), stage)
    return evidence_on(stage)


def _is_known_enough(product: str) -> bool:
    """Whether the catalogue has a name of the product, and a floor for all that it requires: without, it can never be confirmed."""
    yardstick = real_yardstick()
    claim = make_claim((yardstick.catalogue.product(product),), 0, yardstick)
    named = isinstance(yardstick.catalogue.product(product).listing(Attribute.NAMES), Listing)
    return named and any(product in group.demands[Basis.MEASURED].provable for group in claim.groups)


@cache
def names_of(product: str) -> tuple[str, ...]:
    """Return what a claim may call a product: its family and its own id."""
    return (*load_catalogue().product(product).counts_as[:1], product)


@cache
def _all_claims() -> tuple[str, ...]:
    return tuple(dict.fromkeys(name for product in simulated_products() for name in names_of(product)))


def plan(scale: int = 1) -> Iterator[Machine]:
    """Give every machine of the study; `scale` multiplies the draws of noise for genuine ones."""
    products = tuple(simulated_products())
    yield from _genuine(products, scale)
    yield from _renamed(products)
    yield from _forged(products)
    yield from _careless(products)
    yield from _parts()
    yield from _many()


def _genuine(products: tuple[str, ...], scale: int) -> Iterator[Machine]:
    for product in products:
        kind = "honest, matching" if _is_known_enough(product) else "honest, of which no source says enough"
        yield Machine(kind=kind, physical=product, claims=names_of(product), draws=40 * scale)
        others = tuple(claim for claim in _all_claims() if claim not in names_of(product))
        yield Machine(kind="honest, another claim", physical=product, claims=others)
        yield Machine(kind="genuine, throttled", physical=product, claims=names_of(product), draws=20 * scale, throttled=True)
    for product in known_profiles():
        for cards in (2, 8):
            yield Machine(
                kind=f"honest, matching, {cards} cards",
                physical=product,
                claims=names_of(product),
                cards=cards,
                draws=6 * scale,
            )
        for state in _STATES:
            yield Machine(
                kind="genuine, in a bad state", physical=product, claims=names_of(product), adversary=state, cards=2, draws=2
            )


def _renamed(products: tuple[str, ...]) -> Iterator[Machine]:
    for product in products:
        for pose in WANTED:
            for kind, fields in zip(("name forged", "name and ids forged"), _PRETENDED, strict=True):
                if pose != product:
                    yield Machine(kind=kind, physical=product, pose=pose, fields=fields, claims=names_of(pose))


def _forged(products: tuple[str, ...]) -> Iterator[Machine]:
    for product, pose in itertools.permutations(products, 2):
        yield _posing("NVML and kernel forged", product, pose, draws=2)
    for product, pose in itertools.product(known_profiles(), _PAIRED):
        if pose != product:
            yield replace(_posing("NVML and kernel forged, 2 cards", product, pose, draws=2), cards=2)
    for product, pose in _EIGHT:
        yield replace(_posing("NVML and kernel forged, 8 cards", product, pose, draws=4), cards=8)


def _careless(products: tuple[str, ...]) -> Iterator[Machine]:
    for product, pose, field in itertools.product(products, ("a100-sxm4-80gb", "h100-sxm5-80gb"), _FORGOTTEN):
        if pose != product:
            machine = _posing("NVML forged but one value", product, pose)
            yield replace(machine, adversary=f"forgot={field},{machine.adversary}")


def _parts() -> Iterator[Machine]:
    for product in ("a100-sxm4-40gb", "a100-sxm4-80gb", "a100-pcie-80gb", "h100-sxm5-80gb", "h100-pcie-80gb", "h200-sxm"):
        for part in _PARTS:
            yield Machine(kind="a part of a card", physical=product, adversary=part, claims=names_of(product), draws=8)
        yield Machine(
            kind="nine tenths of a card", physical=product, adversary="virtual=0.9", claims=names_of(product), draws=8
        )
        for share, kind in (("0.5", "a part of a card, all forged"), ("0.9", "nine tenths of a card, all forged")):
            # Played first, then everything reported is the whole card's.
            line = f"virtual={share},nvml-of={product},kernel-too"
            yield Machine(kind=kind, physical=product, adversary=line, claims=names_of(product), draws=8)


def _many() -> Iterator[Machine]:
    for product in known_profiles():
        for count in (2, 4):
            adversary = f"one-card-as={count},kernel-too"
            yield Machine(
                kind="one card as several",
                physical=product,
                adversary=adversary,
                claims=names_of(product),
                cards=count,
                draws=4,
            )
        yield Machine(kind="one UUID for all", physical=product, adversary="twins", claims=names_of(product), cards=2, draws=4)


def _posing(kind: str, product: str, pose: str, *, draws: int = 1) -> Machine:
    """Forge all that is reported, and hide the memory that a larger card would betray itself by."""
    own, other = (simulated_products()[name].physical.memory_bytes for name in (product, pose))
    hiding = f",limited-to={other / _GIB:.3f}" if own > other else ""
    return Machine(
        kind=kind,
        physical=product,
        pose=pose,
        fields=ALL_FIELDS,
        adversary=f"kernel-too{hiding}",
        claims=names_of(pose),
        draws=draws,
    )
