"""What the registry tells: a device's history, drift, and how much of a period was looked at."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gpuaudit.registry.entries import EvidenceEntry, ResultEntry
from gpuaudit.registry.history import coverage, drift, history
from gpuaudit.registry.store import Registry, open_registry

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    with open_registry(f"sqlite:///{tmp_path / 'history.sqlite'}") as opened:
        yield opened


def audit(number: int, *, copy: float = 1.8e12, hours: float = 0.1, **device: object) -> EvidenceEntry:
    """The audit of one card, on day `number`."""
    digest = f"{number:064x}"
    started = BEGIN + timedelta(days=number)
    return EvidenceEntry(
        evidence={
            "payload_sha256": digest,
            "file_sha256": f"f{digest[1:]}",
            "file_name": f"node-{number:03}.json",
            "size_bytes": 1,
            "signed_by": "key",
            "nonce": digest,
            "origin": "hardware",
            "host_name": device.pop("host_name", "host"),
            "started_at": f"{started:%Y-%m-%dT%H:%M:%SZ}",
            "finished_at": f"{started + timedelta(hours=hours):%Y-%m-%dT%H:%M:%SZ}",
            "added_at": "2026-11-23T12:00:00Z",
        },
        devices=(
            {
                "payload_sha256": digest,
                "place": 0,
                "uuid": "GPU-1",
                "serial": "165",
                "name": "NVIDIA A100-SXM4-80GB",
                "bus_id": "00000000:07:00.0",
                "pci_device_id": "10de:20b2",
                "vbios_version": "92.00.45.00.03",
                "memory_total_bytes": 85_899_345_920,
                **device,
            },
        ),
        measurements=({"payload_sha256": digest, "uuid": device.get("uuid", "GPU-1"), "quantity": "copy", "value": copy},),
    )


def result(number: int, *, verdict: str = "confirmed", accepted: bool = True, tender: str = "sustech-2024") -> ResultEntry:
    digest = f"{number:064x}"
    return ResultEntry(
        result={
            "payload_sha256": f"e{digest[1:]}",
            "file_sha256": f"d{digest[1:]}",
            "file_name": "result.json",
            "tender": tender,
            "tender_sha256": "0" * 64,
            "verdict": verdict,
            "accepted": accepted,
            "origin": "hardware",
            "policy": "standard",
            "headline": "",
            "appraised_at": "2026-11-23T12:00:00Z",
            "added_at": "2026-11-23T12:00:00Z",
        },
        appraised=({"result_sha256": f"e{digest[1:]}", "evidence_file_sha256": f"f{digest[1:]}"},),
    )


def found(registry: Registry) -> list[tuple[Any, ...]]:
    table = drift(registry)
    return list(zip(table["device"], table["what"], table["before"], table["now"], strict=True))


def test_a_device_has_its_audits_in_order_with_what_was_said(registry: Registry) -> None:
    for number in (3, 1, 2):
        registry.add_evidence(audit(number, copy=1e12 + number))
    registry.add_result(result(2))
    for device in ("GPU-1", "165"):
        table = history(registry, device)
        assert list(table["copy"]) == [1e12 + 1, 1e12 + 2, 1e12 + 3]
        assert list(table["verdicts"]) == ["", "sustech-2024 confirmed", ""]
    assert history(registry, "GPU-2").empty


def test_a_device_that_is_as_it_was_has_not_drifted(registry: Registry) -> None:
    for number in range(6):
        registry.add_evidence(audit(number, copy=1.8e12 * (1 + 0.004 * number)))
    assert found(registry) == []


@pytest.mark.parametrize(("copy", "now"), [(1.6e12, "1.6e+12"), (2.1e12, "2.1e+12")], ids=["slower", "faster"])
def test_a_quantity_that_moved_is_named_against_the_median_of_before(copy: float, now: str, registry: Registry) -> None:
    for number in range(5):
        registry.add_evidence(audit(number))
    registry.add_evidence(audit(5, copy=copy))
    assert found(registry) == [("GPU-1", "copy", "1.8e+12", now)]


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        pytest.param(
            {"vbios_version": "92.00.9E.00.01"}, ("GPU-1", "vbios_version", "92.00.45.00.03", "92.00.9E.00.01"), id="vbios"
        ),
        pytest.param({"serial": "166"}, ("GPU-1", "serial", "165", "166"), id="another-card-under-this-uuid"),
        pytest.param({"uuid": "GPU-2"}, ("165", "uuid", "GPU-1", "GPU-2"), id="uuid-changed"),
        pytest.param({"host_name": "elsewhere"}, ("GPU-1", "host_name", "host", "elsewhere"), id="moved"),
        pytest.param(
            {"memory_total_bytes": 42_949_672_960},
            ("GPU-1", "memory_total_bytes", "85899345920.0", "42949672960.0"),
            id="half-the-memory",
        ),
    ],
)
def test_an_identity_that_changed_is_named(change: dict[str, Any], expected: tuple[str, ...], registry: Registry) -> None:
    registry.add_evidence(audit(0))
    registry.add_evidence(audit(1, **change))
    rows = [tuple(str(cell).removesuffix(".0") for cell in row) for row in found(registry)]
    assert tuple(cell.removesuffix(".0") for cell in expected) in rows
    assert len(rows) == 1


def test_what_could_not_be_read_has_not_changed(registry: Registry) -> None:
    for number, serial in enumerate(["165", "", "165"]):
        registry.add_evidence(audit(number, serial=serial, memory_total_bytes=None))
    assert found(registry) == []


def test_an_empty_registry_has_nothing_to_tell(registry: Registry) -> None:
    assert drift(registry).empty
    assert history(registry, "GPU-1").empty


def test_only_confirmed_and_accepted_audits_of_the_tender_cover(registry: Registry) -> None:
    for number in range(5):
        registry.add_evidence(audit(number, hours=1))
    registry.add_result(result(0))
    registry.add_result(result(1, verdict="inconclusive"))
    registry.add_result(result(2, accepted=False))
    registry.add_result(result(3, tender="cnki"))
    covered = coverage(registry, "sustech-2024", BEGIN, BEGIN + timedelta(days=4))
    assert (covered.audits, covered.seconds) == (1, 3600)
    assert covered.share == pytest.approx(1 / 96)
    assert list(covered.gaps["hours"]) == [95]


def test_gaps_are_between_audits_the_longest_first(registry: Registry) -> None:
    for number in (0, 3, 4):
        registry.add_evidence(audit(number, hours=2))
        registry.add_result(result(number))
    covered = coverage(registry, "sustech-2024", BEGIN - timedelta(days=1), BEGIN + timedelta(days=10))
    assert list(covered.gaps["hours"]) == [142, 70, 24, 22]
    assert sum(covered.gaps["hours"]) * 3600 + covered.seconds == 11 * 86400


def test_audits_at_the_same_time_cover_it_once(registry: Registry) -> None:
    for number in (0, 100):
        entry = audit(0, hours=2)
        digest = f"{number:064x}"
        same = {**entry.evidence, "payload_sha256": digest, "file_sha256": f"f{digest[1:]}"}
        registry.add_evidence(EvidenceEntry(evidence=same, devices=(), measurements=()))
        registry.add_result(result(number))
    covered = coverage(registry, "sustech-2024", BEGIN, BEGIN + timedelta(days=1))
    assert (covered.audits, covered.seconds) == (1, 7200)


def test_no_audit_covers_nothing(registry: Registry) -> None:
    covered = coverage(registry, "sustech-2024", BEGIN, BEGIN + timedelta(days=1))
    assert (covered.audits, covered.share, list(covered.gaps["hours"])) == (0, 0, [24])
