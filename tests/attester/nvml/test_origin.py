from __future__ import annotations

import ctypes
import functools
import json
import os
import subprocess
import sys
import types
from pathlib import Path
from shutil import which
from typing import Any
from unittest.mock import MagicMock

import pynvml
import pytest

from gpuaudit.attester.nvml.origin import Beneath, beneath
from gpuaudit.attester.nvml.session import collect_nvml
from gpuaudit.simulated.nvml import simulated_nvml
from tests.attester.nvml.cards import card

COMPILER = which("cc")
C_SOURCE = """
static int code = CODE;
int nvmlInitWithFlags(unsigned flags) { return code; }
"""
PROGRAM = """
import dataclasses, json
from gpuaudit.attester.nvml.origin import beneath
from gpuaudit.attester.nvml.session import collect_nvml
evidence = collect_nvml()
print(json.dumps([beneath(), len(evidence.devices), getattr(evidence.driver_version, "detail", "known")]))
"""


@pytest.fixture(autouse=True)
def unloaded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin as a process that has not loaded a library, whatever ran before."""
    monkeypatch.setattr(pynvml, "nvmlLib", None)
    monkeypatch.setattr(pynvml, "_nvmlGetFunctionPointer_cache", {})


def test_nothing_loaded_is_absent() -> None:
    assert beneath() is Beneath.ABSENT


def test_a_simulation_is_seen_while_it_stands_and_gone_afterwards() -> None:
    with simulated_nvml([card()]):
        assert beneath() is Beneath.REPLACED
        collect_nvml()
        assert beneath() is Beneath.REPLACED
    assert beneath() is Beneath.ABSENT


class Subclass(ctypes.CDLL):
    """Looks like a loaded library."""


@pytest.mark.parametrize(
    "library",
    [
        pytest.param(types.SimpleNamespace(), id="any-object"),
        pytest.param(MagicMock(spec=ctypes.CDLL), id="a-mock-that-claims-to-be-a-library"),
        pytest.param(Subclass(None), id="a-subclass-of-a-library"),
        pytest.param(ctypes.CDLL(None), id="another-library"),
        pytest.param(ctypes.PyDLL(None), id="a-library-of-another-kind"),
    ],
)
def test_whatever_pynvml_did_not_load_is_replaced(library: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pynvml, "nvmlLib", library)
    assert beneath() is Beneath.REPLACED


def test_a_real_library_with_a_python_function_in_it_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    library = ctypes.CDLL(None)
    library._name = "libnvidia-ml.so.1"
    monkeypatch.setattr(pynvml, "nvmlLib", library)
    assert beneath() is Beneath.LOADED  # as far as this can see: the file is for the mapped libraries to name
    library.nvmlInitWithFlags = lambda _flags: 0  # type: ignore[attr-defined]
    assert beneath() is Beneath.REPLACED


@pytest.mark.parametrize("loaded", [False, True])
def test_a_function_put_into_pynvmls_memory_is_replaced(loaded: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if loaded:
        library = ctypes.CDLL(None)
        library._name = "libnvidia-ml.so.1"
        monkeypatch.setattr(pynvml, "nvmlLib", library)
    pynvml._nvmlGetFunctionPointer_cache["nvmlDeviceGetName"] = lambda *_arguments: 0
    assert beneath() is Beneath.REPLACED


@functools.wraps(pynvml.nvmlDeviceGetName)
def in_disguise(handle: object) -> str:
    return "NVIDIA A100-SXM4-80GB"


@pytest.mark.parametrize(
    "fake",
    [
        pytest.param(lambda handle: "NVIDIA A100-SXM4-80GB", id="function"),
        pytest.param(in_disguise, id="function-in-disguise"),
        pytest.param(MagicMock(return_value="NVIDIA A100-SXM4-80GB"), id="mock"),
        pytest.param(type("Fake", (), {}), id="class"),
    ],
)
def test_a_patched_pynvml_is_replaced(fake: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pynvml, "nvmlDeviceGetName", fake)
    assert beneath() is Beneath.REPLACED


@pytest.mark.parametrize("missing", ["CDLL", "_nvmlGetFunctionPointer_cache"])
def test_a_module_that_is_no_pynvml_is_replaced(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(pynvml, missing)
    assert beneath() is Beneath.REPLACED


def test_no_environment_variable_makes_a_simulation_hardware(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GPUAUDIT_ORIGIN", "GPUAUDIT_SIMULATE", "NVML_LIBRARY", "LD_LIBRARY_PATH"):
        monkeypatch.setenv(name, "hardware")
    with simulated_nvml([card()]):
        assert beneath() is Beneath.REPLACED


@pytest.mark.skipif(COMPILER is None, reason="no C compiler to build a library with")
@pytest.mark.parametrize("code", [9, 18, 999])
def test_a_real_library_without_a_driver_is_loaded_and_gives_one_clear_line(code: int, tmp_path: Path) -> None:
    source = tmp_path / "nvml.c"
    source.write_text(C_SOURCE)
    library = tmp_path / "libnvidia-ml.so.1"
    subprocess.run([str(COMPILER), "-shared", "-fPIC", f"-DCODE={code}", "-o", str(library), str(source)], check=True)
    found, devices, detail = collected_in_another_process(LD_LIBRARY_PATH=str(tmp_path))
    assert found == "loaded"
    assert devices == 0
    assert detail.startswith(f"NVML did not start: nvmlInit returned {code} (")


def test_whatever_nvml_this_machine_has_a_collection_ends() -> None:
    found, devices, detail = collected_in_another_process()
    assert found in {"loaded", "absent"}
    assert detail == "known" or devices == 0, detail


def collected_in_another_process(**environment: str) -> tuple[str, int, str]:
    """What beneath() says, the number of devices and the detail of the driver's version, from a process of its own."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=200,
        check=True,
    )
    found, devices, detail = json.loads(done.stdout)
    return found, devices, detail
