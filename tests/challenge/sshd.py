"""A real sshd on loopback, for one user and one key, that lives as long as a test."""

from __future__ import annotations

import getpass
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

SSHD = shutil.which("sshd", path="/usr/sbin:/usr/bin:/sbin")


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Where it listens, and how ssh is told of it."""

    config: Path
    fingerprint: str


@contextmanager
def sshd(folder: Path) -> Iterator[Server]:
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
        f"ListenAddress 127.0.0.1:{port}\nHostKey {host_key}\nAuthorizedKeysFile {authorized}\nPidFile none\n"
        "StrictModes no\nUsePAM no\nPasswordAuthentication no\nPermitRootLogin prohibit-password\n"
        "AllowAgentForwarding yes\nAllowTcpForwarding yes\n"
    )
    config = folder / "ssh_config"
    # A user's own configuration may forward everything to everybody.
    config.write_text(
        f"Host *\n  HostName 127.0.0.1\n  Port {port}\n  User {getpass.getuser()}\n  HostKeyAlias audited\n"
        f"  UserKnownHostsFile {folder / 'known_hosts'}\n  GlobalKnownHostsFile none\n  IdentityFile {own_key}\n"
        "  IdentitiesOnly yes\n  ForwardAgent yes\n  ForwardX11 yes\n  RequestTTY force\n  Compression yes\n"
        f"  PermitLocalCommand yes\n  LocalCommand touch {folder / 'local-command-ran'}\n  StrictHostKeyChecking no\n"
    )
    Path("/run/sshd").mkdir(exist_ok=True)
    # With -E it logs to a file; it insists on being called by its full path.
    process = subprocess.Popen([SSHD, "-D", "-E", str(folder / "log"), "-f", str(server_config)])
    try:
        _wait(port, process)
        told = subprocess.run(["ssh-keygen", "-lf", str(host_key)], check=True, capture_output=True, text=True)
        yield Server(config=config, fingerprint=told.stdout.split()[1])
    finally:
        process.terminate()
        process.wait(10)


def _wait(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(100):
        assert process.poll() is None, "sshd ended"
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError("sshd did not listen")
