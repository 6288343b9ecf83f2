"""The first lines of a worker process, run as `python -m gpuaudit.workload.start_worker`.

Commands come on standard input, answers go to a descriptor of their own, since libraries write what they like to standard output.
torch is loaded here and in no other process.
"""

from __future__ import annotations

import argparse
import ctypes
import importlib
import os
import signal
import sys
from typing import Final

from gpuaudit.evidence.reading import Reason
from gpuaudit.workload.messages import Failed, line_from

_PR_SET_PDEATHSIG: Final = 1


def main() -> None:
    """Load torch and serve, or say why torch cannot be loaded."""
    parser = argparse.ArgumentParser(prog="gpuaudit-worker")
    parser.add_argument("--device", required=True)
    parser.add_argument("--replies", type=int, required=True)
    parser.add_argument("--parent", type=int, required=True)
    arguments = parser.parse_args()
    _die_with(arguments.parent)
    with os.fdopen(arguments.replies, "wb") as replies:
        try:
            worker = importlib.import_module("gpuaudit.workload.worker")
        except ModuleNotFoundError as error:
            replies.write(line_from(Failed(reason=Reason.NOT_FOUND, detail=f"torch is not installed ({error})")))
        except (ImportError, OSError) as error:
            replies.write(line_from(Failed(reason=Reason.FAULT, detail=f"torch does not load: {error}")))
        else:
            worker.Worker(sys.stdin.buffer, replies, arguments.device).serve()


def _die_with(parent: int) -> None:
    """Ask the kernel to kill this process when its parent ends, however it ends.

    Raises:
        SystemExit: The parent has ended already.
    """
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        raise SystemExit(0)


if __name__ == "__main__":
    main()
