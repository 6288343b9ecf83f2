"""The fixtures as other projects use them, in a pytest of its own and in this one."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nvitop
import pynvml  # noqa: TID251 - what a third party's code would call
import pytest

from gpuaudit.appraisal.result import Verdict
from gpuaudit.errors import UsageError
from gpuaudit.evidence.bundle import Origin
from gpuaudit.testing import assert_verdict

Put = Callable[..., Any]


def test_code_that_uses_pynvml_sees_the_devices(simulated_gpus: Put) -> None:
    gpus = simulated_gpus("h100-sxm5-80gb", 8)
    pynvml.nvmlInit()
    try:
        handles = [pynvml.nvmlDeviceGetHandleByIndex(index) for index in range(pynvml.nvmlDeviceGetCount())]
        assert [pynvml.nvmlDeviceGetName(handle) for handle in handles] == ["NVIDIA H100 80GB HBM3"] * 8
        assert [pynvml.nvmlDeviceGetUUID(handle) for handle in handles] == [device.uuid for device in gpus.devices]
    finally:
        pynvml.nvmlShutdown()


def test_nvitop_lists_eight_simulated_devices(simulated_gpus: Put) -> None:
    simulated_gpus("h100-sxm5-80gb", 8)
    devices = nvitop.Device.all()
    assert [device.name() for device in devices] == ["NVIDIA H100 80GB HBM3"] * 8
    assert len({device.uuid() for device in devices}) == 8
    assert all(device.memory_total() > 80e9 for device in devices)
    nvitop.libnvml.nvmlShutdown()


def test_pynvml_is_as_before_once_the_test_is_over(pytester_run: Callable[[str], subprocess.CompletedProcess[str]]) -> None:
    ran = pytester_run(
        """
        import pynvml

        before = pynvml.nvmlLib

        def test_inside(simulated_gpus):
            simulated_gpus("t4")
            assert pynvml.nvmlLib is not before

        def test_after():
            assert pynvml.nvmlLib is before
        """
    )
    assert "2 passed" in ran.stdout


def test_an_honest_machine_is_confirmed_and_says_that_it_is_simulated(simulated_gpus: Put) -> None:
    result = simulated_gpus("a100-sxm4-80gb", 8).audit("sustech-2024")
    assert_verdict(result, "confirmed")
    assert result.origin is Origin.SIMULATED
    assert result.headline.startswith("SIMULATED")


@pytest.mark.adversary("renamed-as=a100-sxm4-80gb")
def test_a_renamed_card_is_not_what_it_is_called(simulated_gpus: Put) -> None:
    gpus = simulated_gpus("t4", 8)
    assert [device.reported.reported.name for device in gpus.devices] == ["NVIDIA A100-SXM4-80GB"] * 8
    assert_verdict(gpus.audit("sustech-2024"), Verdict.REFUTED, because="pci-device-id")


def test_a_mixed_machine_is_one_line(simulated_gpus: Put) -> None:
    gpus = simulated_gpus("a100-sxm4-80gb:1,h100-sxm5-80gb:1")
    assert_verdict(gpus.audit("shenzhen-university-2024"), "confirmed")


def test_another_seed_is_another_machine(pytester_run: Callable[[str], subprocess.CompletedProcess[str]]) -> None:
    ran = pytester_run(
        """
        import pytest
        seen = set()

        @pytest.mark.parametrize("seed", [0, 1, 0])
        def test_uuid(simulated_gpus, seed):
            seen.add(simulated_gpus("t4", seed=seed).devices[0].uuid)

        def test_two():
            assert len(seen) == 2
        """
    )
    assert "4 passed" in ran.stdout


def test_a_wrong_verdict_is_a_failure_that_shows_the_report(simulated_gpus: Put) -> None:
    result = simulated_gpus("a800-sxm4-80gb", 8).audit("sustech-2024")
    with pytest.raises(AssertionError, match=r"got refuted, expected confirmed[\s\S]*Line a100: refuted"):
        assert_verdict(result, "confirmed")
    with pytest.raises(AssertionError, match="does not say 'bf16-ceiling'"):
        assert_verdict(result, "refuted", because="bf16-ceiling")
    with pytest.raises(ValueError, match="pass"):
        assert_verdict(result, "pass")


def test_what_there_is_not_is_an_error(simulated_gpus: Put) -> None:
    with pytest.raises(UsageError, match="no-such-card"):
        simulated_gpus("no-such-card", 8)
    simulated_gpus("t4")
    with pytest.raises(RuntimeError, match="already"):
        simulated_gpus("t4")


def test_the_marker_is_known_and_its_line_is_checked(pytester_run: Callable[[str], subprocess.CompletedProcess[str]]) -> None:
    ran = pytester_run(
        """
        import pytest

        @pytest.mark.adversary("no-such-adversary")
        def test_unknown(simulated_gpus):
            simulated_gpus("t4")

        @pytest.mark.adversary()
        def test_without(simulated_gpus):
            pass
        """
    )
    assert "no adversary 'no-such-adversary'" in ran.stdout
    assert "expected one line" in ran.stdout
    assert ran.returncode == 1


def test_the_plugin_costs_other_projects_nothing(pytester_run: Callable[[str], subprocess.CompletedProcess[str]]) -> None:
    ran = pytester_run(
        """
        import sys

        def test_nothing_is_loaded():
            assert "gpuaudit.testing.plugin" in sys.modules
            heavy = {"pynvml", "pydantic", "numpy", "gpuaudit.appraisal", "gpuaudit.simulated", "securesystemslib"}
            assert not heavy & set(sys.modules)
        """
    )
    assert "1 passed" in ran.stdout


@pytest.fixture
def pytester_run(tmp_path: Path) -> Callable[[str], subprocess.CompletedProcess[str]]:
    """Runs a test file in another pytest, which finds the plugin by its entry point."""

    def run(source: str) -> subprocess.CompletedProcess[str]:
        lines = source.strip("\n").splitlines()
        (tmp_path / "test_it.py").write_text("\n".join(line.removeprefix("        ") for line in lines))
        command = [sys.executable, "-m", "pytest", "-q", "--strict-markers", "-p", "no:cacheprovider", str(tmp_path)]
        return subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)

    return run
