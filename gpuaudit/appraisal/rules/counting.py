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

    Looks at: the verdicts on all devices of the machine, one card counted once, and the numbers in the line.
    Catches: seven cards for eight, four A800 among eight A100, one card listed eight times.
    Does not catch: cards that are there today only. A surplus is noted and never hurts, or hiding it would help. Too few refute only
    where NVML and the PCI bus were both read and agree; else some may have been out of sight.
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
