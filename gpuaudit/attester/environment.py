"""What stands between the hardware and this program: libraries, preloads, variables, mounts, hooks."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from gpuaudit.attester.files import Tree, legible, parsed
from gpuaudit.attester.hooks import collect_hooks
from gpuaudit.attester.interpreter import Interpreter
from gpuaudit.attester.libraries import collect_libraries, digest_file
from gpuaudit.attester.mounts import collect_mounts
from gpuaudit.evidence.host import EnvironmentEvidence, EnvironmentVariable
from gpuaudit.evidence.reading import Known, Reading, Source, Unknown

_PRELOAD: Final = "/etc/ld.so.preload"
_PREFIXES: Final = ("LD_", "CUDA_", "NVIDIA_", "NCCL_", "CUBLAS_", "PYTHON")
# NVIDIA_API_KEY is a real one. Evidence is shown to others.
_SECRET: Final = re.compile(r"KEY|TOKEN|SECRET|PASSW|CREDENTIAL|AUTH", re.IGNORECASE)
_WITHHELD: Final = "(withheld: its name says that it is a secret)"
_MAX_VARIABLES: Final = 256
_VALUE_CHARACTERS: Final = 512


def collect_environment(root: Path, interpreter: Interpreter) -> EnvironmentEvidence:
    """Describe the environment of the reading.

    To be called after NVML was read: only then is its library mapped.

    Args:
        root: Where the machine's file system begins.
        interpreter: The process that reads.
    """
    tree = Tree(root=root, source=Source.HOST)
    return EnvironmentEvidence(
        libraries=collect_libraries(root),
        variables=_variables(interpreter.variables),
        ld_so_preload=parsed(tree.text(_PRELOAD, follow=True), lambda text: legible(text, limit=_VALUE_CHARACTERS)),
        mounts=collect_mounts(root, _library_folders(interpreter)),
        python_hooks=collect_hooks(root, interpreter),
        python_version=Known(value=legible(interpreter.version), source=Source.HOST),
        python_flags=Known(value=interpreter.flags, source=Source.HOST),
        pynvml_path=parsed(interpreter.pynvml_path, lambda path: legible(path, limit=_VALUE_CHARACTERS)),
        pynvml_sha256=_pynvml_digest(tree, interpreter.pynvml_path),
    )


def _pynvml_digest(tree: Tree, path: Reading[str]) -> Reading[str]:
    return path if isinstance(path, Unknown) else digest_file(tree, path.value)


def _variables(variables: Mapping[str, str]) -> Reading[tuple[EnvironmentVariable, ...]]:
    """Keep the set variables that can change what a reader sees or how work runs, sorted by name."""
    chosen = sorted(name for name in variables if name.startswith(_PREFIXES))
    return parsed(Known(value=chosen, source=Source.HOST), lambda names: _shown(names, variables))


def _shown(names: list[str], variables: Mapping[str, str]) -> tuple[EnvironmentVariable, ...]:
    if len(names) > _MAX_VARIABLES:
        raise ValueError(f"more than {_MAX_VARIABLES} variables of interest")
    return tuple(
        EnvironmentVariable(
            name=legible(name),
            value=_WITHHELD if _SECRET.search(name) else legible(variables[name], limit=_VALUE_CHARACTERS),
        )
        for name in names
    )


def _library_folders(interpreter: Interpreter) -> tuple[str, ...]:
    linked = interpreter.variables.get("LD_LIBRARY_PATH", "").split(":")
    return (*linked, *interpreter.site_folders)
