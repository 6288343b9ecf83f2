"""All devices that answer one challenge, at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from typing_extensions import override

from gpuaudit.challenge.messages import DeviceKind, SlotOffer, SlotOpening
from gpuaudit.challenge.sizes import Sizes
from gpuaudit.challenge.slot import ChallengeDevice, Slot
from gpuaudit.challenge.walk import next_walk_seed


class ChallengeCrew(Protocol):
    """The devices of one machine. Every call is for all slots and returns when the last of them is done.

    Implemented by `SameProcessCrew` and by `gpuaudit.workload.challenge_crew.ProcessCrew`, which has a process for each device.
    """

    @property
    def kind(self) -> DeviceKind:
        """What kind of devices they are; goes into the hello."""
        ...

    def offers(self) -> tuple[SlotOffer, ...]:
        """Return the devices, in order, with what each can give."""
        ...

    def prepare(self, sizes: Sizes) -> None:
        """Take the memory of as many devices as there are slots, and warm up.

        Raises:
            MachineError: A device has too little, or is gone.
        """
        ...

    def fill(self, keys: Sequence[bytes]) -> tuple[tuple[bytes, ...], ...]:
        """Return the group hashes of every slot."""
        ...

    def walk_epoch(self, seeds: Sequence[bytes]) -> tuple[bytes, ...]:
        """Walk the next epoch, of which every slot has a seed, and return the digest of every slot."""
        ...

    def open(self, openings: Sequence[SlotOpening]) -> tuple[bytes, ...]:
        """Return what every slot opens."""
        ...

    def release(self) -> None:
        """Give all memory back; does nothing where none was taken."""
        ...


def walk_together(crew: ChallengeCrew, seeds: Sequence[bytes], epochs: int) -> tuple[tuple[bytes, ...], ...]:
    """(8) Walk all epochs, in which no slot begins the next one before all have ended theirs, and return the digests by slot."""
    by_epoch = []
    for _ in range(epochs):
        by_epoch.append(crew.walk_epoch(seeds))
        seeds = [next_walk_seed(seed, by_epoch[-1]) for seed in seeds]
    return tuple(zip(*by_epoch, strict=True))


class SameProcessCrew(ChallengeCrew):
    """Devices of this process, one after the other: for the host's own memory and for simulations."""

    def __init__(self, kind: DeviceKind, devices: Sequence[ChallengeDevice], offers: tuple[SlotOffer, ...]) -> None:
        """Answer with `devices`, described by `offers` in the same order."""
        self._kind = kind
        self._devices = devices
        self._offers = offers
        self._slots: list[Slot] = []

    @property
    @override
    def kind(self) -> DeviceKind:
        return self._kind

    @override
    def offers(self) -> tuple[SlotOffer, ...]:
        return self._offers

    @override
    def prepare(self, sizes: Sizes) -> None:
        self._slots = [Slot(number, self._devices[number], sizes) for number in range(sizes.slots)]

    @override
    def fill(self, keys: Sequence[bytes]) -> tuple[tuple[bytes, ...], ...]:
        return tuple(slot.fill(key) for slot, key in zip(self._slots, keys, strict=True))

    @override
    def walk_epoch(self, seeds: Sequence[bytes]) -> tuple[bytes, ...]:
        return tuple(slot.walk_epoch(seed) for slot, seed in zip(self._slots, seeds, strict=True))

    @override
    def open(self, openings: Sequence[SlotOpening]) -> tuple[bytes, ...]:
        return tuple(slot.open(one.groups, one.epochs) for slot, one in zip(self._slots, openings, strict=True))

    @override
    def release(self) -> None:
        for slot in self._slots:
            slot.release()
        self._slots = []
