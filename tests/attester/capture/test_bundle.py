"""Captures to evidence: real ones of every schema, and forged ones."""

from __future__ import annotations

import csv
import hashlib
from dataclasses import fields
from pathlib import Path

import pytest

from gpuaudit.attester.capture.bundle import import_capture
from gpuaudit.errors import MalformedFileError
from gpuaudit.evidence.bundle import EvidenceBundle, Origin
from gpuaudit.evidence.codec import decode, encode
from gpuaudit.evidence.device import DeviceEvidence, MigMode, VirtualizationMode
from gpuaudit.evidence.reading import Known, Reason, Unknown
from tests.attester.capture.documents import GPU, capture
from tests.attester.readings import reason_of, value_of

CAPTURES = Path(__file__).parents[4] / "shared" / "captures"
NEEDS_CAPTURES = pytest.mark.skipif(not CAPTURES.is_dir(), reason="the captures of other people are not at ../shared/captures")


def imported(data: bytes) -> EvidenceBundle:
    return import_capture(data, place="smi.xml")


def the_device(data: bytes) -> DeviceEvidence:
    (device,) = imported(data).nvml.devices
    return device


def real(name: str) -> EvidenceBundle:
    return import_capture((CAPTURES / name).read_bytes(), place=name)


def test_an_honest_capture_is_read() -> None:
    bundle = imported(capture())
    assert bundle.origin is Origin.CAPTURE
    assert value_of(bundle.nvml.driver_version) == "570.148.08"
    assert value_of(bundle.nvml.cuda_driver_version) == 12080
    assert value_of(bundle.nvml.device_count) == 1
    (device,) = bundle.nvml.devices
    assert value_of(device.identity.name) == "NVIDIA A100-SXM4-40GB"
    assert value_of(device.identity.brand) == 14
    assert value_of(device.identity.architecture) == 7
    assert value_of(device.identity.board_id) == 0x600
    assert value_of(device.pci.device_id) == "10de:20b0"
    assert value_of(device.pci.link_width_max) == 16
    assert value_of(device.memory.total_bytes) == 40960 * 2**20
    assert value_of(device.power.draw_milliwatts) == 49_680
    assert value_of(device.clocks.sm_max_megahertz) == 1410
    assert value_of(device.partition.mig_mode) is MigMode.DISABLED
    assert value_of(device.partition.virtualization_mode) is VirtualizationMode.PASSTHROUGH
    assert value_of(device.processes.compute_count) == 0


def test_what_no_capture_holds_is_not_captured_everywhere() -> None:
    bundle = imported(capture())
    for part in (bundle.kernel, bundle.host, bundle.torch, bundle.environment):
        for field in fields(part):
            assert reason_of(getattr(part, field.name)) is Reason.NOT_CAPTURED
    (device,) = bundle.nvml.devices
    assert reason_of(device.identity.compute_capability) is Reason.NOT_CAPTURED
    assert reason_of(device.memory.bus_width_bits) is Reason.NOT_CAPTURED
    assert reason_of(device.nvlinks) is Reason.NOT_CAPTURED
    assert bundle.measurements == ()
    assert bundle.suite == "none"


def test_its_nonce_is_of_its_own_making_and_says_so() -> None:
    bundle = imported(capture())
    assert bundle.nonce == hashlib.sha256(b"gpuaudit/capture/v1\0" + capture()).hexdigest()
    assert "proves no freshness" in bundle.origin_detail
    assert imported(capture(schema="v13")).nonce != bundle.nonce


def test_a_local_time_is_not_made_into_a_universal_one() -> None:
    bundle = imported(capture(timestamp="Fri Aug  4 01:02:03 2023"))
    assert bundle.started_at == bundle.finished_at == "2023-08-04T01:02:03"
    assert "local time of a zone that the capture does not tell" in bundle.origin_detail


