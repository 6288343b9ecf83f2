"""The law: whatever is left out of the evidence, no verdict becomes `confirmed` that was not."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import fields, is_dataclass, replace
from typing import Any

from gpuaudit.appraisal.count import tally
from gpuaudit.appraisal.eliminate import Examination
from gpuaudit.appraisal.reference import Yardstick
from gpuaudit.appraisal.result import Verdict
from gpuaudit.evidence.bundle import EvidenceBundle
from gpuaudit.evidence.measurement import Measurement, PeerTask
from gpuaudit.evidence.reading import Known, Reason, Source, Unknown
from gpuaudit.units import Seconds
from tests.appraisal.claims import examined
from tests.appraisal.machines import bundle, device, machine, measurements, with_device

EXAMPLES = 20_000
CLAIMS = ("A100", "H100", "a100-sxm4-80gb", "A800", "H200", "T4")
GENUINE = {
    "A100": ("a100-sxm4-80gb", "a100-sxm4-40gb", "a100-pcie-80gb", "a100-pcie-40gb"),
    "H100": ("h100-sxm5-80gb", "h100-pcie-80gb"),
    "a100-sxm4-80gb": ("a100-sxm4-80gb",),
    "A800": ("a800-sxm4-80gb",),
    "H200": ("h200-sxm",),
    "T4": ("t4",),
}
STRANGERS = ("a800-sxm4-80gb", "h800-sxm5", "t4", "rtx-4090", "a100-sxm4-40gb", "h100-sxm5-80gb", "cmp-170hx-10gb", "h20-96gb")
LEFT_OUT = Unknown(reason=Reason.NOT_FOUND, source=Source.NVML, detail="left out")


def verdict(evidence: EvidenceBundle, yardstick: Yardstick, named: str, cards: int) -> Verdict:
    """Whether the machine holds so many of the claimed cards."""
    found: tuple[Examination, ...] = examined(evidence, yardstick, named, cards=cards)
    counted = tally("this machine", [(one.case.device, one.verdict) for one in found], evidence)
    if counted.good >= cards:
        return Verdict.CONFIRMED
    return Verdict.REFUTED if counted.all_seen and counted.good + counted.open < cards else Verdict.INCONCLUSIVE


def test_leaving_anything_out_never_confirms(yardstick: Yardstick) -> None:
    chance = random.Random(20261123)
    before = Counter[Verdict]()
    pool = list(_pool(chance, yardstick))
    for number in range(EXAMPLES):
        named, cards, evidence, undropped = pool[number % len(pool)]
        if number < len(pool):
            before[undropped] += 1
        dropped = _drop(evidence, chance)
        if undropped is not Verdict.CONFIRMED:
            assert verdict(dropped, yardstick, named, cards) is not Verdict.CONFIRMED, (number, named)
        elif number % 8 == 0:
            # What was confirmed may stay so or not; looking must not raise.
            verdict(dropped, yardstick, named, cards)
    # A law over evidence that never confirms proves nothing.
    assert before[Verdict.CONFIRMED] >= sum(before.values()) / 3, before
    assert before[Verdict.REFUTED] > 0
    assert before[Verdict.INCONCLUSIVE] > 0


def _pool(chance: random.Random, yardstick: Yardstick, size: int = 1_500) -> Iterator[tuple[str, int, EvidenceBundle, Verdict]]:
    """Machines near genuine ones: honest, slow, renamed, mixed, doubled, with one reading off."""
    for _ in range(size):
        named = chance.choice(CLAIMS)
        cards = chance.choice((1, 1, 2, 3))
        evidence = _machine(chance, yardstick, named, cards)
        yield named, cards, evidence, verdict(evidence, yardstick, named, cards)


def _machine(chance: random.Random, yardstick: Yardstick, named: str, cards: int) -> EvidenceBundle:
    genuine = chance.choice(GENUINE[named])
    stranger = chance.choice(STRANGERS)
    shown = cards + chance.choice((0, 0, 0, 1, -1))
    evidence = machine(yardstick, *[genuine] * max(1, shown), share=chance.choice((1.0, 1.0, chance.uniform(0.3, 1.1))))
    kind = chance.randrange(8)
    if kind == 0:
        return machine(yardstick, *[genuine] * cards, measured_as=stranger)
    if kind == 1:
        return machine(yardstick, *[stranger] * cards, measured_as=genuine)
    if kind == 2:
        return machine(yardstick, *[genuine] * cards, stranger)
    if kind == 3:
        return _off(evidence, chance, yardstick.catalogue.product(stranger))
    if kind == 4 and len(evidence.nvml.devices) > 1:
        twin = evidence.nvml.devices[0].identity.uuid
        return with_device(evidence, 1, identity={"uuid": twin})
    return evidence


def _off(evidence: EvidenceBundle, chance: random.Random, stranger: Any) -> EvidenceBundle:
    """One group of readings is another product's."""
    other = device(stranger, 0)
    name = chance.choice(("identity", "pci", "memory", "partition"))
    group = getattr(other, name)
    if name in ("identity", "pci"):
        own = getattr(evidence.nvml.devices[0], name)
        kept = "uuid" if name == "identity" else "bus_id"
        group = replace(group, **{kept: getattr(own, kept)})
    return with_device(evidence, 0, **{name: group})


