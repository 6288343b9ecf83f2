"""What names a machine does not leave it in a redacted report, and what was equal stays equal."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gpuaudit.evidence.bundle import EvidenceBundle
from gpuaudit.evidence.codec import encode
from gpuaudit.evidence.host import EnvironmentEvidence, EnvironmentVariable
from gpuaudit.evidence.reading import Known, Source
from gpuaudit.report.as_html import as_html
from gpuaudit.report.as_json import as_json
from gpuaudit.report.as_text import as_text
from gpuaudit.report.compose import view_of
from gpuaudit.report.paper import Paper, Redacted
from gpuaudit.report.redact import redacted
from tests.report.papers import evidence, paper, paper_of

FULL = "f" * 64
SALT = b"salt"
MACHINE = evidence("a100-sxm4-80gb:8")


def names() -> list[str]:
    """Everything in the evidence that names the machine."""
    found = [MACHINE.host.host_name, MACHINE.host.machine_id_digest, MACHINE.host.boot_id_digest]
    for device in MACHINE.nvml.devices:
        found += [device.identity.uuid, device.identity.serial, device.pci.bus_id]
    values = [reading.value for reading in found if isinstance(reading, Known)]
    assert len(values) == 3 + 3 * 8
    return values


def of_variable(value: str) -> Paper:
    """The machine with one variable in its environment."""
    return paper_of(replace(MACHINE, environment=environment(value)))


def environment(value: str) -> EnvironmentEvidence:
    variables = (EnvironmentVariable(name="LD_PRELOAD", value=value),)
    return replace(MACHINE.environment, variables=Known(value=variables, source=Source.HOST))


def test_no_name_of_the_machine_is_in_any_form() -> None:
    whole, covered = paper("simulated"), redacted(paper("simulated"), full_sha256=FULL, salt=SALT)
    view = view_of(covered)
    assert isinstance(covered.evidence, EvidenceBundle)
    forms = [as_text(view), as_html(view), as_json(covered.result, view), encode(covered.evidence).decode()]
    full = as_text(view_of(whole))
    assert any(name in full for name in names())
    for form in forms:
        assert [name for name in names() if name in form or name.lower() in form.lower()] == []


def test_it_says_of_which_file_it_is_the_redaction() -> None:
    view = view_of(redacted(paper("simulated"), full_sha256=FULL, salt=SALT))
    (remark,) = [remark for remark in view.remarks if remark.startswith("Redacted: ")]
    assert FULL in remark
    assert int(remark.split()[1]) >= len(names())


def test_a_full_report_says_nothing_of_redaction() -> None:
    assert not any("Redacted" in remark for remark in view_of(paper("simulated")).remarks)


def test_one_device_keeps_one_name_wherever_it_is_spoken_of() -> None:
    covered = redacted(paper("simulated"), full_sha256=FULL, salt=SALT)
    assert isinstance(covered.evidence, EvidenceBundle)
    uuids = [device.identity.uuid.value for device in covered.evidence.nvml.devices if isinstance(device.identity.uuid, Known)]
    assert len(set(uuids)) == 8
    assert {subject for one in covered.evidence.measurements for subject in one.subjects} == set(uuids)
    assert [device.uuid for line in covered.result.lines for device in line.devices] == uuids
    buses = {device.pci.bus_id.value for device in covered.evidence.nvml.devices if isinstance(device.pci.bus_id, Known)}
    functions = covered.evidence.kernel.pci_functions
    assert isinstance(functions, Known)
    # The kernel writes four digits of the domain, NVML eight.
    assert buses <= {function.bus_id for function in functions.value}


def test_another_report_has_other_digests() -> None:
    one, other = (redacted(paper("simulated"), full_sha256=FULL) for _ in range(2))
    assert one.result.lines[0].devices[0].uuid != other.result.lines[0].devices[0].uuid


def test_verdict_findings_and_what_one_needs_to_check_stay() -> None:
    whole, covered = paper("simulated").result, redacted(paper("simulated"), full_sha256=FULL, salt=SALT).result
    assert covered.headline == whole.headline
    assert covered.evidence == whole.evidence
    assert covered.lines[0].findings == whole.lines[0].findings
    assert isinstance(redacted(paper("simulated"), full_sha256=FULL).redaction, Redacted)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("/mnt/10.11.12.13/lib.so", id="ipv4"),
        pytest.param("tcp://[2001:db8:0:1:2:3:4:5]:80", id="ipv6"),
        pytest.param("tcp://[fe80::1]:80", id="ipv6-short"),
        pytest.param("02:42:ac:11:00:02", id="mac"),
        pytest.param("/home/simulated-0/x.so", id="host-name-within"),
        pytest.param("/run/GPU-12345678-1234-1234-1234-123456789abc", id="another-uuid"),
    ],
)
def test_a_name_within_another_text_is_found(text: str) -> None:
    covered = redacted(of_variable(text), full_sha256=FULL, salt=SALT)
    secret = {"/mnt": "10.11.12.13", "tcp:": "::" if "::" in text else "2001", "/hom": "simulated-0", "/run": "12345678"}
    shown = as_text(view_of(covered)).split("variables that matter: ")[1].split("mounts over")[0]
    assert secret.get(text[:4], text) not in shown
    assert "LD_PRELOAD" in shown


@pytest.mark.parametrize("text", ["580.105.08", "92.00.9E.00.02", "2026-01-01T00:00:01Z", "10de:20b2", "1.2.3"])
def test_what_only_looks_like_an_address_stays(text: str) -> None:
    assert text in as_text(view_of(redacted(of_variable(text), full_sha256=FULL, salt=SALT)))


@given(st.ip_addresses().map(str))
@settings(max_examples=60, deadline=None)
def test_no_address_is_left(address: str) -> None:
    assume(address != "::")  # nobody's
    covered = redacted(replace(paper("simulated"), evidence=variable(f"x={address} y")), full_sha256=FULL, salt=SALT)
    assert isinstance(covered.evidence, EvidenceBundle)
    (kept,) = json.loads(encode(covered.evidence))["environment"]["variables"]["value"]
    assert address not in kept["value"]


def variable(value: str) -> EvidenceBundle:
    """A small machine: walking through eight cards takes long."""
    small = replace(MACHINE, measurements=(), nvml=replace(MACHINE.nvml, devices=()))
    return replace(small, environment=environment(value))
