"""The rule that counts: it turns a fold of devices into a finding with both numbers."""

from __future__ import annotations

from typing import Final

from gpuaudit.appraisal.count import Fold, Tally, said
from gpuaudit.appraisal.result import Basis, Effect, Finding, Outcome, Verdict
from gpuaudit.tender.model import HardwareLine, Unsaid

COUNT: Final = "count"
_OUTCOMES: Final = {
    Verdict.CONFIRMED: Outcome.SATISFIED,
    Verdict.REFUTED: Outcome.CONTRADICTED,
    Verdict.INCONCLUSIVE: Outcome.UNDETERMINED,
    Verdict.OUT_OF_SCOPE: Outcome.NOT_APPLICABLE,
}


def as_many_devices_as_claimed_are_confirmed(line: HardwareLine, counted: Tally, overall: Fold) -> Finding:
    """As many distinct whole devices as the line claims are confirmed.

    Looks at: the verdict on each device that NVML lists, devices with one UUID or one bus id counted once, the number of GPUs on the
    PCI bus, and the numbers in the line.
    Catches: seven cards for eight, eight cards of which four are A800, one card listed eight times.
    Does not catch: cards that are there today only: several audits at unannounced times do. One card behind eight invented UUIDs and
    bus ids is left to the measurements, which all cards take at once. Confirmed are too few: the line is inconclusive. It is refuted
    only where so many are refuted or absent that the undetermined ones cannot make up the number, and NVML and the PCI bus were both
    read and agree; a throttled or shared card is undetermined, not refuted. A container that is given four of eight cards shows
    eight on the bus: inconclusive. A virtual machine that is given four holds four. More cards than claimed never hurt: if they did,
    hiding some would help.
    Numbers from: the tender.
    Checked on: the table of expected verdicts, one machine each.
    """
    wanted = line.per_server if isinstance(line.total, Unsaid) else line.total
    return Finding(
        rule=COUNT,
        outcome=_OUTCOMES[overall.verdict],
        effect=Effect.IDENTITY,
        basis=Basis.REPORTED,
        required=True,
        subject="this machine",
        observed=f"{counted.good} confirmed, {counted.open} undetermined, {counted.bad} refuted of {counted.seen} devices",
        expected=f"{said(wanted)} {line.product.named}",
        excluded=(),
    )
