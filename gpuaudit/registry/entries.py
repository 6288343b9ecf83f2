"""From an opened file to the rows that the registry keeps of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from gpuaudit.appraisal.case import device_cases
from gpuaudit.appraisal.result import Digest, Verdict
from gpuaudit.appraisal.threshold import Canonical
from gpuaudit.envelope import Opened, OpenedEvidence
from gpuaudit.evidence.bundle import Origin
from gpuaudit.evidence.codec import load_checked
from gpuaudit.evidence.device import DeviceEvidence
from gpuaudit.evidence.reading import Known, Reading
from gpuaudit.evidence.record import record
from gpuaudit.printable import printable

Row: TypeAlias = Mapping[str, object]

_LONGEST = 400


@record
class RecordedResult:
    """What the result of one machine and that of a fleet have in common, and the registry keeps."""

    verdict: Verdict
    accepted: bool
    headline: str
    origin: Origin
    policy: str
    tender: Digest
    appraised_at: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceEntry:
    """The rows of one file of evidence."""

    evidence: Row
    devices: tuple[Row, ...]
    measurements: tuple[Row, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultEntry:
    """The rows of one result; `appraised` names the files of evidence that it speaks of."""

    result: Row
    appraised: tuple[Row, ...]


def evidence_entry(opened: OpenedEvidence, canonical: Canonical, *, name: str, size: int, added_at: str) -> EvidenceEntry:
    """Take out of evidence what is worth a history. A reading that is not known is an empty text, or no number."""
    bundle = opened.bundle
    digest = opened.envelope.payload_sha256
    cases = device_cases(bundle, canonical)
    rates = {
        (uuid.value, quantity): rate.value
        for case in cases
        if isinstance(uuid := case.device.identity.uuid, Known)
        for quantity, rate in case.rates.items()
        if isinstance(rate, Known)
    }
    return EvidenceEntry(
        evidence={
            "payload_sha256": digest,
            "file_sha256": opened.sha256,
            "file_name": _text(name),
            "size_bytes": size,
            "signed_by": " ".join(opened.keyids),
            "nonce": bundle.nonce,
            "origin": bundle.origin.value,
            "host_name": _known(bundle.host.host_name),
            "started_at": bundle.started_at,
            "finished_at": bundle.finished_at,
            "added_at": added_at,
        },
        devices=tuple(_device(device, place, digest) for place, device in enumerate(bundle.nvml.devices)),
        measurements=tuple(
            {"payload_sha256": digest, "uuid": _text(uuid), "quantity": quantity, "value": value}
            for (uuid, quantity), value in rates.items()
        ),
    )


def result_entry(opened: Opened, *, name: str, added_at: str) -> ResultEntry:
    """Take out of a result what is worth a history.

    Raises:
        AuthenticityError: It is signed, and no result.
    """
    result = load_checked(RecordedResult, opened.predicate, place=opened.place)
    digest = opened.payload_sha256
    # The first subject is the tender's file; every other is a file of evidence.
    files = {subject.sha256 for subject in opened.subjects[1:]}
    return ResultEntry(
        result={
            "payload_sha256": digest,
            "file_sha256": opened.sha256,
            "file_name": _text(name),
            "tender": _text(result.tender.name),
            "tender_sha256": result.tender.sha256,
            "verdict": result.verdict.value,
            "accepted": result.accepted,
            "origin": result.origin.value,
            "policy": _text(result.policy),
            "headline": _text(result.headline),
            "appraised_at": result.appraised_at,
            "added_at": added_at,
        },
        appraised=tuple({"result_sha256": digest, "evidence_file_sha256": file} for file in sorted(files)),
    )


def _device(device: DeviceEvidence, place: int, digest: str) -> Row:
    total = device.memory.total_bytes
    return {
        "payload_sha256": digest,
        "place": place,
        "uuid": _known(device.identity.uuid),
        "serial": _known(device.identity.serial),
        "name": _known(device.identity.name),
        "bus_id": _known(device.pci.bus_id),
        "pci_device_id": _known(device.pci.device_id),
        "vbios_version": _known(device.firmware.vbios_version),
        "memory_total_bytes": _stored(total.value) if isinstance(total, Known) else None,
    }


def _stored(number: int) -> int | None:
    """Return a number that a database can hold: a host may report one of 64 bits without a sign."""
    return number if -(2**63) <= number < 2**63 else None


def _known(reading: Reading[str]) -> str:
    return _text(reading.value) if isinstance(reading, Known) else ""


def _text(text: str) -> str:
    """Make a machine's text fit for a database and a terminal; PostgreSQL takes no NUL."""
    return printable(text[:_LONGEST])
