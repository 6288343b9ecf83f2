"""A simulated card: what it reports, what it is, and the state that both sides of it share.

`reported` and `physical` are the same profile for an honest card. An adversary makes them differ: a T4 whose every reported value is
an A100's has the T4's physics. The simulated NVML answers from `reported` and `state`; the simulated accelerator works by
`physical` and changes `state`, so that telemetry follows the load.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from gpuaudit.simulated.profile import Profile


@dataclass(slots=True, kw_only=True)
class DeviceState:
    """What changes while a card works. Times are those of the simulation's virtual clock."""

    seconds: float = 0.0
    sm_clock_megahertz: int = 210
    memory_clock_megahertz: int = 0
    power_milliwatts: int = 60_000
    energy_millijoules: int = 0
    temperature_celsius: int = 30
    throttle_reasons_mask: int = 1
    gpu_utilization_percent: int = 0
    pcie_transmit_kilobytes_per_second: int = 0
    pcie_receive_kilobytes_per_second: int = 0
    used_bytes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedDevice:
    """One card in its seat. `refuses` maps an NVML function to the return code it answers instead."""

    index: int
    reported: Profile
    physical: Profile
    uuid: str
    serial: str
    bus_id: str
    foreign_processes: int = 0
    refuses: dict[str, int] = field(default_factory=dict)
    state: DeviceState = field(default_factory=DeviceState)
