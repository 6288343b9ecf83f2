"""Which key signs, and that a passphrase is asked of a person or of nobody."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from gpuaudit.cli.exits import Exit
from tests.cli.conftest import Gpuaudit

ATTEST: Final = ["attest", "--simulate", "t4:1", "--out", "out", "--key", "k.pem"]

# In a process of its own: this one may have threads, which a fork would not take along.
ON_A_TERMINAL: Final = """
import os, pty, sys
pid, terminal = pty.fork()
if pid == 0:
    os.execv(sys.executable, [sys.executable, "-m", "gpuaudit", *sys.argv[2:]])
seen = b""
try:
    while chunk := os.read(terminal, 1000):
        seen += chunk
        if b"passphrase of" in seen and sys.argv[1]:
            os.write(terminal, sys.argv[1].encode() + b"\\n")
            sys.argv[1] = ""
except OSError:
    pass
print(seen.decode())
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""


@pytest.fixture(autouse=True)
def encrypted_key(home: Path) -> None:
    pem = ed25519.Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"open sesame")
    )
    (home / "k.pem").touch(0o600)
    (home / "k.pem").write_bytes(pem)


def test_without_a_terminal_an_encrypted_key_is_wrong_usage(gpuaudit: Gpuaudit, home: Path) -> None:
    ran = gpuaudit(*ATTEST)
    assert (ran.code, ran.out, ran.err.count("\n")) == (Exit.USAGE, "", 1)
    assert "no terminal" in ran.err
    assert not (home / "out").exists()


@pytest.mark.parametrize(("typed", "code"), [("open sesame", Exit.DONE), ("wrong", Exit.USAGE), ("\x03", Exit.INTERRUPTED)])
def test_on_a_terminal_the_passphrase_is_asked_for_and_not_shown(home: Path, typed: str, code: Exit) -> None:
    ran = subprocess.run([sys.executable, "-c", ON_A_TERMINAL, typed, *ATTEST], capture_output=True, text=True, check=False)
    assert ran.returncode == code, ran.stdout
    assert typed == "\x03" or typed not in ran.stdout
    assert "Traceback" not in ran.stdout
    assert (home / "out/evidence.json").exists() == (code is Exit.DONE)
