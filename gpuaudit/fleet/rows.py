"""The table of a fleet: one row for every file, and for every node of which there is none."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from gpuaudit.appraisal.result import Digest, Verdict
from gpuaudit.fleet.result import FleetRow
from gpuaudit.fleet.standing import node_standing
from gpuaudit.fleet.testimony import NoTestimony, Testimony
from gpuaudit.tender.model import HardwareLine

APPRAISED = "appraised"


def row_of(one: Testimony, lines: Sequence[HardwareLine]) -> FleetRow:
    """Show what one machine's evidence gave."""
    standing = node_standing(one, lines)
    return FleetRow(
        node=one.node,
        file=Digest(name=one.file, sha256=one.sha256),
        state=APPRAISED,
        verdict=standing.verdict,
        # Most rows of a fleet say the same; held once, they are a third as large.
        reason=sys.intern(standing.reason),
        origin=one.origin.value,
        signed_by=one.signed_by,
        host_name=one.host_name,
        devices=sys.intern(", ".join(f"{count} x {name}" for name, count in sorted(one.products.items()))),
        started_at=one.started_at,
        finished_at=one.finished_at,
        notices=one.notices,
    )


def silent_row(one: NoTestimony) -> FleetRow:
    """Show why a file, or a node without one, contributes nothing."""
    return FleetRow(
        node=one.node,
        file=Digest(name=one.file, sha256=""),
        state=one.state,
        verdict=Verdict.INCONCLUSIVE,
        reason=one.reason,
        origin="",
        signed_by=(),
        host_name="",
        devices="",
        started_at="",
        finished_at="",
        notices=(),
    )
