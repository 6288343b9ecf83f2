"""Findings and standings of one device: what each rule saw, in words, and why the device stands where it stands."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from gpuaudit.appraisal.amount import Unit, show, show_band, show_set
from gpuaudit.appraisal.case import PEER
from gpuaudit.appraisal.claim import Claim
from gpuaudit.appraisal.eliminate import Examination, Look
from gpuaudit.appraisal.reference import Products
from gpuaudit.appraisal.result import Basis, DeviceStanding, Effect, Finding, Outcome, Verdict
from gpuaudit.appraisal.rule import Band, Expected, OneOf, PeerBand, RatioFloor
from gpuaudit.catalogue.model import Attribute, NoData, Product
from gpuaudit.evidence.reading import Known, Reading, Unknown

_INFINITE: Final = float("inf")
_TOLD: Final = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What certain claimed products give for one rule: in words, and which of them have a reference value at all.

    Whether a rule applies, or is required, is a function of the claim and the catalogue: what the evidence lacks never makes a rule
    not applicable.
    """

    text: str
    having: Products
    applicable: bool
    required: bool


def device_findings(examination: Examination, claim: Claim) -> tuple[Finding, ...]:
    """Return one finding per rule, whatever it found."""
    subject = examination.case.subject
    return tuple(
        Finding(
            rule=look.reference.rule.slug,
            outcome=_outcome(look, wanted),
            effect=look.reference.rule.effect,
            basis=look.reference.rule.basis,
            required=wanted.required,
            subject=subject,
            observed=observed(look),
            expected=wanted.text,
            excluded=look.division.named,
        )
        for look, wanted in zip(examination.looks, _expectations(examination, claim), strict=True)
    )


def _expectations(examination: Examination, claim: Claim) -> tuple[Expectation, ...]:
    """Return what the products that are still possible give for each rule, worked out once for all devices of which they are."""
    focus = _focus(examination, claim)
    ids = frozenset(product.id for product in focus)
    known: dict[Products, tuple[Expectation, ...]] = claim.words.setdefault("expectations", {})
    if ids not in known:
        known[ids] = tuple(
            Expectation(
                text=expected(look, focus),
                having=ids & look.reference.having,
                applicable=not claim.claimed.isdisjoint(look.reference.having),
                required=place in claim.required_rules,
            )
            for place, look in enumerate(examination.looks)
        )
    return known[ids]


def _outcome(look: Look, wanted: Expectation) -> Outcome:
    """Say what the rule found, of the claimed products that are still possible and have a reference value."""
    if not wanted.applicable:
        return Outcome.NOT_APPLICABLE
    if not look.known:
        return Outcome.UNDETERMINED
    if not wanted.having.isdisjoint(look.division.fits):
        return Outcome.SATISFIED
    against = look.division.excluded
    if look.reference.rule.effect is Effect.SHORTFALL:
        against = against | look.division.blocked
    return Outcome.CONTRADICTED if wanted.having and wanted.having <= against else Outcome.UNDETERMINED


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
        case PeerBand(ceiling=ceiling) as band:
            return show_band(band.floor_for(look.peers_needed), ceiling, unit)
        case RatioFloor(low=low):
            return show_band(low, _INFINITE, unit)
        case _:
            return ""


def _focus(examination: Examination, claim: Claim) -> tuple[Product, ...]:
    """Return the claimed products that the required identity leaves, or all of them where it leaves none."""
    left = tuple(product for product in claim.products if product.id in examination.candidates)
    return left or claim.products


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
        return f"{_compared(against, claim.products)}{_fitting(examination, required)}"
    left = _focus(examination, claim)
    ids = frozenset(product.id for product in left)
    telling = next((look for look in required if ids <= look.division.excluded - look.division.fits), None)
    if telling is not None and ids < claim.claimed:
        return f"{_compared(telling, left)}, although it reports to be {show_set(ids)}"
    between = [look for look in required if look.division.excluded & claim.claimed]
    said = "; ".join(f"{look.reference.rule.slug}: {observed(look)}" for look in between[:_TOLD])
    return f"what it says of itself contradicts itself: {said}"


def _fitting(examination: Examination, required: list[Look]) -> str:
    """Name the products that what was read does fit, leaving out those of which too little is known to say so."""
    positively = [look.division.fits for look in required if look.known and isinstance(look.reference.listed, Attribute)]
    fitting = examination.candidates.intersection(*positively) if positively else frozenset()
    excluded = frozenset().union(*(look.division.excluded for look in required))
    return f"; it fits {show_set(fitting - excluded)}" if fitting - excluded else ""


def _compared(look: Look, products: Iterable[Product]) -> str:
    return f"{look.reference.rule.slug}: {observed(look)}, expected {expected(look, products)}"


def _why_open(examination: Examination, claim: Claim, required: list[Look], focus: tuple[Product, ...]) -> str:
    """Name the first thing that keeps the device from being confirmed."""
    ids = frozenset(product.id for product in focus)
    unlisted = next(
        (look for look in required if look.known and isinstance(look.reference.listed, Attribute) and not look.division.fits),
        None,
    )
    if unlisted is not None:
        return f"{unlisted.reference.rule.slug}: {observed(unlisted)} is listed for no product of the catalogue"
    short = [look for look in required if look.known and ids & look.reference.having and not look.division.fits & ids]
    missing = _missing(examination, claim)
    if not short and missing:
        return missing
    if not short:
        return _why_nothing_falls_short(examination, claim, ids)
    # What falls short tells more than what is reported.
    look = next((one for one in short if one.reference.rule.basis is Basis.MEASURED), short[0])
    told = _compared(look, focus)
    if look.reference.rule.reads[0] == PEER and len(examination.case.peers) < claim.peers_needed:
        return f"{told} of {claim.peers_needed} peers"
    return f"under-delivering: {told}" if look.reference.rule.basis is Basis.MEASURED else told


def _why_nothing_falls_short(examination: Examination, claim: Claim, ids: Products) -> str:
    """Say what is left where all that was read fits a claimed product."""
    others = examination.candidates - claim.claimed
    if others:
        return f"not told apart from {show_set(others)}"
    if examination.by_basis.reported is not Verdict.CONFIRMED:
        return "what it reports fits no single claimed product"
    provable = frozenset().union(*(group.demands[Basis.MEASURED].provable & group.products for group in claim.groups))
    if not ids & provable:
        return f"the catalogue has no floors for {show_set(ids)}: nothing that it does could bear out the claim"
    return "what it reports and measures fits; this policy asks for more"


def _missing(examination: Examination, claim: Claim) -> str:
    for name in claim.required_readings:
        reading = examination.case.reading(name)
        if isinstance(reading, Unknown):
            return f"{name} unknown ({reading.reason.value}): {reading.detail}"
    return ""


def _text(reading: Reading[str]) -> str:
    return show(reading.value, Unit.TEXT) if isinstance(reading, Known) else f"unknown ({reading.reason.value})"
