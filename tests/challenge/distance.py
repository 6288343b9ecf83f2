"""Distance between verifier and prover: network namespaces with a slow link, and a relay that holds every byte back."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.challenge.sshd import Site

_HERE = "198.18.77.1"
_THERE = "198.18.77.2"


class RefusedHereError(Exception):
    """This machine or its kernel does not allow it; the words say why."""


def _run(*command: str) -> None:
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise RefusedHereError(f"{' '.join(command)}: {ran.stderr.strip()}")


class FarSite:
    """A network namespace at the other end of a pair of interfaces."""

    def __init__(self) -> None:
        self._name = f"gpuaudit-{os.getpid()}"
        self._ends = (f"ga{os.getpid()}a", f"ga{os.getpid()}b")
        self.site = Site(address=_THERE, prefix=("ip", "netns", "exec", self._name))

    def make(self) -> None:
        """Make it.

        Raises:
            RefusedHereError: It is not allowed here.
        """
        here, there = self._ends
        _run("ip", "netns", "add", self._name)
        _run("ip", "link", "add", here, "type", "veth", "peer", "name", there, "netns", self._name)
        _run("ip", "address", "add", f"{_HERE}/30", "dev", here)
        _run("ip", "link", "set", here, "up")
        _run(*self.site.prefix, "ip", "address", "add", f"{_THERE}/30", "dev", there)
        _run(*self.site.prefix, "ip", "link", "set", there, "up")

    def delay(self, seconds: float) -> None:
        """Hold every packet back, in both directions.

        Raises:
            RefusedHereError: The kernel has no netem.
        """
        held = ("root", "netem", "delay", f"{seconds * 1000:g}ms")
        _run("tc", "qdisc", "add", "dev", self._ends[0], *held)
        _run(*self.site.prefix, "tc", "qdisc", "add", "dev", self._ends[1], *held)

    def no_delay(self) -> None:
        """Let every packet pass again."""
        _run("tc", "qdisc", "delete", "dev", self._ends[0], "root")
        _run(*self.site.prefix, "tc", "qdisc", "delete", "dev", self._ends[1], "root")

    def unmake(self) -> None:
        """Remove what there is of it."""
        # Either end takes the other along, and what listens there loses its network.
        subprocess.run(["ip", "link", "delete", self._ends[0]], capture_output=True, check=False)
        subprocess.run(["ip", "netns", "delete", self._name], capture_output=True, check=False)


@contextmanager
def far_site() -> Iterator[FarSite]:
    """Make a far site and remove it again, whatever happens; skip where that is not allowed."""
    if os.geteuid() != 0 or not all(map(shutil.which, ("ip", "tc"))):
        pytest.skip("network namespaces: want root, ip and tc")
    far = FarSite()
    try:
        try:
            far.make()
        except RefusedHereError as refused:
            pytest.skip(f"network namespaces: not allowed here: {refused}")
        yield far
    finally:
        far.unmake()


@contextmanager
def slow_relay(port: int, seconds: float) -> Iterator[int]:
    """Give a port of this machine that leads to another one, every byte `seconds` late in both directions."""
    command = [sys.executable, "-m", "tests.challenge.relay", str(port), str(seconds)]
    root = Path(__file__).parents[2]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=root) as relay:
        assert relay.stdout is not None
        try:
            yield int(relay.stdout.readline())
        finally:
            relay.terminate()
