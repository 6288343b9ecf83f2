"""A real sshd, for one user and one key, that lives as long as a test: on loopback, or wherever a test puts it."""

from __future__ import annotations

import getpass
import os
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.challenge.rounds import A100

SSHD = shutil.which("sshd", path="/usr/sbin:/usr/bin:/sbin")
needs_sshd = pytest.mark.skipif(SSHD is None or os.geteuid() != 0, reason="openssh-server is not installed, or not run as root")


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Where an sshd is put: the address at which it listens, and what its command line begins with."""

    address: str = "127.0.0.1"
    prefix: tuple[str, ...] = ()


HERE = Site()


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Where it listens, and how ssh is told of it."""

    config: Path
    fingerprint: str
    port: int

    def reached_through(self, port: int) -> Path:
        """Write a configuration by which ssh comes to it by way of another port of this machine."""
        other = self.config.with_name(f"ssh_config-{port}")
        lines = self.config.read_text().splitlines(keepends=True)
        changed = {"HostName": "127.0.0.1", "Port": str(port)}
        other.write_text("".join(f"  {key} {changed[key]}\n" if (key := _key(line)) in changed else line for line in lines))
        return other


def _key(line: str) -> str:
    return line.split(maxsplit=1)[0]


@contextmanager
def sshd(folder: Path, site: Site = HERE) -> Iterator[Server]:
    """Start one, or fail: where it is installed, it has to start."""
    assert SSHD is not None
    folder.chmod(0o700)
    host_key, own_key = folder / "host_key", folder / "own_key"
    for key in (host_key, own_key):
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    authorized = folder / "authorized_keys"
    authorized.write_text((folder / "own_key.pub").read_text())
    (folder / "known_hosts").write_text(f"audited {(folder / 'host_key.pub').read_text()}")
    server_config = folder / "sshd_config"
    server_config.write_text(
        f"ListenAddress {site.address}:{port}\nHostKey {host_key}\nAuthorizedKeysFile {authorized}\nPidFile none\n"
        "StrictModes no\nUsePAM no\nPasswordAuthentication no\nPermitRootLogin prohibit-password\n"
        "AllowAgentForwarding yes\nAllowTcpForwarding yes\n"
    )
    config = folder / "ssh_config"
    # A user's own configuration may forward everything to everybody.
    config.write_text(
        f"Host *\n  HostName {site.address}\n  Port {port}\n  User {getpass.getuser()}\n  HostKeyAlias audited\n"
        f"  UserKnownHostsFile {folder / 'known_hosts'}\n  GlobalKnownHostsFile none\n  IdentityFile {own_key}\n"
        "  IdentitiesOnly yes\n  ForwardAgent yes\n  ForwardX11 yes\n  RequestTTY force\n  Compression yes\n"
        f"  PermitLocalCommand yes\n  LocalCommand touch {folder / 'local-command-ran'}\n  StrictHostKeyChecking no\n"
    )
    Path("/run/sshd").mkdir(exist_ok=True)
    # With -E it logs to a file; it insists on being called by its full path.
    process = subprocess.Popen([*site.prefix, SSHD, "-D", "-E", str(folder / "log"), "-f", str(server_config)])
    try:
        _wait(site.address, port, process)
        told = subprocess.run(["ssh-keygen", "-lf", str(host_key)], check=True, capture_output=True, text=True)
        yield Server(config=config, fingerprint=told.stdout.split()[1], port=port)
    finally:
        process.terminate()
        process.wait(60)


def _wait(address: str, port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(1200):
        assert process.poll() is None, "sshd ended"
        with socket.socket() as probe:
            if probe.connect_ex((address, port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError("sshd did not listen")


def installed_program(folder: Path, *, begun_by: str = "") -> Path:
    """Write the program of the other machine, which has a home of its own there.

    Args:
        folder: Where it goes; its environment is left in the file `environment` beside it.
        begun_by: What the command line of the real program is put behind.
    """
    path = folder / "gpuaudit-there"
    path.write_text(
        f"#!/bin/sh\nexport XDG_CONFIG_HOME={shlex.quote(str(folder / 'there'))} OPENBLAS_NUM_THREADS=1\n"
        f"env > {shlex.quote(str(folder / 'environment'))}\n"
        f'exec {begun_by} {shlex.quote(sys.executable)} -m gpuaudit "$@"\n'
    )
    path.chmod(0o755)
    return path


def rehearsed_over_ssh(config: Path, program: Path, *more: str) -> list[str]:
    """Return the arguments of a rehearsal of one A100, answered by the processor."""
    fixed = ["challenge", "ssh", "audited", "--product", A100, "--slots", "1", "--rehearsal", "--device", "cpu"]
    return [*fixed, "--ssh-config", str(config), "--remote", str(program), *more]
