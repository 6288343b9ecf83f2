"""From readings to a verdict on one device: what excludes whom, and what that leaves of the claim.

The law that withholding never helps holds here by construction. A claimed product can carry a confirmation only through its own
required readings: all of them known, none of them against it, and everybody else excluded by those same readings. Leaving a
required reading out removes that product; leaving any other out changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from gpuaudit.appraisal.case import DeviceCase
from gpuaudit.appraisal.claim import OWN_BASES, Claim, Demand, DemandGroup
from gpuaudit.appraisal.policy import Policy
from gpuaudit.appraisal.reference import NOBODY, UNDIVIDED, Division, Products, RuleReference, Yardstick
from gpuaudit.appraisal.result import Basis, ByBasis, Verdict
from gpuaudit.catalogue.model import Attribute
from gpuaudit.evidence.reading import Known, Reading


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One rule looked at one device: what was read, and how it divides the catalogue (not at all, if unknown).

    `peers_needed` is how many peers the claim needs: a rule on them expects more of eight cards than of two.
    """

    reference: RuleReference
    reading: Reading[Any]
    division: Division
    peers_needed: int

    @property
    def known(self) -> bool:
        """Whether there was a value to compare."""
        return isinstance(self.reading, Known)


@dataclass(frozen=True, slots=True, kw_only=True)
class Support:
    """What the required readings of one basis say to the products of one group.

    `holding` are the group's products that all readings fit, and none if a reading is unknown or none is required. `excluded` is
    everybody, of the group or not, whom the readings exclude; `out` those of the group whom they exclude and do not fit.
    """

    holding: Products
    excluded: Products
    out: Products


@dataclass(frozen=True, slots=True, kw_only=True)
class _Said:
    """What several rules say together: whom they exclude, and of the claimed products whom they do not fit, and who is both."""

    excluded: Products
    misfits: Products
    out: Products


@dataclass(frozen=True, slots=True, kw_only=True)
class Examination:
    """Everything that was found on one device for one claim. `candidates` are who is left by required identity readings."""

    case: DeviceCase
    looks: tuple[Look, ...]
    candidates: Products
    by_basis: ByBasis
    verdict: Verdict
    excluded_by_measurement: Products


def examine(case: DeviceCase, claim: Claim, yardstick: Yardstick, policy: Policy) -> Examination:
    """Look at one device with every rule and fold what they say for the claim."""
    peers_needed = max(1, claim.peers_needed)
    looks = tuple(_look(case, reference, yardstick, peers_needed) for reference in yardstick.references)
    known = frozenset(name for name in claim.required_readings if isinstance(case.reading(name), Known))
    said = {rules: _said([looks[place].division for place in rules], claim.claimed) for rules in claim.rule_sets}
    supports = [
        (group, {basis: _support(group, demand, said[demand.rules], known) for basis, demand in group.demands.items()})
        for group in claim.groups
    ]
    settle = _as_it_is if _is_catalogued(looks) else _never_refuted
    by_basis = ByBasis(
        reported=settle(_verdict([bases[Basis.REPORTED] for _, bases in supports], claim, claim.others)),
        measured=settle(_verdict([bases[Basis.MEASURED] for _, bases in supports], claim, claim.lesser)),
        challenged=Verdict.INCONCLUSIVE,
        endorsed=Verdict.INCONCLUSIVE,
    )
    measured = [bases[Basis.MEASURED].excluded for _, bases in supports if bases[Basis.MEASURED].holding]
    return Examination(
        case=case,
        looks=looks,
        candidates=yardstick.everyone - NOBODY.union(*(bases[Basis.REPORTED].excluded for _, bases in supports)),
        by_basis=by_basis,
        verdict=settle(_overall(supports, claim, policy)),
        excluded_by_measurement=frozenset.intersection(*measured) if measured else NOBODY,
    )


def _is_catalogued(looks: Sequence[Look]) -> bool:
    """Whether the device id, where it was read, is one that the catalogue lists for somebody.

    A board that the catalogue has never seen may be a genuine one of the claimed family: its other readings are then no proof of
    anything else.
    """
    return all(look.division.fits for look in looks if look.reference.listed is Attribute.PCI_DEVICE_IDS and look.known)


def _as_it_is(verdict: Verdict) -> Verdict:
    return verdict


def _never_refuted(verdict: Verdict) -> Verdict:
    return Verdict.INCONCLUSIVE if verdict is Verdict.REFUTED else verdict


def _look(case: DeviceCase, reference: RuleReference, yardstick: Yardstick, peers_needed: int) -> Look:
    reading = case.compared(reference.rule.reads)
    division = UNDIVIDED
    if isinstance(reading, Known):
        runs = case.runs.get(reference.rule.reads[0], ()) if len(reference.rule.reads) == 1 else ()
        if len(runs) > 1:
            division = reference.divide_runs(runs, yardstick.index)
        else:
            division = reference.divide(reading.value, yardstick.index, peers_needed=peers_needed)
    return Look(reference=reference, reading=reading, division=division, peers_needed=peers_needed)


def _said(divisions: Sequence[Division], claimed: Products) -> _Said:
    """Put together what some rules say; several products often require the same ones."""
    misfits = [claimed & division.misfits for division in divisions]
    return _Said(
        excluded=NOBODY.union(*[division.excluded for division in divisions]),
        misfits=NOBODY.union(*misfits),
        out=NOBODY.union(*[own & division.excluded for own, division in zip(misfits, divisions, strict=True)]),
    )


def _support(group: DemandGroup, demand: Demand, said: _Said, known_readings: frozenset[str]) -> Support:
    known = bool(demand.readings) and known_readings.issuperset(demand.readings)
    return Support(
        holding=(group.products & demand.provable) - said.misfits if known else NOBODY,
        excluded=said.excluded,
        out=group.products & said.out,
    )


def _verdict(supports: Sequence[Support], claim: Claim, others: Products) -> Verdict:
    """Fold one basis: confirmed if a product holds and all `others` are excluded with it, refuted if no claimed one is left."""
    if any(support.holding and others <= support.excluded for support in supports):
        return Verdict.CONFIRMED
    out = NOBODY.union(*(support.out for support in supports))
    return Verdict.REFUTED if supports and claim.claimed <= out else Verdict.INCONCLUSIVE


def _overall(supports: Sequence[tuple[DemandGroup, Mapping[Basis, Support]]], claim: Claim, policy: Policy) -> Verdict:
    """Fold the bases as the policy says.

    Confirmed if one product carries all the bases that confirm. Refuted if each claimed product is excluded by its required
    readings of some basis that counts: one basis may exclude all, or two may contradict each other.
    """
    if any(_carries(bases, claim, policy) for _, bases in supports):
        return Verdict.CONFIRMED
    counting = [basis for basis in OWN_BASES if basis in policy.refutes]
    out = NOBODY.union(*(bases[basis].out for _, bases in supports for basis in counting))
    return Verdict.REFUTED if supports and claim.claimed <= out else Verdict.INCONCLUSIVE


def _carries(bases: Mapping[Basis, Support], claim: Claim, policy: Policy) -> bool:
    if not policy.confirms or not all(basis in bases for basis in policy.confirms):
        return False
    carrying = [bases[basis] for basis in policy.confirms]
    if not frozenset.intersection(*(support.holding for support in carrying)):
        return False
    others = claim.others if Basis.REPORTED in policy.confirms else claim.lesser
    return others <= NOBODY.union(*(support.excluded for support in carrying))
