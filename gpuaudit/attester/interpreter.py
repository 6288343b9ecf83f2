"""The Python process that collects, as it sees itself: what could have been put between it and the hardware."""

from __future__ import annotations

import importlib.util
import os
import site
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from gpuaudit.evidence.reading import Known, Reading, Reason, Source, Unknown


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter:
    """One Python process.

    `flags` are those of `sys.flags` that are not zero, as `isolated=1`. `.pth` files are obeyed in `site_folders`;
    `search_path` is where modules come from. Paths are as on the machine.
    """

    version: str
    flags: tuple[str, ...]
    variables: Mapping[str, str]
    site_folders: tuple[str, ...]
    search_path: tuple[str, ...]
    pynvml_path: Reading[str]


def running_interpreter() -> Interpreter:
    """Describe the process that runs this code, now: modules loaded later are not seen."""
    return Interpreter(
        version=sys.version,
        flags=tuple(f"{name}={value}" for name, value in _flags() if value),
        variables=dict(os.environ),
        site_folders=tuple(dict.fromkeys((*site.getsitepackages(), site.getusersitepackages()))),
        search_path=tuple(dict.fromkeys(sys.path)),
        pynvml_path=_pynvml_path(),
    )


def _flags() -> list[tuple[str, int]]:
    names = [name for name in dir(sys.flags) if not name.startswith(("_", "n_")) and name not in ("count", "index")]
    return [(name, int(getattr(sys.flags, name))) for name in names]


def _pynvml_path() -> Reading[str]:
    """Return the file of the pynvml that is in use, or of the one that would be."""
    loaded = sys.modules.get("pynvml")
    if loaded is not None:
        path = getattr(loaded, "__file__", None)
    else:
        spec = importlib.util.find_spec("pynvml")
        path = None if spec is None else spec.origin
    if not isinstance(path, str):
        return Unknown(reason=Reason.NOT_FOUND, source=Source.HOST, detail="pynvml comes from no file")
    return Known(value=path, source=Source.HOST)
