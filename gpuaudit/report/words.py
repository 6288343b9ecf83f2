"""The fixed words that forms put around a result, in one place. Those that belong to it are in `gpuaudit.appraisal.wording`.

The line between the two is the signature. Headline, reasons, notices and coverage are part of the result and sealed with it: a
report shows them as they were signed, by whatever version. What stands here is said of any result, is signed by nobody, and may
be said better by a later version without a verdict changing. A snapshot test holds both for review as one text.
"""

from __future__ import annotations

from typing import Final

from gpuaudit.appraisal.result import Basis
from gpuaudit.evidence.bundle import Origin

STAMPS: Final = {Origin.HARDWARE: "", Origin.SIMULATED: "SIMULATED", Origin.CAPTURE: "CAPTURE"}
HEADS: Final = {
    Origin.HARDWARE: "",
    Origin.SIMULATED: "SIMULATED: this says nothing about any real machine",
    Origin.CAPTURE: "CAPTURE: what somebody says that a machine said",
}
"""Above what is shown of evidence without a verdict."""

SIGNED_ALL_THE_SAME: Final = "{stamp}: signed, and no evidence of any hardware"

RESTS_ON: Final = {
    Basis.REPORTED: "what the machine's own software says",
    Basis.MEASURED: "work that was run and timed on the machine",
    Basis.CHALLENGED: "work that a verifier elsewhere set and timed",
    Basis.ENDORSED: "a statement that somebody else's key signed",
}

NOT_ACCEPTED: Final = "Not accepted: the evidence is {origin}, and no claim about hardware can rest on it."

DOES_NOT_PROVE: Final = (
    "that the machine is honest: who owns its kernel and its clock can forge what it reports and what it measures of itself",
    "anything about another moment than that of the audit",
    "who owns the machine, where it stands, or that nobody else uses it or is audited on it",
    "that the seller is at fault: a verdict is about this machine, and inconclusive means that this evidence cannot tell",
)
"""Of any result; what one result leaves out beside them is its `coverage`."""

SIGNATURE: Final = (
    "A signature proves that these bytes were signed by that key, and nothing else. A key that was made on the audited machine "
    "belongs to whoever owns the machine."
)
UNSIGNED: Final = "nobody: unsigned"
REDACTED: Final = (
    "Redacted: {count} texts that name the machine (UUIDs, serial numbers, bus ids, host names, addresses) are replaced by "
    "salted digests, equal where the texts were equal. The full result has SHA-256 {digest}."
)
