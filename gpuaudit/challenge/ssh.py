"""Reaching the machine by ssh without giving it anything: no agent, no forwarding, no terminal, no shared connection.

A name that begins with a dash would be an option, and options of ssh run commands; a configuration of one's own may forward the
agent to every host. Both are closed here.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from gpuaudit.challenge.channel import ChannelError, PipeChannel
from gpuaudit.challenge.check import RefusedError
from gpuaudit.challenge.result import HostKey
from gpuaudit.challenge.stopwatch import Stopwatch
from gpuaudit.errors import AuthenticityError, MachineError, UsageError
from gpuaudit.printable import printable

OPTIONS: Final = (
    "-T",
    "-a",
    "-x",
    "-oForwardAgent=no",
    "-oForwardX11=no",
    "-oClearAllForwardings=yes",
    "-oPermitLocalCommand=no",
    "-oControlMaster=no",
    "-oControlPath=none",
    "-oCompression=no",
    "-oTunnel=no",
    "-oStrictHostKeyChecking=yes",
    "-oServerAliveInterval=5",
    "-oLogLevel=DEBUG1",
)
_HOST: Final = re.compile(r"(?!-)[A-Za-z0-9_.@:\[\]%+-]{1,255}")
# The first line of this kind is ssh's own: it is logged to a file of ours, which the other side cannot write.
_HOST_KEY: Final = re.compile(r"^debug1: Server host key: ([a-z0-9@.-]{1,64}) (SHA256:[A-Za-z0-9+/]{43})$", re.MULTILINE)
_LOG_BYTES: Final = 256 * 1024
_STDERR_BYTES: Final = 2048
_STDERR_SECONDS: Final = 0.5
_SHOWN_LINES: Final = 3
_OWN_WORDS: Final = ("debug", "OpenSSH", "Authenticated", "Transferred", "Bytes per second")
_END_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Destination:
    """Where to go, and what to start there.

    `command` is the remote program with its arguments; `config` a file of ssh's own, or empty for the usual ones; `expected_key` a
    fingerprint that was learnt out of band, or empty.
    """

    host: str
    command: tuple[str, ...]
    config: str = ""
    expected_key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """An ssh that runs; `hang_up` ends it from another thread, which whoever waits for the machine finds out at once."""

    channel: PipeChannel
    log: Path
    destination: Destination
    hang_up: Callable[[], None]

    def host_key(self) -> HostKey:
        """Return the key by which the other machine was known; to be asked once it has said something.

        Raises:
            MachineError: ssh did not say.
            AuthenticityError: It is not the one that was expected.
        """
        found = _HOST_KEY.search(_log_of(self.log))
        if found is None:
            host = printable(self.destination.host)
            raise MachineError(f"ssh {host}: ssh did not tell the host key; see ssh -v {host}")
        key = HostKey(algorithm=found[1], fingerprint=found[2])
        expected = self.destination.expected_key
        if expected and key.fingerprint != expected:
            raise AuthenticityError(
                f"ssh {self.destination.host}: host key {key.fingerprint}, but {expected} was expected; another machine answers"
            )
        return key


def command_line(destination: Destination, log: Path) -> list[str]:
    """Return the arguments with which ssh is started.

    Raises:
        UsageError: The host's name is not one.
    """
    if not _HOST.fullmatch(destination.host):
        raise UsageError(
            f"HOST: got {printable(destination.host[:80])!r}, expected a name or address as ssh takes it, not beginning with a dash"
        )
    config = [f"-F{destination.config}"] if destination.config else []
    return ["ssh", *OPTIONS, *config, "-E", str(log), "--", destination.host, shlex.join(destination.command)]


@contextmanager
def connected(destination: Destination, stopwatch: Stopwatch) -> Iterator[Connection]:
    """Start ssh and end it, whatever happens in between.

    What the other side prints to stderr never reaches the terminal as it is; of a flood the beginning is kept.

    Raises:
        UsageError: The host's name is not one.
        MachineError: There is no ssh here, or it could not connect, or what came is no greeting; its last words are in the message.
    """
    with tempfile.TemporaryDirectory(prefix="gpuaudit-ssh-") as folder:
        log = Path(folder) / "log"
        arguments = command_line(destination, log)
        try:
            process = subprocess.Popen(  # noqa: S603 - a list, no shell; the host is checked above
                arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
            )
        except FileNotFoundError:
            raise MachineError(
                "ssh: not installed on this machine; expected a program called ssh; install openssh-client"
            ) from None
        with process:
            stdin, stdout, stderr = process.stdin, process.stdout, process.stderr
            if stdin is None or stdout is None or stderr is None:
                raise MachineError("ssh: started without pipes")
            said = _Beginning(stderr)
            channel = PipeChannel(stdout.fileno(), stdin.fileno(), stopwatch)
            try:
                yield Connection(channel=channel, log=log, destination=destination, hang_up=process.terminate)
            except (ChannelError, RefusedError) as error:
                heard = f"{_last_words(_log_of(log))}{_last_words(said.text())}"
                raise MachineError(
                    f"ssh {destination.host}: {error}{heard}; nothing was challenged; try ssh {destination.host} by hand"
                ) from None
            finally:
                stdin.close()
                _end(process)
                said.text()


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_END_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()


def _log_of(log: Path) -> str:
    try:
        with log.open("rb") as file:
            return file.read(_LOG_BYTES).decode("utf-8", errors="replace").replace("\r", "")
    except FileNotFoundError:
        return ""


class _Beginning:
    """Reads a stream to its end, so that nobody is held up by it, and keeps how it began."""

    def __init__(self, stream: IO[bytes]) -> None:
        self._stream = stream
        self._kept = b""
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def text(self) -> str:
        # What was said before the other side closed may still be on its way.
        self._thread.join(_STDERR_SECONDS)
        return self._kept.decode("utf-8", errors="replace")

    def _read(self) -> None:
        while data := os.read(self._stream.fileno(), _STDERR_BYTES):
            self._kept = (self._kept + data)[:_STDERR_BYTES]


def _last_words(log: str) -> str:
    said = [line.strip() for line in log.splitlines() if line.strip() and not line.startswith(_OWN_WORDS)]
    return "; ssh: " + printable("; ".join(said[-_SHOWN_LINES:])) if said else ""
