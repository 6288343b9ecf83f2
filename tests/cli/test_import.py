"""`gpuaudit import`: a capture to unsigned evidence, which nothing takes for sealed."""

from __future__ import annotations

from pathlib import Path

import pytest

from gpuaudit.cli.exits import Exit
from gpuaudit.envelope import read_unsigned
from gpuaudit.evidence.bundle import Origin
from tests.cli.conftest import Gpuaudit

CAPTURE = """<?xml version="1.0" ?>
<!DOCTYPE nvidia_smi_log SYSTEM "nvsmi_device_v12.dtd">
<nvidia_smi_log><driver_version>550.54.15</driver_version><attached_gpus>1</attached_gpus>
<gpu id="00000000:04:00.0"><product_name>NVIDIA A100-SXM4-80GB</product_name></gpu></nvidia_smi_log>
"""


def test_a_capture_becomes_a_file_that_does_not_verify(gpuaudit: Gpuaudit, home: Path) -> None:
    (home / "smi.xml").write_text(CAPTURE)
    ran = gpuaudit("import", "smi.xml", "--out", "e.json")
    assert (ran.code, ran.err) == (Exit.DONE, "")
    bundle = read_unsigned((home / "e.json").read_bytes(), place="e.json")
    assert (bundle.origin, len(bundle.nvml.devices)) == (Origin.CAPTURE, 1)
    ran = gpuaudit("verify", "e.json")
    assert (ran.code, "--policy testimony" in ran.err) == (Exit.NOT_AUTHENTIC, True)


def test_a_file_is_not_replaced(gpuaudit: Gpuaudit, home: Path) -> None:
    (home / "smi.xml").write_text(CAPTURE)
    (home / "e.json").write_text("mine")
    assert gpuaudit("import", "smi.xml", "--out", "e.json").code == Exit.USAGE
    assert (home / "e.json").read_text() == "mine"


@pytest.mark.parametrize("data", [b"", b"junk", b"<a/>", b"<nvidia_smi_log>", b"\x00" * 10_000_000], ids=range(5))
def test_what_is_no_capture_is_the_users_mistake(gpuaudit: Gpuaudit, home: Path, data: bytes) -> None:
    (home / "smi.xml").write_bytes(data)
    ran = gpuaudit("import", "smi.xml", "--out", "e.json")
    assert (ran.code, ran.out, ran.err.count("\n")) == (Exit.USAGE, "", 1)
    assert not (home / "e.json").exists()
