"""Findings and standings of one device: what each rule saw, in words, and why the device stands where it stands."""

from __future__ import annotations

from collections.abc import Iterable

from gpuaudit.appraisal.amount import Unit, show, show_band, show_set
from gpuaudit.appraisal.case import PEER
from gpuaudit.appraisal.claim import Claim
from gpuaudit.appraisal.eliminate import Examination, Look
from gpuaudit.appraisal.result import DeviceStanding, Effect, Finding, Outcome, Verdict
from gpuaudit.appraisal.rule import Band, Expected, OneOf, PeerBand
from gpuaudit.catalogue.model import Attribute, NoData, Product
from gpuaudit.evidence.reading import Known, Reading, Unknown


def device_findings(examination: Examination, claim: Claim) -> tuple[Finding, ...]:
    """Return one finding per rule, whatever it found."""
    subject = examination.case.subject
    focus = _focus(examination, claim)
    return tuple(
        Finding(
            rule=look.reference.rule.slug,
            outcome=outcome_of(look, claim, focus),
            effect=look.reference.rule.effect,
            basis=look.reference.rule.basis,
            required=place in claim.required_rules,
            subject=subject,
            observed=observed(look),
            expected=expected(look, focus),
            excluded=tuple(sorted(look.division.excluded)),
        )
        for place, look in enumerate(examination.looks)
    )


def outcome_of(look: Look, claim: Claim, focus: tuple[Product, ...]) -> Outcome:
    """Say what the rule found, of the claimed products that are still possible.

    Whether a rule applies is a function of the claim and the catalogue: what the evidence lacks never makes a rule not applicable.
    """
    if not any(_has_reference(look, product) for product in claim.products):
        return Outcome.NOT_APPLICABLE
    if not look.known:
        return Outcome.UNDETERMINED
    ids = frozenset(product.id for product in focus)
    if look.division.fits & ids:
        return Outcome.SATISFIED
    against = look.division.excluded | (
        look.division.blocked if look.reference.rule.effect is Effect.SHORTFALL else frozenset()
    )
    having = frozenset(product.id for product in focus if _has_reference(look, product))
    return Outcome.CONTRADICTED if having and having <= against else Outcome.UNDETERMINED


def device_standing(examination: Examination, claim: Claim) -> DeviceStanding:
    """Say where one device stands, with the reason that settles it."""
    device = examination.case.device
    return DeviceStanding(
        subject=examination.case.subject,
        name=_text(device.identity.name),
        uuid=_text(device.identity.uuid),
        verdict=examination.verdict,
        by_basis=examination.by_basis,
        candidates=tuple(sorted(examination.candidates)),
        reason=_reason(examination, claim),
    )


def observed(look: Look) -> str:
    """Write what was read, or why nothing was."""
    if isinstance(look.reading, Unknown):
        return f"unknown ({look.reading.reason.value}): {look.reading.detail}"
    return show(look.reading.value, look.reference.rule.unit)


def expected(look: Look, products: Iterable[Product]) -> str:
    """Write what the claimed products give."""
    texts = {_expected(look, product) for product in products}
    return show_set(text for text in texts if text) or "no data"


def _expected(look: Look, product: Product) -> str:
    unit = look.reference.rule.unit
    if isinstance(look.reference.listed, Attribute):
        listing = product.listing(look.reference.listed)
        return "" if isinstance(listing, NoData) else show_set(listing.values)
    value: Expected | None = look.reference.expected.get(product.id)
    match value:
        case Band(low=low, high=high):
            return show_band(low, high, unit)
        case OneOf(allowed=allowed):
            return show_set(allowed)
        case PeerBand(floor=floor, ceiling=ceiling):
            return show_band(floor, ceiling, unit)
        case _:
            return ""


def _focus(examination: Examination, claim: Claim) -> tuple[Product, ...]:
    """Return the claimed products that the required identity leaves, or all of them where it leaves none."""
    left = tuple(product for product in claim.products if product.id in examination.candidates)
    return left or claim.products


def _has_reference(look: Look, product: Product) -> bool:
    if isinstance(look.reference.listed, Attribute):
        return not isinstance(product.listing(look.reference.listed), NoData)
    return product.id in look.reference.expected


def _reason(examination: Examination, claim: Claim) -> str:
    focus = _focus(examination, claim)
    if examination.verdict is Verdict.CONFIRMED:
        return f"fits {show_set(product.id for product in focus)}"
    required = [examination.looks[place] for place in sorted(claim.required_rules)]
    if examination.verdict is Verdict.REFUTED:
        return _why_refuted(examination, claim, required)
    return _why_open(examination, claim, required, focus)


def _why_refuted(examination: Examination, claim: Claim, required: list[Look]) -> str:
    """Name the rule that excludes every claimed product, or those that do so between them."""
    against = next((look for look in required if claim.claimed <= look.division.excluded), None)
    if against is not None:
        fits = show_set(examination.candidates) if examination.candidates else "no product of the catalogue"
        return f"{_compared(against, claim.products)}; fits {fits}"
    left = _focus(examination, claim)
    ids = frozenset(product.id for product in left)
    telling = next((look for look in required if ids <= look.division.excluded), None)
    if telling is not None and ids < claim.claimed:
        return f"{_compared(telling, left)}, although it reports to be {show_set(ids)}"
    between = [look for look in required if look.division.excluded & claim.claimed]
    said = "; ".join(f"{look.reference.rule.slug}: {observed(look)}" for look in between[:3])
    return f"what it says of itself fits no claimed product as a whole: {said}"


def _compared(look: Look, products: Iterable[Product]) -> str:
    return f"{look.reference.rule.slug}: {observed(look)}, expected {expected(look, products)}"


def _why_open(examination: Examination, claim: Claim, required: list[Look], focus: tuple[Product, ...]) -> str:
    """Name the first thing that keeps the device from being confirmed."""
    ids = frozenset(product.id for product in focus)
    short = [look for look in required if look.known and look.division.blocked & ids == ids]
    delivering = [
        look for look in short if look.reference.rule.effect is Effect.SHORTFALL or look.reference.rule.reads[0] == PEER
    ]
    if delivering:
        look = delivering[0]
        return f"under-delivering: {_compared(look, focus)}"
    missing = _missing(examination, claim)
    if missing:
        return missing
    if short:
        look = short[0]
        return f"{look.reference.rule.slug}: {observed(look)} is not in the catalogue, expected {expected(look, focus)}"
    others = examination.candidates - claim.claimed
    return f"not told apart from {show_set(others)}" if others else "what it reports and what it reaches fit different products"


def _missing(examination: Examination, claim: Claim) -> str:
    for name in claim.required_readings():
        reading = examination.case.reading(name)
        if isinstance(reading, Unknown):
            return f"{name} unknown ({reading.reason.value}): {reading.detail}"
    return ""


def _text(reading: Reading[str]) -> str:
    return show(reading.value, Unit.TEXT) if isinstance(reading, Known) else f"unknown ({reading.reason.value})"
