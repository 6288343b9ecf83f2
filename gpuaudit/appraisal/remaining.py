"""Which lesser rivals remain after the measurements, and the cheapest observation that would tell each from the claim."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from gpuaudit.appraisal.claim import Claim
from gpuaudit.appraisal.eliminate import Examination
from gpuaudit.appraisal.reference import NOBODY, Products, RuleReference, Yardstick
from gpuaudit.appraisal.result import Basis, Effect, Rival
from gpuaudit.appraisal.rule import Band, PeerBand
from gpuaudit.catalogue.model import Product, ProductId


def name_rivals(examinations: Iterable[Examination], claim: Claim, yardstick: Yardstick) -> tuple[Rival, ...]:
    """Name the lesser rivals that no measurement excludes on every device that counts, the nearest first.

    Each with the bases that do exclude it everywhere, and the cheapest observation that could.
    """
    counted = tuple(examinations)
    if not counted:
        return ()
    measured = frozenset.intersection(*(one.excluded_by_measurement for one in counted))
    remaining: Products = NOBODY.union(*(one.candidates for one in counted))
    observations = _observations(claim, yardstick)
    return tuple(
        _rival(rival, observations[rival.id], reported=rival.id not in remaining)
        for rival in claim.nearest
        if rival.id not in measured
    )


def _rival(rival: Product, observation: str, *, reported: bool) -> Rival:
    return Rival(
        product=rival.id,
        title=rival.title,
        excluded_by=(Basis.REPORTED,) if reported else (),
        would_exclude=Basis.MEASURED.value if observation else "",
        observation=observation,
    )


def _observations(claim: Claim, yardstick: Yardstick) -> Mapping[ProductId, str]:
    """Return for each lesser rival the first measurement of a claimed card at its best that lies above all that the rival can do.

    Empty where there is none. Worked out once for a claim, whatever the machine.
    """
    known: dict[ProductId, str] | None = claim.words.get("observations")
    if known is None:
        bars = [(reference, bar) for reference in yardstick.references if (bar := _bar(reference, claim)) is not None]
        known = claim.words["observations"] = {rival.id: _telling(rival, bars) for rival in claim.nearest}
    return known


def _telling(rival: Product, bars: Iterable[tuple[RuleReference, float]]) -> str:
    for reference, bar in bars:
        top = _top(reference, rival)
        if top is not None and top < bar:
            return reference.rule.reads[0]
    return ""


def _bar(reference: RuleReference, claim: Claim) -> float | None:
    """Return the least that a claimed card gives at its best, if the rule is on one measurement that can exclude."""
    if reference.rule.effect is not Effect.THROUGHPUT or len(reference.rule.reads) > 1:
        return None
    return min((top for product in claim.products if (top := _top(reference, product)) is not None), default=None)


def _top(reference: RuleReference, product: Product) -> float | None:
    match reference.expected.get(product.id):
        case Band(high=high):
            return high
        case PeerBand(ceiling=ceiling, bridges=bridges, bridge_ceiling=bridge):
            return bridge if bridges else ceiling
        case _:
            return None
