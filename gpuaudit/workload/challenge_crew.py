"""A process for each device that answers a challenge: one that hangs or dies ends the attempt, and nothing is left running."""

from __future__ import annotations

import importlib
import multiprocessing
from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import Any, Final

from typing_extensions import override

from gpuaudit.challenge.crew import ChallengeCrew
from gpuaudit.challenge.messages import DeviceKind, SlotOffer, SlotOpening
from gpuaudit.challenge.sizes import Sizes
from gpuaudit.challenge.slot import Slot
from gpuaudit.errors import MachineError
from gpuaudit.units import Seconds

# torch is named, not imported: the parent does not load it.
_TORCH: Final = "gpuaudit.workload.torch_challenge"
_CPU_OFFER: Final = SlotOffer(uuid="CPU", bus_id="", largest_rung=95)


class ProcessCrew(ChallengeCrew):
    """Devices of torch's, each worked by a process of its own; the processes end with `release`, or when a time limit is over."""

    def __init__(self, kind: DeviceKind, *, busy_ok: bool, limit: Seconds) -> None:
        """Answer on all CUDA devices, or on the processor.

        Args:
            kind: `CUDA` or `CPU`.
            busy_ok: Whether to load devices that somebody else uses.
            limit: How long a fill may take, or any one epoch of the walk.
        """
        self._kind = kind
        self._busy_ok = busy_ok
        self._limit = limit
        self._found: tuple[tuple[str, SlotOffer], ...] | None = None
        self._workers: list[_Worker] = []

    @property
    @override
    def kind(self) -> DeviceKind:
        return self._kind

    @override
    def offers(self) -> tuple[SlotOffer, ...]:
        return tuple(offer for _, offer in self._devices())

    @override
    def prepare(self, sizes: Sizes) -> None:
        names = [name for name, _ in self._devices()[: sizes.slots]]
        self._workers = [_Worker(self._limit) for _ in names]
        self._all("prepare", [(number, name, sizes) for number, name in enumerate(names)])

    @override
    def fill(self, keys: Sequence[bytes]) -> tuple[tuple[bytes, ...], ...]:
        return tuple(self._all("fill", [(key,) for key in keys]))

    @override
    def walk_epoch(self, seeds: Sequence[bytes]) -> tuple[bytes, ...]:
        return tuple(self._all("walk_epoch", [(seed,) for seed in seeds]))

    @override
    def open(self, openings: Sequence[SlotOpening]) -> tuple[bytes, ...]:
        return tuple(self._all("open", [(one.groups, one.epochs) for one in openings]))

    @override
    def release(self) -> None:
        for worker in self._workers:
            worker.end()
        self._workers = []

    def product_rate(self, width: int) -> float:
        """Return the operations a second of the first device's bare int8 product, for a machine of which no product is claimed."""
        worker = _Worker(self._limit)
        try:
            worker.ask("product_rate", (self._devices()[0][0], width))
            return float(worker.answer())
        finally:
            worker.end()

    def _devices(self) -> tuple[tuple[str, SlotOffer], ...]:
        if self._found is None:
            self._found = (("cpu", _CPU_OFFER),) if self._kind is DeviceKind.CPU else self._cuda()
        return self._found

    def _cuda(self) -> tuple[tuple[str, SlotOffer], ...]:
        worker = _Worker(self._limit)
        try:
            worker.ask("cuda_offers", (self._busy_ok,))
            found: tuple[tuple[str, SlotOffer], ...] = worker.answer()
        finally:
            worker.end()
        return found

    def _all(self, what: str, arguments: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Let all workers do one thing at once, and wait for the last."""
        for worker, own in zip(self._workers, arguments, strict=True):
            worker.ask(what, own)
        return [worker.answer() for worker in self._workers]


class _Worker:
    """One process and the pipe to it."""

    def __init__(self, limit: Seconds) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_work, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()
        self._limit = limit

    def ask(self, what: str, arguments: tuple[Any, ...]) -> None:
        try:
            self._pipe.send((what, arguments))
        except OSError as error:
            raise MachineError(f"device process: gone before {what} ({error.strerror})") from None
        self._asked = what

    def answer(self) -> Any:
        try:
            if not self._pipe.poll(self._limit):
                raise MachineError(f"device process: {self._asked} took longer than {self._limit:g} s and was ended")
            done, value = self._pipe.recv()
        except (EOFError, OSError):
            raise MachineError(f"device process: died during {self._asked}") from None
        if not done:
            raise MachineError(f"device process: {self._asked}: {value}")
        return value

    def end(self) -> None:
        self._process.kill()
        self._process.join()
        self._pipe.close()


def _work(pipe: Connection) -> None:
    """Do what is asked for until the process is ended, and say what went wrong instead of dying of it."""
    bench = _Bench()
    while True:
        try:
            what, arguments = pipe.recv()
        except (EOFError, KeyboardInterrupt):
            return
        try:
            pipe.send((True, getattr(bench, what)(*arguments)))
        except (RuntimeError, MemoryError, ValueError, OSError, MachineError, ImportError) as error:
            pipe.send((False, f"{type(error).__name__}: {error}"[:200]))


class _Bench:
    """What a worker process can be asked for."""

    def cuda_offers(self, busy_ok: bool) -> tuple[tuple[str, SlotOffer], ...]:  # noqa: FBT001 - comes through a pipe
        offers: tuple[tuple[str, SlotOffer], ...] = importlib.import_module(_TORCH).cuda_offers(busy_ok=busy_ok)
        return offers

    def product_rate(self, name: str, width: int) -> float:
        rate: float = importlib.import_module(_TORCH).product_rate(name, width)
        return rate

    def prepare(self, number: int, name: str, sizes: Sizes) -> None:
        self._slot = Slot(number, importlib.import_module(_TORCH).TorchDevice(name), sizes)

    def fill(self, key: bytes) -> tuple[bytes, ...]:
        return self._slot.fill(key)

    def walk_epoch(self, seed: bytes) -> bytes:
        return self._slot.walk_epoch(seed)

    def open(self, groups: Sequence[int], epochs: Sequence[int]) -> bytes:
        return self._slot.open(groups, epochs)
