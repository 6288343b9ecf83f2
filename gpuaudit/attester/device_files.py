"""Names of the device files through which programs reach cards.

A name is no evidence of a driver: `/dev/nvidiactl` alone is made by the first program, run as root, that loads NVIDIA's
library, with no kernel module behind it. `/dev/dxg` is how cards are reached under WSL2, where there is no `/dev/nvidia0`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from gpuaudit.attester.files import Tree, legible, parsed
from gpuaudit.evidence.reading import Reading, Source

_PREFIX: Final = "nvidia"
_MAX_FILES: Final = 1024


def collect_device_files(root: Path) -> Reading[tuple[str, ...]]:
    """List the names in `/dev` that begin with `nvidia`, as `nvidia0`, sorted.

    Args:
        root: Where the machine's file system begins.
    """
    return parsed(Tree(root=root, source=Source.DEVICE_FILES).names("/dev"), _of_nvidia)


def collect_dxg(root: Path) -> Reading[bool]:
    """Tell whether `/dev/dxg` is there.

    Args:
        root: Where the machine's file system begins.
    """
    return parsed(Tree(root=root, source=Source.DEVICE_FILES).names("/dev"), lambda names: "dxg" in names)


def _of_nvidia(names: tuple[str, ...]) -> tuple[str, ...]:
    chosen = tuple(legible(name) for name in names if name.startswith(_PREFIX))
    if len(chosen) > _MAX_FILES:
        raise ValueError(f"/dev: more than {_MAX_FILES} names that begin with {_PREFIX}")
    return chosen
