"""Small trees of files as a genuine machine has them; tests change one thing."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

A100 = "/sys/bus/pci/devices/0000:06:00.0"

# From an A100-SXM4-40GB; the addresses are made up, the sizes are not.
A100_FUNCTION: Mapping[str, str] = {
    f"{A100}/vendor": "0x10de\n",
    f"{A100}/device": "0x20b0\n",
    f"{A100}/class": "0x030200\n",
    f"{A100}/subsystem_vendor": "0x10de\n",
    f"{A100}/subsystem_device": "0x134f\n",
    f"{A100}/resource": (
        "0x00000000fa000000 0x00000000faffffff 0x0000000000040200\n"
        "0x0000004000000000 0x0000004fffffffff 0x000000000014220c\n"
        "0x0000000000000000 0x0000000000000000 0x0000000000000000\n"
        "0x0000005000000000 0x0000005001ffffff 0x000000000014220c\n"
        "0x0000000000000000 0x0000000000000000 0x0000000000000000\n"
        "0x0000000000000000 0x0000000000000000 0x0000000000000000\n"
        "0x0000000000000000 0x0000000000000000 0x0000000000000000\n"
    ),
    f"{A100}/max_link_speed": "16.0 GT/s PCIe\n",
    f"{A100}/current_link_speed": "16.0 GT/s PCIe\n",
    f"{A100}/max_link_width": "16\n",
    f"{A100}/current_link_width": "16\n",
    f"{A100}/numa_node": "-1\n",
}


def put(root: Path, files: Mapping[str, str | bytes]) -> None:
    """Write `files` under `root`, with the folders that they need."""
    for name, content in files.items():
        path = root / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)


def a100_tree(root: Path) -> Path:
    """Write one A100 with its driver, and a network card, and return `root`."""
    put(root, A100_FUNCTION)
    put(root, {"/sys/bus/pci/devices/0000:00:05.0/vendor": "0x1af4\n"})
    driver = root / "sys/bus/pci/drivers/nvidia"
    driver.mkdir(parents=True)
    (root / A100.lstrip("/") / "driver").symlink_to("../../drivers/nvidia")
    return root


@contextmanager
def unprivileged() -> Iterator[None]:
    """Be somebody who may not read everything: a test run by root would be refused nothing."""
    user = os.geteuid()
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)
