"""What stands between the hardware and the program."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from gpuaudit.attester.environment import collect_environment
from gpuaudit.evidence.host import EnvironmentEvidence, EnvironmentVariable
from gpuaudit.evidence.reading import Known, Reason, Source, Unknown
from tests.attester.interpreters import PYNVML, honest_interpreter
from tests.attester.test_mounts import ORDINARY
from tests.attester.trees import put


def environment(root: Path, **variables: str) -> EnvironmentEvidence:
    return collect_environment(root, honest_interpreter({"HOME": "/root", **variables}))


def variable(evidence: EnvironmentEvidence) -> EnvironmentVariable:
    assert isinstance(evidence.variables, Known)
    (one,) = evidence.variables.value
    return one


@pytest.fixture
def root(tmp_path: Path) -> Path:
    put(tmp_path, {"/proc/self/mountinfo": ORDINARY, "/proc/self/maps": "", PYNVML: "nvmlLib = None\n"})
    return tmp_path


def test_an_honest_environment_is_known_and_empty(root: Path) -> None:
    evidence = environment(root)
    assert evidence.libraries == evidence.variables == evidence.mounts == Known(value=(), source=Source.HOST)
    assert evidence.python_hooks == Known(value=(), source=Source.HOST)
    assert evidence.python_flags == Known(value=("isolated=1",), source=Source.HOST)
    assert evidence.python_version == Known(value="3.11.2 (main) [GCC 12.2.0]", source=Source.HOST)
    assert evidence.pynvml_path == Known(value=PYNVML, source=Source.HOST)
    assert evidence.pynvml_sha256 == Known(value=hashlib.sha256(b"nvmlLib = None\n").hexdigest(), source=Source.HOST)
    assert isinstance(evidence.ld_so_preload, Unknown)
    assert evidence.ld_so_preload.reason is Reason.NOT_FOUND


@pytest.mark.parametrize(
    "name",
    [
        "LD_PRELOAD",
        "LD_LIBRARY_PATH",
        "CUDA_VISIBLE_DEVICES",
        "NVIDIA_VISIBLE_DEVICES",
        "NCCL_P2P_DISABLE",
        "CUBLAS_WORKSPACE_CONFIG",
        "PYTHONPATH",
    ],
)
def test_a_variable_that_can_change_a_reading_is_kept(root: Path, name: str) -> None:
    assert variable(environment(root, **{name: "/opt/kit"})) == EnvironmentVariable(name=name, value="/opt/kit")


def test_variables_are_sorted(root: Path) -> None:
    variables = environment(root, NCCL_DEBUG="INFO", CUDA_CACHE_PATH="/x").variables
    assert isinstance(variables, Known)
    assert [one.name for one in variables.value] == ["CUDA_CACHE_PATH", "NCCL_DEBUG"]


@pytest.mark.parametrize("name", ["NVIDIA_API_KEY", "NVIDIA_NGC_TOKEN", "CUDA_REGISTRY_PASSWORD"])
def test_a_secret_is_not_told(root: Path, name: str) -> None:
    evidence = environment(root, **{name: "nvapi-do-not-tell"})
    assert variable(evidence).name == name
    assert "do-not-tell" not in str(evidence)


def test_a_value_is_escaped_and_cut(root: Path) -> None:
    value = variable(environment(root, LD_PRELOAD="\x1b[2J\udcff" + "x" * 100_000)).value
    assert value.startswith("\\x1b[2J\\udcff")
    assert len(value) < 600


def test_thousands_of_variables_are_refused(root: Path) -> None:
    variables = environment(root, **{f"LD_{index}": "x" for index in range(1000)}).variables
    assert isinstance(variables, Unknown)
    assert variables.reason is Reason.FAULT


def test_a_preload_for_all_programs_is_read(root: Path) -> None:
    put(root, {"/etc/ld.so.preload": "/usr/local/vgpu/libvgpu.so\n"})
    assert environment(root).ld_so_preload == Known(value="/usr/local/vgpu/libvgpu.so", source=Source.HOST)


def test_a_mount_over_the_folder_of_the_linkers_path_is_listed(root: Path) -> None:
    put(root, {"/proc/self/mountinfo": ORDINARY + "40 22 254:0 /fake /srv/fake rw - ext4 /dev/vda rw\n"})
    mounts = environment(root, LD_LIBRARY_PATH="/srv/one:/srv/fake").mounts
    assert isinstance(mounts, Known)
    assert [mount.mount_point for mount in mounts.value] == ["/srv/fake"]


def test_pynvml_from_no_file_has_no_digest(root: Path) -> None:
    unknown = Unknown(reason=Reason.NOT_FOUND, source=Source.HOST, detail="pynvml comes from no file")
    evidence = collect_environment(root, replace(honest_interpreter(), pynvml_path=unknown))
    assert evidence.pynvml_path == evidence.pynvml_sha256 == unknown


def test_a_tree_without_proc_leaves_the_rest_standing(tmp_path: Path) -> None:
    evidence = environment(tmp_path, LD_PRELOAD="x")
    for reading in (evidence.libraries, evidence.mounts, evidence.pynvml_sha256):
        assert isinstance(reading, Unknown)
        assert reading.reason is Reason.NOT_FOUND
    assert isinstance(evidence.variables, Known)
