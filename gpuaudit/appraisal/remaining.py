"""Which lesser rivals remain after the measurements, and the cheapest observation that would tell each from the claim."""

from __future__ import annotations

from collections.abc import Iterable

from gpuaudit.appraisal.claim import Claim
from gpuaudit.appraisal.eliminate import Examination
from gpuaudit.appraisal.reference import NOBODY, Products, RuleReference, Yardstick
from gpuaudit.appraisal.result import Basis, Effect, Rival
from gpuaudit.appraisal.rivals import nearest_first
from gpuaudit.appraisal.rule import Band, PeerBand
from gpuaudit.catalogue.model import Product


def name_rivals(examinations: Iterable[Examination], claim: Claim, yardstick: Yardstick) -> tuple[Rival, ...]:
    """Name the lesser rivals that no measurement excludes on every device that counts, the nearest first.

    Each with the bases that do exclude it everywhere, and the cheapest observation that could.
    """
    counted = tuple(examinations)
    if not counted:
        return ()
    measured = frozenset.intersection(*(one.excluded_by_measurement for one in counted))
    remaining: Products = NOBODY.union(*(one.candidates for one in counted))
    products = {product.id: product for product in yardstick.catalogue.products}
    ordered = nearest_first(claim.lesser - measured, claim.claimed, yardstick.strengths)
    return tuple(_rival(products[rival], claim, yardstick, reported=rival not in remaining) for rival in ordered)


def _rival(rival: Product, claim: Claim, yardstick: Yardstick, *, reported: bool) -> Rival:
    observations: dict[str, str] = claim.words.setdefault("observations", {})
    observation = observations.get(rival.id)
    if observation is None:
        telling = (reference.rule.reads[0] for reference in yardstick.references if _separates(reference, rival, claim))
        observation = observations[rival.id] = next(telling, "")
    return Rival(
        product=rival.id,
        title=rival.title,
        excluded_by=(Basis.REPORTED,) if reported else (),
        would_exclude=Basis.MEASURED.value if observation else "",
        observation=observation,
    )


def _separates(reference: RuleReference, rival: Product, claim: Claim) -> bool:
    """Whether a measurement of a claimed card at its best lies above all that the rival can do."""
    if reference.rule.effect is not Effect.THROUGHPUT or len(reference.rule.reads) > 1:
        return False
    top = _top(reference, rival)
    claimed = [_top(reference, product) for product in claim.products]
    known = [value for value in claimed if value is not None]
    return top is not None and bool(known) and min(known) > top


def _top(reference: RuleReference, product: Product) -> float | None:
    match reference.expected.get(product.id):
        case Band(high=high):
            return high
        case PeerBand(ceiling=ceiling, bridges=bridges, bridge_ceiling=bridge):
            return bridge if bridges else ceiling
        case _:
            return None
