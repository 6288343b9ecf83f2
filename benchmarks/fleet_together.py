"""What a round proves in which honest servers of eight answer together, and what it takes of the verifier.

Run: python benchmarks/fleet_together.py. Writes results/fleet-together.md. Nothing is timed: servers answer at the pace that sizing expects of
genuine cards, each begins and ends a little later than the one before, and the floors follow by `gpuaudit.fleet.simultaneity`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gpuaudit.catalogue.compiled import load_catalogue
from gpuaudit.challenge.assumption import load_assumptions
from gpuaudit.challenge.figures import require_figures
from gpuaudit.challenge.floors import assumed_of
from gpuaudit.challenge.messages import most_opened_bytes
from gpuaudit.challenge.sizing import Wish, expect, size_challenge
from gpuaudit.challenge.stopwatch import NANOSECONDS
from gpuaudit.clock import WallClock, rfc3339
from gpuaudit.fleet.simultaneity import Answer, Pool, Window, simultaneity_of
from gpuaudit.units import Seconds

RESULTS = Path(__file__).resolve().parent.parent / "results" / "fleet-together.md"
PRODUCTS = ("a100-sxm4-80gb", "h100-sxm5-80gb", "h200-sxm")
SERVERS = (119, 500)
SLOTS = 8
FILL_SECONDS, RUNG = 10.0, 95
# The last of all servers begins and ends so much later than the first: a guess, not a measurement.
SPREAD_SECONDS = 0.5
PAUSE_SECONDS = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One fleet and what it comes to."""

    product: str
    servers: int
    pool: Pool
    opened_bytes: int
    check_seconds: float


def main() -> None:
    """Reckon, print and write the table."""
    text = _table([_row(product, servers) for product in PRODUCTS for servers in SERVERS])
    RESULTS.write_text(text)
    print(text)


def _row(product: str, servers: int) -> Row:
    assumptions = load_assumptions().assumptions
    figures = require_figures(load_catalogue().product(product), assumptions)
    round_trip = Seconds(assumptions.walk.round_trip_seconds)
    sizes = size_challenge(
        figures, Wish(slots=SLOTS, seconds=Seconds(FILL_SECONDS), rung=RUNG, round_trip=round_trip), assumptions
    )
    expected = expect(sizes, figures, assumptions)
    assumed = assumed_of(figures, alpha=assumptions.samples.alpha, attempts=1)
    answers = [
        Answer(
            node=f"node-{number}",
            sizes=sizes,
            assumed=assumed,
            fill=_window(late := SPREAD_SECONDS * number / servers, expected.fill),
            walk=_window(expected.fill + SPREAD_SECONDS + PAUSE_SECONDS + late, expected.walk),
        )
        for number in range(servers)
    ]
    found = simultaneity_of(answers, seeds=servers, lookup_ceiling=figures.bandwidth * assumptions.ceiling.margin)
    return Row(
        product=product,
        servers=servers,
        pool=found.pools[0],
        opened_bytes=servers * most_opened_bytes(sizes),
        check_seconds=servers * expected.check,
    )


def _window(began: float, seconds: float) -> Window:
    return Window(began_nanoseconds=round(began * NANOSECONDS), ended_nanoseconds=round((began + seconds) * NANOSECONDS))


def _table(rows: list[Row]) -> str:
    lines = [
        "# What servers prove that answer together",
        "",
        f"Command: `python benchmarks/fleet_together.py`, {rfc3339(WallClock().now())}",
        "Nothing was timed: a calculation from the sizes, at the pace that sizing expects of genuine cards; it was run on no GPU.",
        f"Servers of {SLOTS}, a fill of {FILL_SECONDS:g} s, {RUNG} % of the memory, the last server {SPREAD_SECONDS:g} s behind the first.",
        "",
        "| product | servers | cards | cards shown at least | machines shown at least | held at one moment | opened, in the verifier's memory "
        "| checking, numpy on two cores |",
        "|---|---|---|---|---|---|---|---|",
    ]
    lines += [
        f"| {row.product} | {row.servers} | {row.servers * SLOTS:,} | {row.pool.cards:,} | {row.pool.machines} "
        f"| {row.pool.held_bytes / 1e12:.1f} TB | {row.opened_bytes / 1e9:.1f} GB | {row.check_seconds / 3600:.0f} h |"
        for row in rows
    ]
    lines += [
        "",
        "Cards are counted by arithmetic and lookups against the ceilings of the claimed product: genuine cards stay below their ceilings, so",
        "a part is not shown. Between machines, unlike between the slots of one, turns are not excluded: SOUNDNESS.md says why. Checking",
        "is by the rate assumed of numpy; what torch takes is in challenge-cost.md. Nobody waits for it: the machines are done before.",
        "",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
