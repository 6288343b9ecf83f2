"""Where the attempts on several machines wait for each other, so that their seeds are revealed at once.

Nobody is waited for longer than the deadlines of its own attempt allow: one that fails, hangs up or is late leaves, and the rest go on.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from enum import StrEnum
from typing import Final, Protocol

from typing_extensions import override

from gpuaudit.challenge.channel import ChannelError

_OVER: Final = "meeting: over, or it went on without this machine"


class Stage(StrEnum):
    """What an attempt is about to do."""

    SEED = "seed"
    SECOND_SEED = "second-seed"
    OPENING = "opening"


class Meeting(Protocol):
    """The others, as one attempt sees them. Implemented by `Alone` and by a seat at a `Gate`."""

    def wait(self, stage: Stage) -> None:
        """Return when all others are about to do the same.

        Raises:
            ChannelError: The meeting is over, or went on without this one.
        """
        ...

    def checking(self) -> AbstractContextManager[None]:
        """Return what to check an answer within: that takes memory, and others check theirs."""
        ...


class Alone(Meeting):
    """No others."""

    @override
    def wait(self, stage: Stage) -> None:
        return

    @override
    def checking(self) -> AbstractContextManager[None]:
        return nullcontext()


class Gate:
    """A gate before each stage, which opens when everybody who is still there stands before it."""

    def __init__(
        self,
        members: Iterable[str],
        *,
        checkers: int,
        opened: Callable[[frozenset[str]], None] = lambda _members: None,
    ) -> None:
        """Expect these members.

        Args:
            members: By name, each once. Each takes its `seat` in a thread of its own, and has to `leave` in the end.
            checkers: How many may check at the same time.
            opened: Is called with those who go through, before they do.
        """
        self._turn = threading.Condition()
        self._present = set(members)
        self._before: dict[Stage, set[str]] = {stage: set() for stage in Stage}
        self._open: set[Stage] = set()
        self._opened = opened
        self._checking = threading.BoundedSemaphore(checkers)
        self._closed = False

    def seat(self, member: str) -> Meeting:
        """Return the meeting as `member` sees it."""
        return _Seat(self, member)

    def leave(self, member: str) -> None:
        """Go on without `member`; nothing where it has left."""
        with self._turn:
            self._present.discard(member)
            self._open_where_all_are()

    def close(self) -> None:
        """Send everybody away, at whatever stage."""
        with self._turn:
            self._closed = True
            self._present.clear()
            self._turn.notify_all()

    def wait(self, member: str, stage: Stage) -> None:
        """Let `member` wait; as `Meeting.wait`."""
        with self._turn:
            if member in self._present:
                self._before[stage].add(member)
                self._open_where_all_are()
            self._turn.wait_for(lambda: stage in self._open or member not in self._present)
            if member not in self._present:
                raise ChannelError(_OVER)

    @contextmanager
    def checking(self) -> Iterator[None]:
        """Wait for a place to check in.

        Raises:
            ChannelError: Everybody was sent away.
        """
        with self._checking:
            if self._closed:
                raise ChannelError(_OVER)
            yield

    def _open_where_all_are(self) -> None:
        for stage in Stage:
            if stage not in self._open and self._present and self._present <= self._before[stage]:
                self._opened(frozenset(self._present))
                self._open.add(stage)
        self._turn.notify_all()


class _Seat(Meeting):
    def __init__(self, gate: Gate, member: str) -> None:
        self._gate = gate
        self._member = member

    @override
    def wait(self, stage: Stage) -> None:
        self._gate.wait(self._member, stage)

    @override
    def checking(self) -> AbstractContextManager[None]:
        return self._gate.checking()
