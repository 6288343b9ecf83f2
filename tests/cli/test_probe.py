"""`gpuaudit probe` and `gpuaudit bench`: shown, not sealed."""

from __future__ import annotations

import json

import pytest

from gpuaudit.cli.exits import Exit
from tests.cli.conftest import Gpuaudit


def test_the_table_has_a_line_for_every_device(gpuaudit: Gpuaudit) -> None:
    ran = gpuaudit("probe", "--simulate", "a100-sxm4-80gb:1,h100-sxm5-80gb:1")
    assert ran.code == Exit.DONE
    assert ran.out.startswith("SIMULATED")
    assert [name in ran.out for name in ("NVIDIA A100-SXM4-80GB", "NVIDIA H100 80GB HBM3")] == [True, True]
    assert "10de:20b2" in ran.out


def test_json_holds_every_reading(gpuaudit: Gpuaudit) -> None:
    told = json.loads(gpuaudit("probe", "--simulate", "t4:2", "--format", "json").out)
    assert told["origin"] == "simulated"
    assert [device["identity"]["name"]["value"] for device in told["nvml"]["devices"]] == ["Tesla T4", "Tesla T4"]
    assert told["measurements"] == []


def test_a_machine_without_a_gpu_is_probed(gpuaudit: Gpuaudit) -> None:
    ran = gpuaudit("probe")
    assert ran.code == Exit.DONE
    assert "driver" in ran.out
    assert "SIMULATED" not in ran.out
    if "NVML counted no devices" in ran.err:
        assert ran.err.count("\n") == 1
        assert "unknown (" in ran.out


@pytest.mark.parametrize("command", ["probe", "bench"])
def test_nothing_is_sealed_and_no_key_is_made(gpuaudit: Gpuaudit, command: str) -> None:
    gpuaudit(command, "--simulate", "t4:1")
    assert "no keys" in gpuaudit("keys", "show").err


def test_the_bench_shows_every_task_and_why_one_has_no_value(gpuaudit: Gpuaudit) -> None:
    ran = gpuaudit("bench", "--simulate", "a100-sxm4-80gb:2")
    assert ran.code == Exit.DONE
    assert ran.out.startswith("SIMULATED")
    for task in ("gemm bf16", "copy", "capacity", "peer-one-way", "all-reduce"):
        assert task in ran.out
    assert "no value: gemm fp8" in ran.out


def test_the_bench_gives_every_sample_as_json(gpuaudit: Gpuaudit) -> None:
    told = json.loads(gpuaudit("bench", "--simulate", "a100-sxm4-80gb:1", "--format", "json").out)
    assert (told["origin"], told["suite"]) == ("simulated", "quick")
    assert any(measurement["samples"]["state"] == "known" for measurement in told["measurements"])