def _drop(evidence: EvidenceBundle, chance: random.Random) -> EvidenceBundle:
    """Leave out a random set: readings, measurements, devices, or a whole source."""
    share = chance.choice((0.01, 0.05, 0.3))
    nvml_evidence = _withhold(evidence.nvml, chance, share)
    devices = tuple(one for one in nvml_evidence.devices if chance.random() > share)
    kept = tuple(_weaken(one, chance, share) for one in evidence.measurements if chance.random() > share)
    whole = chance.randrange(12)
    return replace(
        evidence,
        nvml=replace(nvml_evidence, devices=() if whole == 0 else devices),
        kernel=_withhold(evidence.kernel, chance, 1.0 if whole == 1 else share),
        measurements=() if whole == 2 else kept,
    )


def _weaken(one: Measurement, chance: random.Random, share: float) -> Measurement:
    return replace(one, samples=LEFT_OUT) if chance.random() < share else one


def _withhold(value: Any, chance: random.Random, share: float) -> Any:
    """Replace known readings by unknown ones, each with probability `share`, through all groups."""
    if isinstance(value, Known):
        return LEFT_OUT if chance.random() < share else value
    if isinstance(value, tuple):
        return tuple(_withhold(item, chance, share) for item in value)
    if is_dataclass(value) and not isinstance(value, Unknown):
        changed = {field.name: _withhold(getattr(value, field.name), chance, share) for field in fields(value)}
        return replace(value, **changed)  # type: ignore[type-var]
    return value


def test_the_law_is_about_something(yardstick: Yardstick) -> None:
    honest = machine(yardstick, "a100-sxm4-80gb", "a100-sxm4-80gb")
    assert verdict(honest, yardstick, "A100", 2) is Verdict.CONFIRMED
    assert verdict(bundle(honest.nvml.devices), yardstick, "A100", 2) is Verdict.INCONCLUSIVE


def test_a_second_run_gives_nothing_that_leaving_one_out_would_not(yardstick: Yardstick) -> None:
    catalogue = yardstick.catalogue
    card = device(catalogue.product("a100-sxm4-80gb"), 0)
    fast = measurements((card,), (catalogue.product("h100-sxm5-80gb"),), yardstick)
    own = measurements((card,), (catalogue.product("a100-sxm4-80gb"),), yardstick)
    slow = measurements((card,), (catalogue.product("t4"),), yardstick)
    assert verdict(bundle((card,), fast), yardstick, "A100", 1) is not Verdict.CONFIRMED
    assert verdict(bundle((card,), (*fast, *slow)), yardstick, "A100", 1) is not Verdict.CONFIRMED
    for runs in ((*fast, *own), (*own, *fast)):
        assert verdict(bundle((card,), runs), yardstick, "A100", 1) is verdict(bundle((card,), own), yardstick, "A100", 1)


def test_a_device_that_joins_two_others_cannot_be_left_out_to_confirm(yardstick: Yardstick) -> None:
    # The third has the UUID of the first and the bus id of the second: merging all three would make its absence worth something.
    honest = machine(yardstick, *["a100-sxm4-80gb"] * 3)
    first, second, _ = honest.nvml.devices
    joined = with_device(honest, 2, identity={"uuid": first.identity.uuid}, pci={"bus_id": second.pci.bus_id})
    without = replace(joined, nvml=replace(joined.nvml, devices=joined.nvml.devices[:2]))
    assert verdict(without, yardstick, "A100", 2) is Verdict.CONFIRMED
    assert verdict(joined, yardstick, "A100", 2) is Verdict.CONFIRMED


def test_a_slower_peer_cannot_be_left_out_to_shed_a_rival(yardstick: Yardstick) -> None:
    named, cards = "A100", 2
    evidence = machine(yardstick, *["a100-sxm4-80gb"] * 4)
    slowed = tuple(_slow_peer(one) if number % 2 else one for number, one in enumerate(evidence.measurements))
    full = replace(evidence, measurements=slowed)
    bases = [one.by_basis.measured for one in examined(full, yardstick, named, cards=cards)]
    fewer = replace(full, measurements=tuple(one for one in slowed if one not in map(_slow_peer, evidence.measurements)))
    for before, after in zip(bases, examined(fewer, yardstick, named, cards=cards), strict=True):
        assert before is Verdict.CONFIRMED or after.by_basis.measured is not Verdict.CONFIRMED


def _slow_peer(one: Measurement) -> Measurement:
    """The same copy between two cards, at the rate of an A800's links."""
    if not isinstance(one.task, PeerTask) or isinstance(one.samples, Unknown):
        return one
    slow = replace(one.samples.value, seconds=tuple(Seconds(second * 1.4) for second in one.samples.value.seconds))
    return replace(one, samples=replace(one.samples, value=slow))
