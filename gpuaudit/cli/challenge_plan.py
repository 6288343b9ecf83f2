"""What a challenge would be, before anybody is bothered with it."""

from __future__ import annotations

from typing import Any

from gpuaudit.challenge.conclude import expected_floors, rivals_of
from gpuaudit.challenge.floors import assumed_of
from gpuaudit.challenge.sizing import expect
from gpuaudit.challenge.target import Target
from gpuaudit.cli.challenging import Footing, Wanted, sizes_of
from gpuaudit.units import Seconds


def planned(target: Target, wanted: Wanted, footing: Footing) -> dict[str, Any]:
    """Work out sizes, times, floors of an honest machine, and who would remain; plain values, for text and JSON."""
    assumptions = footing.assumptions
    sizes = sizes_of(target, wanted, max(1, target.slots), footing)
    expected = expect(sizes, target.figures, assumptions)
    assumed = assumed_of(target.figures, alpha=assumptions.samples.alpha, attempts=1)
    round_trip = Seconds(assumptions.walk.round_trip_seconds)
    floors = expected_floors(sizes, assumed, fill=expected.fill, walk=expected.walk, round_trip=round_trip)
    rivals = rivals_of(floors, sizes, target.claimed, footing.catalogue, assumptions)
    return {
        "product": target.figures.product,
        "claimed": sorted(target.claimed),
        "slots": sizes.slots,
        "memoryBytesPerSlot": sizes.memory_bytes,
        "rows": sizes.rows,
        "steps": sizes.steps,
        "epochs": sizes.epochs,
        "lookedUpBytesPerSlot": sizes.walk_bytes,
        "fillSeconds": round(expected.fill, 2),
        "walkSeconds": round(expected.walk, 2),
        "checkSeconds": round(expected.check, 1),
        "alpha": assumed.alpha,
        "operationsPerSecond": floors.operations_per_second,
        "residentBytes": int(floors.resident_bytes),
        "lookupBytesPerSecondPerSlot": float(floors.lookup_bytes_per_second),
        "cards": floors.cards,
        "remaining": [{"product": one.product, "cardsPerSlot": one.cards} for one in rivals if one.cards],
        "noData": sorted(one.product for one in rivals if not one.cards),
    }


def plan_as_text(plan: dict[str, Any]) -> str:
    """Write a plan for people."""
    remaining = ", ".join(
        one["product"] if one["cardsPerSlot"] == 1 else f"{one['cardsPerSlot']} x {one['product']} per slot"
        for one in plan["remaining"]
    )
    return "\n".join(
        [
            f"Challenge for {plan['slots']} x {plan['product']}",
            f"  memory per slot    {plan['memoryBytesPerSlot'] / 1e9:.4g} GB in {plan['rows']} rows, {plan['steps']} steps",
            f"  looked up per slot {plan['lookedUpBytesPerSlot'] / 1e12:.3g} TB in {plan['epochs']} epochs",
            f"  expected           fill {plan['fillSeconds']:.1f} s, walk {plan['walkSeconds']:.1f} s; "
            f"check {plan['checkSeconds']:.0f} s on two cores",
            "An honest machine is expected to show at least",
            f"  {plan['operationsPerSecond'] / 2e12:,.0f} x 10^12 exact 8-bit multiply-adds a second, all devices together",
            f"  {plan['residentBytes'] / 1e9:.4g} GB in memory, looked up at {plan['lookupBytesPerSecondPerSlot'] / 1e12:.3g} TB/s per slot",
            f"  {plan['cards']} cards by capacity",
            f"Could give the same answer: {remaining or 'nothing that the catalogue has figures of'}",
            "Not excluded: fewer and larger cards, cards that help with the arithmetic, a relay to machines elsewhere",
            f"No figures: {len(plan['noData'])} products (shares of cards among them)",
        ]
    )