@pytest.mark.parametrize(
    "timestamp", ["", "N/A", "Fr Aug 21 10:21:36 2026", "Fri Aug 32 10:21:36 2026", "Fri Aug 21 25:21:36 2026", "2026-08-21"]
)
def test_a_time_that_is_none_is_unknown(timestamp: str) -> None:
    bundle = imported(capture(timestamp=timestamp))
    assert bundle.started_at == "unknown"
    assert "no readable time stamp" in bundle.origin_detail


def test_the_schema_is_named_and_an_unknown_one_is_still_read() -> None:
    assert "schema v12" in imported(capture()).origin_detail
    later = imported(capture(schema="v99"))
    assert "schema v99" in later.origin_detail
    assert value_of(later.nvml.devices[0].identity.name) == "NVIDIA A100-SXM4-40GB"
    assert "not named" in imported(capture(schema="\x24{x}")).origin_detail


def test_the_board_number_that_old_schemas_call_gpu_part_number_is_put_right() -> None:
    old = GPU.replace("<board_part_number>692-2G506-0200-003</board_part_number>", "")
    identity = the_device(capture(old.replace("20B0-884-A1", "692-2G506-0200-003"), schema="v11")).identity
    assert value_of(identity.board_part_number) == "692-2G506-0200-003"
    assert reason_of(identity.gpu_part_number) is Reason.NOT_CAPTURED


def test_in_a_new_schema_each_number_stays_where_it_was_put() -> None:
    """A board number forged into the GPU's field must not be taken for an old schema's habit."""
    identity = the_device(capture(GPU.replace("20B0-884-A1", "692-2G506-0212-002"))).identity
    assert value_of(identity.board_part_number) == "692-2G506-0200-003"
    assert value_of(identity.gpu_part_number) == "692-2G506-0212-002"


def test_devices_that_are_counted_but_not_shown_are_listed() -> None:
    bundle = imported(capture(attached="4"))
    assert value_of(bundle.nvml.device_count) == 4
    assert [device.index for device in bundle.nvml.devices] == [0, 1, 2, 3]
    for device in bundle.nvml.devices[1:]:
        assert reason_of(device.identity.uuid) is Reason.NOT_CAPTURED
        assert reason_of(device.memory.total_bytes) is Reason.NOT_CAPTURED


@pytest.mark.parametrize("attached", ["0", "100000000", "-1", "N/A", ""])
def test_a_count_that_cannot_be_is_unknown_and_lists_nothing_more(attached: str) -> None:
    bundle = imported(capture(attached=attached))
    assert isinstance(bundle.nvml.device_count, Unknown)
    assert len(bundle.nvml.devices) == 1


def test_no_gpu_at_all_is_a_capture_of_none() -> None:
    bundle = imported(capture("", attached="0"))
    assert value_of(bundle.nvml.device_count) == 0
    assert bundle.nvml.devices == ()


@pytest.mark.parametrize(
    ("processes", "compute", "graphics", "used"),
    [
        pytest.param(
            "<process_info><type>C</type><used_memory>5 MiB</used_memory></process_info>", 1, 0, 5 * 2**20, id="compute"
        ),
        pytest.param(
            "<process_info><type>C+G</type><used_memory>5 MiB</used_memory></process_info>", 1, 1, 5 * 2**20, id="both"
        ),
        pytest.param(
            "<process_info><type>M+C</type><used_memory>5 MiB</used_memory></process_info>" * 2, 2, 0, 10 * 2**20, id="mps"
        ),
    ],
)
def test_processes_are_counted(processes: str, compute: int, graphics: int, used: int) -> None:
    gpu = GPU.replace("<processes></processes>", f"<processes>{processes}</processes>")
    readings = the_device(capture(gpu)).processes
    assert (value_of(readings.compute_count), value_of(readings.graphics_count)) == (compute, graphics)
    assert value_of(readings.used_bytes) == used


