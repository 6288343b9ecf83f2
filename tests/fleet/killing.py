"""The whole command, killed: `main` of the program in a process of its own, forked from one that has imported what it needs.

Python's own start, and what it imports, are left out of the time: nothing is read or written by then.
"""

from __future__ import annotations

import json
import os
import random
import select
import signal
import statistics
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

_NURSERY = """
import json, os, sys
import gpuaudit.cli.app, gpuaudit.cli.fleet, gpuaudit.cli.fleet_run, gpuaudit.cli.registry
import gpuaudit.registry.entries, gpuaudit.registry.store, pandas, sqlalchemy.dialects.sqlite
for line in sys.stdin:
    child = os.fork()
    if child == 0:
        devnull = os.open(os.devnull, os.O_RDWR)
        for descriptor in (0, 1, 2):
            os.dup2(devnull, descriptor)
        sys.argv = ["gpuaudit", *json.loads(line)]
        try:
            gpuaudit.cli.app.main()
        except SystemExit as ended:
            os._exit(ended.code)
        os._exit(99)
    print(child, flush=True)
    print(os.waitpid(child, 0)[1], flush=True)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a command ended, and after how many seconds."""

    killed: bool
    code: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Nursery:
    """Starts commands, each in a process of its own."""

    orders: IO[str]
    answers: IO[str]

    def run(self, command: Sequence[str | Path], *, kill_after: float = 600.0) -> Ended:
        """Run a command of gpuaudit and send it SIGKILL after so many seconds, unless it has ended by then."""
        began = time.monotonic()
        self._order(command)
        child = int(self.answers.readline())
        # A descriptor of the process, not its number: that may be another's by the time of the kill.
        handle = os.pidfd_open(child)
        try:
            _wait(handle, kill_after - (time.monotonic() - began))
            _kill(handle)
        finally:
            os.close(handle)
        status = int(self.answers.readline())
        code = -1 if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)
        return Ended(killed=os.WIFSIGNALED(status), code=code, seconds=time.monotonic() - began)

    def _order(self, command: Sequence[str | Path]) -> None:
        self.orders.write(json.dumps([str(part) for part in command]) + "\n")
        self.orders.flush()


@contextmanager
def nursery(home: Path) -> Iterator[Nursery]:
    """A process to start commands from, with an empty home folder of its own."""
    settings: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    environment = os.environ | {"XDG_CONFIG_HOME": str(home)}
    with subprocess.Popen([sys.executable, "-c", _NURSERY], env=environment, **settings) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield Nursery(orders=process.stdin, answers=process.stdout)


def kill_over(
    started: Nursery, command: Callable[[str], list[str | Path]], *, kills: int, seed: int, covered: Callable[[], bool]
) -> Iterator[str]:
    """Run commands, each for a name of its own, and kill them at seeded times that cover a whole run evenly; yield each name after its kill.

    How long a whole run takes now is measured again before every tenth kill: the machine may be faster or slower than it was. One that
    ends before its time has come is no kill, and its part of a run is drawn again. After `kills` of them it goes on at any time, until
    `covered` or four times as many.

    Raises:
        AssertionError: Ten times as many runs were not enough, or a run that was not killed failed.
    """
    dice = random.Random(seed)
    parts = list(range(kills))
    dice.shuffle(parts)
    lasted: deque[float] = deque(maxlen=3)
    killed = 0
    for number in range(10 * kills):
        if killed >= kills and (covered() or killed >= 4 * kills):
            return
        if number % 10 == 0:
            whole = started.run(command(f"whole-{number}"))
            assert whole.code == 0
            lasted.append(whole.seconds)
        part = parts[-1] if parts else dice.randrange(kills)
        name = f"killed-{number}"
        ended = started.run(command(name), kill_after=(part + dice.random()) / kills * statistics.median(lasted))
        if not ended.killed:
            assert ended.code == 0
            lasted.append(ended.seconds)
            continue
        killed += 1
        if parts:
            parts.pop()
        yield name
    raise AssertionError(f"{killed} of {kills} killed by {10 * kills} runs")


def _wait(handle: int, seconds: float) -> None:
    select.select([handle], [], [], max(0.0, seconds))


def _kill(handle: int) -> None:
    try:
        signal.pidfd_send_signal(handle, signal.SIGKILL)
    except ProcessLookupError:
        return
