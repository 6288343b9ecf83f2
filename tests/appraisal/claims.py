"""Claims as tests make them, without a tender file."""

from __future__ import annotations

from gpuaudit.appraisal.case import device_cases
from gpuaudit.appraisal.claim import Claim, make_claim
from gpuaudit.appraisal.eliminate import Examination, examine
from gpuaudit.appraisal.policy import load_policy
from gpuaudit.appraisal.reference import Yardstick
from gpuaudit.evidence.bundle import EvidenceBundle


def claim(yardstick: Yardstick, named: str, cards: int = 1) -> Claim:
    """A line for `cards` cards per server of a family or of one product."""
    products = tuple(product for product in yardstick.catalogue.products if named in product.counts_as or product.id == named)
    assert products, f"no product counts as {named}"
    return make_claim(products, cards - 1, yardstick)


def examined(
    evidence: EvidenceBundle, yardstick: Yardstick, named: str, *, cards: int = 1, policy: str = "standard"
) -> tuple[Examination, ...]:
    """Every device of the machine, looked at for the claim."""
    wanted = claim(yardstick, named, cards)
    cases = device_cases(evidence, yardstick.thresholds.canonical)
    return tuple(examine(case, wanted, yardstick, load_policy(policy).policy) for case in cases)
