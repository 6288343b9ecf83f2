"""Exit statuses: a script can tell a verdict from a mistake, and both from a broken tool."""

from __future__ import annotations

from enum import IntEnum
from typing import Final


class Exit(IntEnum):
    """What the exit status of every command means.

    Python exits 1 on an uncaught exception, so no verdict may use 1. Names of verdicts are those of
    `gpuaudit.appraisal.result.Verdict`; `DONE` is for commands that give none.
    """

    CONFIRMED = 0
    DONE = 0
    FAULT = 1
    USAGE = 2
    NOT_AUTHENTIC = 3
    MACHINE = 4
    REFUTED = 10
    INCONCLUSIVE = 11
    OUT_OF_SCOPE = 12
    SIMULATED = 13
    INTERRUPTED = 130


MEANINGS: Final[dict[Exit, str]] = {
    Exit.CONFIRMED: "confirmed; or done, for a command that gives no verdict",
    Exit.REFUTED: "refuted",
    Exit.INCONCLUSIVE: "inconclusive",
    Exit.OUT_OF_SCOPE: "out of scope: nothing in the tender is about hardware",
    Exit.SIMULATED: "confirmed, but simulated, and `--allow-simulated` was not given",
    Exit.USAGE: "wrong usage: an option, a file or a value that cannot be",
    Exit.NOT_AUTHENTIC: "not authentic: a sealed file was changed, or no trusted key signed it",
    Exit.MACHINE: "the machine's fault: disk full, folder unwritable, key open to others",
    Exit.INTERRUPTED: "interrupted with Ctrl-C",
    Exit.FAULT: "a fault in gpuaudit; never a verdict",
}
"""In the order in which a reader wants them."""
