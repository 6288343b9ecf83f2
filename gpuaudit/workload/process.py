"""One worker process as its parent sees it: started in a clean environment, spoken to by lines, ended without mercy."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from typing import Final

from gpuaudit.evidence.reading import Reason, Source, Unknown
from gpuaudit.workload.environment import worker_environment

_WAIT_SECONDS: Final = 10
_PIPE_BYTES: Final = 65536
_LAST_WORDS_BYTES: Final = 4096
_LONGEST_DETAIL: Final = 300


class WorkerProcess:
    """A running `gpuaudit.workload.start_worker` in a session of its own."""

    def __init__(self, device: str) -> None:
        """Start a worker for `device`: a UUID, or the host.

        The thread that starts it must outlive it: the kernel kills the worker when that thread ends.
        """
        receive, send = os.pipe()
        read_commands, self._commands = os.pipe()
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed by end()
        command = [
            *(sys.executable, "-P", "-s", "-m", "gpuaudit.workload.start_worker"),
            *("--device", device, "--replies", str(send), "--parent", str(os.getpid())),
        ]
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own module, by our own interpreter
                command,
                stdin=read_commands,
                stdout=self._errors,
                stderr=self._errors,
                pass_fds=(send,),
                env=worker_environment(os.environ),
                start_new_session=True,
            )
        finally:
            os.close(send)
            os.close(read_commands)
        os.set_blocking(receive, False)
        self._receive = receive
        self._pending = b""

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    def fileno(self) -> int:
        """Return the descriptor on which answers come, for a selector."""
        return self._receive

    def send(self, line: bytes) -> None:
        """Write one line to the worker; a worker that is gone shows at the next `lines`."""
        with suppress(BrokenPipeError):
            os.write(self._commands, line)

    def lines(self) -> tuple[bytes, ...]:
        """Return the whole lines that have come since the last call.

        Raises:
            EOFError: The worker has closed its end, and nothing is left to return: it is over.
        """
        closed = False
        while not closed:
            try:
                chunk = os.read(self._receive, _PIPE_BYTES)
            except BlockingIOError:
                break
            self._pending += chunk
            closed = not chunk
        *whole, self._pending = self._pending.split(b"\n")
        if closed and not whole:
            raise EOFError
        return tuple(whole)

    def end(self, *, patience_seconds: float = 0.0) -> Unknown:
        """Kill the worker with all that it started, and wait for it.

        Args:
            patience_seconds: How long to let it end by itself before.

        Returns:
            How it ended.
        """
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(patience_seconds)
        ended_by_itself = self._process.returncode is not None
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(_WAIT_SECONDS)
        os.close(self._commands)
        os.close(self._receive)
        words = self._last_words()
        self._errors.close()
        code = self._process.returncode
        how = f"signal {-code} ({signal.Signals(-code).name})" if code < 0 else f"exit status {code}"
        detail = f"the worker ended by {how if ended_by_itself else 'our own kill'}{': ' if words else ''}{words}"
        return Unknown(reason=Reason.CRASHED, source=Source.WORKLOAD, detail=detail[:_LONGEST_DETAIL])

    def _last_words(self) -> str:
        """Return the last line that the worker, or a library in it, wrote."""
        end = self._errors.seek(0, os.SEEK_END)
        self._errors.seek(max(0, end - _LAST_WORDS_BYTES))
        lines = self._errors.read().decode("utf-8", "replace").strip().splitlines()
        return lines[-1] if lines else ""
