"""Processes of this machine, none of which outlives the one that started it."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.connection import wait
from threading import Thread


def process_pool(workers: int, *, prepare: Callable[[], None]) -> ProcessPoolExecutor:
    """Make a pool whose processes each call `prepare` first, and end with this one, SIGKILL included.

    They are started anew rather than forked: a fork copies the locks of whatever threads the caller has.
    """
    return ProcessPoolExecutor(
        workers, mp_context=multiprocessing.get_context("spawn"), initializer=_begin, initargs=(prepare,)
    )


def _begin(prepare: Callable[[], None]) -> None:
    Thread(target=_end_with_parent, daemon=True).start()
    prepare()


def _end_with_parent() -> None:
    """Wait for the end of the process that started this one, which a worker of a pool would never notice by itself."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os._exit(1)
