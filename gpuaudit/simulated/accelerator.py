"""An accelerator that computes nothing and says how long it would have taken: a roofline over a simulated card.

Shares of the peak are set by public records of the genuine cards, each named beside its number.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from gpuaudit.evidence.measurement import (
    CapacityTask,
    CollectiveTask,
    Dtype,
    GemmTask,
    HostLinkTask,
    MemoryTask,
    PeerTask,
    Task,
)
from gpuaudit.evidence.reading import Reason
from gpuaudit.simulated.card import Card, Load
from gpuaudit.units import Bytes, Seconds
from gpuaudit.workload.accelerator import NotMeasurableError
from gpuaudit.workload.amounts import amount_of, operand_bytes

# Share of the dense peak that a large, well-shaped product reaches.
_ARITHMETIC: Final = {
    # A100 257 to 299 of 312, H100 657 to 956 of 989 (NVIDIA aiconfigurator tables; stas00/ml-engineering).
    Dtype.BF16: 0.87,
    Dtype.FP16: 0.87,
    # A100 130 of 156, H100 373 of 494.5 (huggingface/gpu-fryer).
    Dtype.TF32: 0.82,
    # H100 1403 to 1601 of 1979 (stas00/ml-engineering; aiconfigurator).
    Dtype.FP8: 0.76,
    # A100 563 to 586 of 624 (aiconfigurator, "sq").
    Dtype.INT8: 0.90,
    # A100 18.2 of 19.5, H100 49 of 67 (SN27 config.yaml).
    Dtype.FP32: 0.90,
    # No public record; taken as fp32, which is limited in the same way.
    Dtype.FP64: 0.90,
}
# H100 3.0 of 3.35 TB/s, H200 4.3 of 4.8 TB/s, read and write counted (one machine each, 2026-11).
_MEMORY: Final = {"copy": 0.89, "read": 0.92, "triad": 0.88, "cached-copy": 0.89}
_CACHE_OVER_MEMORY: Final = 2.8
# 8x H200: 396.4 and 783.7 of 450 and 900 GB/s (stas00/ml-engineering, network/README.md).
_PEER: Final = 0.875
# A800 173.6 of 200 GB/s on eight cards; A100 at least 228 of 300 (Azure health check).
_COLLECTIVE: Final = 0.82
# Of what packet headers leave: Azure health checks ask at least 21 of 25 GB/s (generation 4) and 48 of 50 GB/s (generation 5).
_HOST_LINK: Final = 0.97
_PEER_OVER_HOST_LINK: Final = 0.85
_DUPLEX: Final = 0.9
_FILL_AND_CHECK: Final = 0.25
_LAUNCH_SECONDS: Final = 4e-6
_TILE: Final = 128
_DEPTH: Final = 192.0
_JITTER: Final = 0.003
_DRIVER_SHARE: Final = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class _Cost:
    """What one pass takes at full clock, and what it stresses."""

    seconds: float
    load: Load
    amount: float
    used_bytes: int


class SimulatedKernel:
    """A task on one simulated card."""

    def __init__(self, card: Card, cost: _Cost, *, sharers: int) -> None:
        """Take the memory and be ready; `sharers` workloads use the card in turn, this one among them."""
        self._card = card
        self._cost = cost
        self._sharers = sharers
        card.begin(cost.used_bytes)

    def amount_per_pass(self) -> float:
        """Return what one pass works off."""
        return self._cost.amount

    def time(self, runs: int, *, passes: int) -> tuple[Seconds, ...]:
        """Let the card's virtual clock run and return how long each run took on it."""
        card, cost = self._card, self._cost
        times = []
        for _ in range(runs):
            speed = card.speed() if cost.load is Load.ARITHMETIC else min(1.0, 2 * card.speed())
            jitter = 1 + abs(card.noise.gauss(0, _JITTER))
            took = (cost.seconds / max(speed, 0.05) + _LAUNCH_SECONDS) * passes * self._sharers * jitter
            card.work(took, cost.load)
            times.append(Seconds(took))
        return tuple(times)

    def release(self) -> None:
        """Give the memory back."""
        self._card.state.used_bytes = 0


