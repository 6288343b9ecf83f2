"""Profiles of simulated cards: what a genuine card of a product answers, and what it can do."""

from __future__ import annotations

from gpuaudit.evidence.measurement import Dtype
from gpuaudit.evidence.record import entry


@entry
class PhysicalTraits:
    """What the card can do. Rates are dense peaks at the boost clock; a dtype that is missing is one the card lacks.

    `peer_bytes_per_second_one_way` is GPU to GPU over NVLink; 0 means over the host link.
    """

    dense_flop_per_second: dict[Dtype, float]
    sm_count: int
    sm_clock_boost_megahertz: int
    memory_bytes: int
    memory_bytes_per_second: float
    l2_bytes: int
    host_link_bytes_per_second_one_way: float
    peer_bytes_per_second_one_way: float
    power_limit_milliwatts: int