@pytest.mark.parametrize(
    ("processes", "reason"),
    [
        pytest.param("", Reason.NOT_CAPTURED, id="left-out"),
        pytest.param("<processes>N/A</processes>", Reason.NOT_SUPPORTED, id="not-supported"),
        pytest.param("<processes></processes><processes></processes>", Reason.FAULT, id="twice"),
        pytest.param(
            "<processes><process_info><type>?</type></process_info><process_info/></processes>",
            Reason.NOT_CAPTURED,
            id="no-type",
        ),
    ],
)
def test_a_list_of_processes_that_is_none_is_never_zero(processes: str, reason: Reason) -> None:
    readings = the_device(capture(GPU.replace("<processes></processes>", processes))).processes
    assert reason_of(readings.compute_count) is reason


@pytest.mark.parametrize(
    ("data", "says"),
    [
        pytest.param(b"<html><body>404</body></html>", "got <html>, expected <nvidia_smi_log>", id="a-web-page"),
        pytest.param(b"<nvidia_smi_log></nvidia_smi_log>", "neither <gpu> nor <attached_gpus>", id="empty-log"),
        pytest.param(capture("<gpu/>" * 300, attached="300"), "300 <gpu>", id="too-many-gpus"),
        pytest.param(b"A100, 40960 MiB\n", "not XML", id="csv"),
    ],
)
def test_what_is_no_capture_is_refused_with_a_way_out(data: bytes, says: str) -> None:
    with pytest.raises(MalformedFileError, match=says) as caught:
        imported(data)
    assert str(caught.value).startswith("smi.xml:")


@NEEDS_CAPTURES
def test_every_capture_there_is_imports_and_can_be_written_and_read_back() -> None:
    with (CAPTURES / "index.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) >= 8
    for row in rows:
        bundle = real(row["file"])
        assert value_of(bundle.nvml.driver_version) == row["driver_version"]
        assert row["schema"] in bundle.origin_detail
        shown = [device for device in bundle.nvml.devices if isinstance(device.identity.uuid, Known)]
        assert len(shown) == int(row["count"])
        assert {value_of(device.identity.name) for device in shown} == set(row["models"].split("; "))
        assert decode(encode(bundle), place=row["file"]) == bundle


@NEEDS_CAPTURES
def test_a_uuid_of_zeros_is_kept_as_it_was_captured() -> None:
    zero = "GPU-00000000-0000-0000-0000-000000000000"
    for name in ("a100", "h100", "l40s", "t4"):
        assert value_of(real(f"k8s-test-infra-hw-{name}.xml").nvml.devices[0].identity.uuid) == zero


@NEEDS_CAPTURES
def test_a_genuine_t4_of_schema_11_has_a_board_number_and_no_gpu_number() -> None:
    identity = real("telegraf-tesla-t4.xml").nvml.devices[0].identity
    assert value_of(identity.board_part_number) == "900-2G183-0000-001"
    assert reason_of(identity.gpu_part_number) is Reason.NOT_CAPTURED


@NEEDS_CAPTURES
def test_one_of_four_in_mig_mode_is_one_of_four() -> None:
    bundle = real("telegraf-a100-sxm4-v12.xml")
    assert value_of(bundle.nvml.device_count) == 4
    assert len(bundle.nvml.devices) == 4
    assert value_of(bundle.nvml.devices[0].partition.mig_mode) is MigMode.ENABLED


@NEEDS_CAPTURES
def test_eight_h100_differ_in_uuid_and_bus_and_agree_in_kind() -> None:
    devices = real("k8s-test-infra-hw-h100.xml").nvml.devices
    assert len({value_of(device.identity.uuid) for device in devices}) == 8
    assert len({value_of(device.pci.bus_id) for device in devices}) == 8
    assert {value_of(device.pci.device_id) for device in devices} == {"10de:2330"}
    assert {value_of(device.reliability.remap_banks_max) for device in devices} == {2560}