class SimulatedAccelerator:
    """One simulated device at work, with the cards beside it where a task needs them."""

    def __init__(self, card: Card, *, reported_bytes: int, sharers: int = 1, others: Sequence[Card] = ()) -> None:
        """Stand for `card`.

        Args:
            card: The physics.
            reported_bytes: The memory that it claims to have; who forges the size forges what is free, too.
            sharers: How many workloads use the card at this time.
            others: Further cards of a link task.
        """
        self._card = card
        self._reported_bytes = reported_bytes
        self._sharers = sharers
        self._others = tuple(others)

    @property
    def simulated(self) -> bool:
        """Always true."""
        return True

    def now(self) -> Seconds:
        """Return the card's virtual time."""
        return Seconds(self._card.state.seconds)

    def free_bytes(self) -> Bytes:
        """Return what the card claims to have free."""
        return Bytes(int(self._reported_bytes * (1 - _DRIVER_SHARE)))

    def prepare(self, task: Task, *, rotation_bytes: Bytes) -> SimulatedKernel:  # noqa: ARG002 - the protocol asks for it
        """Work out what `task` costs; rotating operands changes nothing here, since no cache is in the model of a product.

        Raises:
            NotMeasurableError: The card lacks the dtype, or the memory.
        """
        cost = self._cost(task)
        if cost.used_bytes > self._card.traits.memory_bytes:
            raise NotMeasurableError(Reason.OUT_OF_MEMORY, f"{cost.used_bytes} bytes of operands do not fit")
        self._card.work(_LAUNCH_SECONDS + cost.used_bytes / self._card.traits.memory_bytes_per_second, Load.MEMORY)
        return SimulatedKernel(self._card, cost, sharers=self._sharers)

    def _cost(self, task: Task) -> _Cost:
        match task:
            case GemmTask():
                return self._gemm(task)
            case MemoryTask():
                return self._memory(task)
            case CapacityTask():
                return self._capacity(task)
            case HostLinkTask():
                rate = self._card.traits.host_link_bytes_per_second_one_way * _HOST_LINK
                return self._link(task, rate * (2 * _DUPLEX if task.kind == "host-duplex" else 1))
            case PeerTask():
                return self._link(task, self._between(_PEER) * (2 if task.kind == "peer-both-ways" else 1))
            case CollectiveTask():
                return self._link(task, self._between(_COLLECTIVE))

    def _gemm(self, task: GemmTask) -> _Cost:
        traits = self._card.traits
        peak = traits.dense_flop_per_second.get(task.dtype)
        if peak is None:
            raise NotMeasurableError(Reason.NOT_SUPPORTED, f"the device has no {task.dtype.value} arithmetic")
        waves = math.ceil(task.m / _TILE) * math.ceil(task.n / _TILE) / traits.sm_count
        filled = waves / math.ceil(waves)
        share = _ARITHMETIC[task.dtype] * filled * task.k / (task.k + _DEPTH)
        flop = amount_of(task)
        traffic = operand_bytes(task) / (traits.memory_bytes_per_second * _MEMORY["read"])
        seconds = max(flop / (peak * share), traffic) / self._card.quality
        return _Cost(seconds=seconds, load=Load.ARITHMETIC, amount=flop, used_bytes=operand_bytes(task))

    def _memory(self, task: MemoryTask) -> _Cost:
        traits = self._card.traits
        size = task.working_set_bytes
        rate = traits.memory_bytes_per_second * _MEMORY[task.kind]
        # All hits while the set fits into the cache, none once it is twice as large.
        hits = max(0.0, min(1.0, 2 - size / traits.l2_bytes)) if task.kind == "cached-copy" and traits.l2_bytes else 0.0
        seconds = size / rate * (1 - hits + hits / _CACHE_OVER_MEMORY) / self._card.quality
        return _Cost(seconds=seconds, load=Load.MEMORY, amount=float(size), used_bytes=size)

    def _capacity(self, task: CapacityTask) -> _Cost:
        """Fill what there is: bytes beyond the physical memory come back wrong."""
        traits = self._card.traits
        share = int(traits.memory_bytes * (1 - _DRIVER_SHARE)) // self._sharers
        blocks = min(task.requested_bytes, share) // max(task.block_bytes, 1)
        if not blocks:
            raise NotMeasurableError(Reason.OUT_OF_MEMORY, "not one block of memory is free")
        right = blocks * task.block_bytes
        seconds = task.requested_bytes / (traits.memory_bytes_per_second * _FILL_AND_CHECK)
        return _Cost(seconds=seconds, load=Load.MEMORY, amount=float(right), used_bytes=min(right, traits.memory_bytes))

    def _link(self, task: HostLinkTask | PeerTask | CollectiveTask, bytes_per_second: float) -> _Cost:
        amount = amount_of(task, devices=1 + len(self._others))
        seconds = amount / bytes_per_second / self._card.quality
        return _Cost(seconds=seconds, load=Load.LINK, amount=amount, used_bytes=task.buffer_bytes)

    def _between(self, share_of_link: float) -> float:
        """Return the one-way rate between this card and the others, by the slowest way."""
        cards = (self._card, *self._others)
        if all(card is self._card for card in cards):
            # One card shown as several: what looks like a link is a copy inside its memory.
            return self._card.traits.memory_bytes_per_second * _MEMORY["copy"] / 2
        rates = []
        for card in cards:
            link = card.traits.peer_bytes_per_second_one_way
            over_host = card.traits.host_link_bytes_per_second_one_way * _PEER_OVER_HOST_LINK
            rates.append(link * share_of_link if link else over_host)
        return min(rates)
