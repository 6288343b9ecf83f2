"""Runs a program and notes when seeds go in and answers come out: `python stamped.py FILE PROGRAM ARGUMENT…`.

What the other machine itself took is the verifier's time less the way there and back; both clocks are one here.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from typing import IO

MARKS = {b'"type":"seed"': "seed", b'"type":"committed"': "committed", b'"type":"second-seed"': "second-seed"}
MARKS[b'"type":"walked"'] = "walked"


class Stamps:
    """What was seen when, in a file that is complete before anything is passed on: the verifier may end us at any time."""

    def __init__(self, file: str) -> None:
        self._file = file
        self._at: dict[str, int] = {}
        self._lock = threading.Lock()

    def look(self, data: bytes) -> None:
        now = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
        with self._lock:
            self._at.update({name: now for mark, name in MARKS.items() if mark in data})
            with open(self._file, "w", encoding="ascii") as out:  # noqa: PTH123 - runs by itself, without the repository
                json.dump(self._at, out)


def passed_on(source: int, target: int, stamps: Stamps) -> None:
    while data := os.read(source, 65_536):
        stamps.look(data)
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(target, rest) :]


def fed(stdin: IO[bytes], stamps: Stamps) -> None:
    passed_on(0, stdin.fileno(), stamps)
    stdin.close()


def main(file: str, command: list[str]) -> int:
    stamps = Stamps(file)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        threading.Thread(target=fed, args=(process.stdin, stamps), daemon=True).start()
        passed_on(process.stdout.fileno(), 1, stamps)
        return process.wait()


if __name__ == "__main__":
    # Threads that still read stdin would hold the interpreter up.
    sys.stdout.flush()
    os._exit(main(sys.argv[1], sys.argv[2:]))
