"""From attempts to the statement that a verifier signs, and the words in which it is told to people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from gpuaudit import __version__
from gpuaudit.catalogue.model import Catalogue
from gpuaudit.challenge.assumption import Assumptions, LoadedAssumptions
from gpuaudit.challenge.figures import Figures, figures_of
from gpuaudit.challenge.floors import Assumed, Floors, assumed_of, work_floors
from gpuaudit.challenge.messages import DeviceKind
from gpuaudit.challenge.result import (
    Accepted,
    AnsweringHost,
    Attempt,
    ChallengeResult,
    Failed,
    NotProved,
    Place,
    Proved,
    Timed,
    Times,
    basis_of,
    reveals_seed,
)
from gpuaudit.challenge.rivals import Rival, remaining
from gpuaudit.challenge.sizes import Sizes
from gpuaudit.evidence.bundle import Tool
from gpuaudit.units import Bytes, Seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What all attempts of one challenge have in common. `claimed` are the products that would satisfy the claim."""

    place: Place
    device: DeviceKind
    rehearsal: bool
    figures: Figures
    claimed: frozenset[str]
    tender_sha256: str
    verifier: str
    host: AnsweringHost
    sizes: Sizes


def conclude(
    setting: Setting, attempts: Sequence[Attempt], catalogue: Catalogue, assumptions: LoadedAssumptions
) -> ChallengeResult:
    """Put the result together. The last attempt decides; all of them count for the odds."""
    basis, reason = basis_of(setting.place, setting.device, rehearsal=setting.rehearsal)
    counting = sum(1 for attempt in attempts if reveals_seed(attempt.outcome))
    assumed = assumed_of(setting.figures, alpha=assumptions.assumptions.samples.alpha, attempts=max(1, counting))
    return ChallengeResult(
        schema_version=1,
        tool=Tool(name="gpuaudit", version=__version__),
        place=setting.place,
        device=setting.device,
        rehearsal=setting.rehearsal,
        basis=basis,
        basis_reason=reason,
        product=setting.figures.product,
        tender_sha256=setting.tender_sha256,
        verifier=setting.verifier,
        host=setting.host,
        catalogue_version=catalogue.version,
        sizing_sha256=assumptions.sha256,
        sizes=setting.sizes,
        assumed=assumed,
        attempts=tuple(attempts),
        conclusion=_conclusion(setting, attempts[-1], assumed, catalogue, assumptions.assumptions),
    )


def rivals_of(
    floors: Floors, sizes: Sizes, claimed: frozenset[str], catalogue: Catalogue, assumptions: Assumptions
) -> tuple[Rival, ...]:
    """Name everybody of the catalogue, the claimed products aside, who could stand behind every slot."""
    others = (figures_of(product, assumptions) for product in catalogue.products if product.id not in claimed)
    return remaining(
        others,
        resident_bytes_per_slot=floors.resident_bytes / sizes.slots,
        lookup_bytes_per_second=floors.lookup_bytes_per_second,
        most_cards=assumptions.pools.most_cards,
    )


def sentence(result: ChallengeResult) -> str:
    """Tell the conclusion in words for people: what answered, what it did, and what that does not exclude."""
    match result.conclusion:
        case NotProved(reason=reason):
            return f"Nothing is proved: {reason}."
        case Proved(floors=floors):
            return f"{_work(result, floors)} {_memory(result, floors)} {_not_excluded(result)}"


def last_times(result: ChallengeResult) -> Times:
    """Return the times of the accepted attempt.

    Raises:
        ValueError: There is none, or no clock ran.
    """
    match result.attempts[-1].outcome:
        case Accepted(timing=Timed(times=times)):
            return times
        case _:
            raise ValueError("challenge: no timed answer was accepted")


def _conclusion(
    setting: Setting, last: Attempt, assumed: Assumed, catalogue: Catalogue, assumptions: Assumptions
) -> Proved | NotProved:
    match last.outcome:
        case Failed(step=step, reason=reason):
            return NotProved(reason=f"step {step}: {reason}")
        case Accepted(timing=Timed(times=times)) if not setting.rehearsal:
            floors = work_floors(setting.sizes, assumed, fill=times.fill_seconds, walk=times.walk_seconds)
            rivals = rivals_of(floors, setting.sizes, setting.claimed, catalogue, assumptions)
            return Proved(floors=floors, rivals=rivals)
        case Accepted(timing=Timed()):
            return NotProved(reason="a rehearsal was answered and checked; its sizes bound nothing")
        case Accepted():
            return NotProved(reason="the answer holds, but no clock ran: floors need a time")


def _work(result: ChallengeResult, floors: Floors) -> str:
    times = last_times(result)
    return (
        f"From {times.seed_sent_at} on, for {times.fill_seconds:.2f} s on the verifier's clock, {_who(result)} worked out at least "
        f"{floors.operations_per_second / 2e12:,.4g} x 10^12 exact 8-bit multiply-adds a second for {result.sizes.slots} "
        f"{'keys' if result.sizes.slots > 1 else 'key'}."
    )


def _memory(result: ChallengeResult, floors: Floors) -> str:
    times = last_times(result)
    total = result.sizes.slots * result.sizes.memory_bytes
    link = result.assumed.link_bytes_per_second
    less = max(0, floors.cards - 1)
    held = f"; {less} x {result.product} hold {_amount(Bytes(less * result.assumed.physical_bytes))}" if less else ""
    return (
        f"In the next {times.walk_seconds:.2f} s it looked up {_amount(Bytes(result.sizes.slots * result.sizes.walk_bytes))} at "
        f"unpredictable places of {_amount(Bytes(total))}: at least {_amount(floors.resident_bytes)} lay in memory read at "
        f"{floors.lookup_bytes_per_second / 1e12:.3g} TB/s or more per slot, if nothing faster than {link / 1e9:.4g} GB/s per slot "
        f"leads there from elsewhere{held}."
    )


def _not_excluded(result: ChallengeResult) -> str:
    return (
        f"Not excluded: fewer and larger cards, other cards helping with the arithmetic, a relay to machines elsewhere"
        f"{_named(result)}. A chance of {result.assumed.alpha:.2g} remains that more was wrong than this allows for."
    )


def _named(result: ChallengeResult) -> str:
    if isinstance(result.conclusion, NotProved):
        return ""
    named = [f"{rival.title} ({rival.why})" for rival in result.conclusion.rivals if rival.cards]
    return f"; {', '.join(named)}" if named else ""


def _who(result: ChallengeResult) -> str:
    if result.place is Place.LOCAL:
        return "this machine, on its own clock,"
    fingerprint = getattr(result.host, "fingerprint", "")
    return f"whatever answers at host key {fingerprint}" if fingerprint else "whatever answered"


def _amount(amount: Bytes) -> str:
    for unit, factor in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6)):
        if amount >= factor:
            return f"{amount / factor:.4g} {unit}"
    return f"{amount} bytes"


def expected_floors(sizes: Sizes, assumed: Assumed, *, fill: Seconds, walk: Seconds, round_trip: Seconds) -> Floors:
    """Return the floors that an honest machine is expected to get, for a plan."""
    return work_floors(sizes, assumed, fill=Seconds(fill + round_trip), walk=Seconds(walk + round_trip))
