"""What the registry tells: the history of a device, what has drifted, and how much of a period was looked at."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

from pydantic import Field
from sqlalchemy import or_, select

from gpuaudit.appraisal.result import Verdict
from gpuaudit.clock import rfc3339
from gpuaudit.evidence.record import entry
from gpuaudit.evidence.toml_file import load_toml
from gpuaudit.registry.schema import APPRAISED, DEVICE, EVIDENCE, MEASUREMENT, RESULT
from gpuaudit.registry.store import Registry

if TYPE_CHECKING:
    import pandas as pd

_FILE: Final = "drift.toml"
_IDENTITY: Final = ("uuid", "serial", "name", "pci_device_id", "vbios_version", "memory_total_bytes", "host_name", "bus_id")


@entry
class _Citation:
    kind: str
    source: str
    note: str


@entry
class DriftThresholds:
    """From when on a device has drifted, relative to the median of its own earlier audits."""

    schema: Literal[1]
    fraction: Annotated[float, Field(gt=0, lt=1)]
    cited: tuple[_Citation, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """How much of a period confirmed audits looked at.

    `seconds` is the union of their times. `gaps` holds, longest first, when nothing was looked at; the whole period where there was no
    audit.
    """

    tender: str
    begin: str
    end: str
    audits: int
    seconds: float
    share: float
    gaps: pd.DataFrame


def history(registry: Registry, device: str) -> pd.DataFrame:
    """Return every audit that showed a device, by UUID or serial number, oldest first, with what was measured and said."""
    import pandas as pd  # noqa: PLC0415 - a second, and only these tables need it

    wanted = or_(DEVICE.c.uuid == device, DEVICE.c.serial == device)
    seen = pd.DataFrame(registry.rows(_devices().where(wanted)))
    if seen.empty:
        return seen
    taken = pd.DataFrame(
        registry.rows(select(MEASUREMENT).where(MEASUREMENT.c.uuid.in_(sorted(set(seen["uuid"]))))),
        columns=["payload_sha256", "uuid", "quantity", "value"],
    )
    wide = taken.pivot_table(index=["payload_sha256", "uuid"], columns="quantity", values="value").reset_index()
    said = pd.DataFrame(registry.rows(_verdicts()), columns=["file_sha256", "verdicts"])
    verdicts = said.groupby("file_sha256")["verdicts"].agg("; ".join).reset_index()
    joined = seen.merge(wide, on=["payload_sha256", "uuid"], how="left").merge(verdicts, on="file_sha256", how="left")
    joined["verdicts"] = joined["verdicts"].fillna("")
    return joined.sort_values(["started_at", "payload_sha256", "place"]).reset_index(drop=True)


def drift(registry: Registry) -> pd.DataFrame:
    """Return what differs in each device's newest audit from its own earlier ones.

    A quantity that moved by more than the threshold from the median of earlier audits, and an identity that changed: a new VBIOS, another
    name under the same UUID, another UUID under the same serial number.
    """
    import pandas as pd  # noqa: PLC0415 - as in `history`

    seen = pd.DataFrame(registry.rows(_devices()), columns=_DEVICE_COLUMNS)
    taken = pd.DataFrame(registry.rows(select(MEASUREMENT)), columns=["payload_sha256", "uuid", "quantity", "value"])
    found = [*_moved(taken.merge(seen, on=["payload_sha256", "uuid"])), *_changed(seen)]
    columns = ["device", "what", "before", "now", "change", "since"]
    return pd.DataFrame(found, columns=columns).sort_values(["device", "what", "now"]).reset_index(drop=True)


def coverage(registry: Registry, tender: str, begin: datetime, end: datetime) -> Coverage:
    """Work out how much of the time from `begin` to `end` was looked at by audits that confirmed the tender.

    Audits of what was not confirmed, and simulations that nobody accepted, cover nothing. An audit says nothing of the time around it:
    a plan of random audits does, by chance.
    """
    import pandas as pd  # noqa: PLC0415 - as in `history`

    query = (
        select(EVIDENCE.c.started_at, EVIDENCE.c.finished_at)
        .join(APPRAISED, APPRAISED.c.evidence_file_sha256 == EVIDENCE.c.file_sha256)
        .join(RESULT, RESULT.c.payload_sha256 == APPRAISED.c.result_sha256)
        .where(RESULT.c.tender == tender, RESULT.c.verdict == Verdict.CONFIRMED.value, RESULT.c.accepted)
        .distinct()
    )
    spans = sorted(
        (max(datetime.fromisoformat(row["started_at"]), begin), min(datetime.fromisoformat(row["finished_at"]), end))
        for row in registry.rows(query)
    )
    inside = [(start, stop) for start, stop in spans if start <= stop]
    gaps, seconds, reached = [], 0.0, begin
    for start, stop in inside:
        if start > reached:
            gaps.append((reached, start))
        seconds += max(0.0, (stop - max(start, reached)).total_seconds())
        reached = max(reached, stop)
    if reached < end:
        gaps.append((reached, end))
    table = pd.DataFrame(
        [(rfc3339(first), rfc3339(last), (last - first).total_seconds() / 3600) for first, last in gaps],
        columns=["from", "to", "hours"],
    )
    return Coverage(
        tender=tender,
        begin=rfc3339(begin),
        end=rfc3339(end),
        audits=len(inside),
        seconds=seconds,
        share=seconds / (end - begin).total_seconds(),
        gaps=table.sort_values("hours", ascending=False, kind="stable").reset_index(drop=True),
    )


@cache
def load_drift_thresholds() -> DriftThresholds:
    """Read the thresholds that come with gpuaudit."""
    data = resources.files("gpuaudit.registry").joinpath(_FILE).read_bytes()
    return load_toml(DriftThresholds, data, place=_FILE)


_DEVICE_COLUMNS: Final = [
    "started_at",
    "finished_at",
    "payload_sha256",
    "file_sha256",
    "file_name",
    "origin",
    "place",
    *_IDENTITY,
]


def _devices() -> Any:
    named = {**{column.name: column for column in EVIDENCE.columns}, **{column.name: column for column in DEVICE.columns}}
    return select(*(named[name] for name in _DEVICE_COLUMNS)).join(
        EVIDENCE, EVIDENCE.c.payload_sha256 == DEVICE.c.payload_sha256
    )


def _verdicts() -> Any:
    said = (RESULT.c.tender + " " + RESULT.c.verdict).label("verdicts")
    return (
        select(APPRAISED.c.evidence_file_sha256.label("file_sha256"), said)
        .join(RESULT, RESULT.c.payload_sha256 == APPRAISED.c.result_sha256)
        .order_by(RESULT.c.appraised_at, RESULT.c.payload_sha256)
    )


def _moved(taken: pd.DataFrame) -> list[tuple[Any, ...]]:
    limit = load_drift_thresholds().fraction
    found: list[tuple[Any, ...]] = []
    for (uuid, quantity), runs in taken.groupby(["uuid", "quantity"]):
        ordered = runs.sort_values(["started_at", "payload_sha256"])
        if len(ordered) < 2:
            continue
        before, now = float(ordered["value"].iloc[:-1].median()), float(ordered["value"].iloc[-1])
        if before > 0 and abs(now / before - 1) > limit:
            since = ordered["started_at"].iloc[-2]
            found.append((uuid, quantity, f"{before:.6g}", f"{now:.6g}", round(now / before - 1, 4), since))
    return found


def _changed(seen: pd.DataFrame) -> list[tuple[Any, ...]]:
    found: list[tuple[Any, ...]] = []
    for key in ("uuid", "serial"):
        for device, audits in seen[seen[key] != ""].groupby(key):
            ordered = audits.sort_values(["started_at", "payload_sha256", "place"])
            for what in _compared(key):
                known = ordered[ordered[what].notna() & (ordered[what].astype(str) != "")]
                if len(known) > 1 and known[what].iloc[-1] != known[what].iloc[-2]:
                    before, now = known[what].iloc[-2], known[what].iloc[-1]
                    found.append((device, what, str(before), str(now), float("nan"), known["started_at"].iloc[-2]))
    return found


def _compared(key: str) -> tuple[str, ...]:
    """Name what is compared under a UUID; under a serial number only the UUID, or every change would be told twice."""
    return tuple(name for name in _IDENTITY if name != key) if key == "uuid" else ("uuid",)
