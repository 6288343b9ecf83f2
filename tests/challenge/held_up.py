"""Answers as the real program does until the seed comes: then it is gone, or hangs. `python held_up.py gone|hangs FILE PROGRAM…`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def main(then: str, file: str, command: list[str]) -> None:
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        assert process.stdin is not None
        for line in sys.stdin.buffer:
            if b'"type":"seed"' in line:
                Path(file).touch()
                if then == "hangs":
                    # For as long as anybody is there: a verifier that was killed leaves nothing running.
                    sys.stdin.buffer.read()
                process.kill()
                return
            process.stdin.write(line)
            process.stdin.flush()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:])
