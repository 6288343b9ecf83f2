"""A Python process without anything remarkable."""

from __future__ import annotations

from collections.abc import Mapping

from gpuaudit.attester.interpreter import Interpreter
from gpuaudit.evidence.reading import Known, Source

SITE = "/usr/lib/python3/dist-packages"
PYNVML = f"{SITE}/pynvml.py"


def honest_interpreter(variables: Mapping[str, str] | None = None) -> Interpreter:
    """Describe a Debian Python that runs isolated."""
    return Interpreter(
        version="3.11.2 (main) [GCC 12.2.0]",
        flags=("isolated=1",),
        variables={"PATH": "/usr/bin", "HOME": "/root"} if variables is None else variables,
        site_folders=("/usr/local/lib/python3.11/dist-packages", SITE),
        search_path=("", "/usr/lib/python3.11", SITE),
        pynvml_path=Known(value=PYNVML, source=Source.HOST),
    )
