"""How a simulated card behaves under load: clock, power, heat and what they do to its speed, on a virtual clock.

A model, not a measurement. Its constants are set so that a simulated card gives what public records of the genuine one give; what
they do not settle (time constants, the shape of the power curve) is plausible and nothing more.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass
from enum import Enum
from typing import Final

from gpuaudit.evidence.reading import Known, Source
from gpuaudit.evidence.telemetry import Throttle
from gpuaudit.simulated.device import DeviceState
from gpuaudit.simulated.profile import PhysicalTraits
from gpuaudit.workload.telemetry import INTERVAL_SECONDS, Moment

_IDLE_MEGAHERTZ: Final = 210.0
_IDLE_MILLIWATTS: Final = 60_000.0
_CLOCK_SECONDS: Final = 0.03
_HEAT_SECONDS: Final = 25.0
# Degrees above the surroundings at the power limit.
_RISE_CELSIUS: Final = 42.0
# The GPU's highest operating temperature in captures of an A100 and a T4 (gpu_temp_max_gpu_threshold, k8s-test-infra).
_THROTTLE_CELSIUS: Final = 85.0
_SLOWDOWN_PER_DEGREE: Final = 0.03
_SLOWEST: Final = 0.2
# Power follows roughly the 2.4th power of the clock where voltage falls with it.
_POWER_EXPONENT: Final = 2.4


class Load(Enum):
    """What a kernel stresses; the value is its demand for power at full clock, relative to the limit."""

    ARITHMETIC = 1.04
    MEMORY = 0.72
    LINK = 0.35


@dataclass(slots=True)
class _Precise:
    """The state between the whole numbers that NVML shows."""

    clock: float = _IDLE_MEGAHERTZ
    celsius: float = 30.0
    millijoules: float = 0.0


class Card:
    """One physical card. Devices that share a `DeviceState` are one card, whatever they report."""

    def __init__(self, traits: PhysicalTraits, state: DeviceState, *, seed: int, ambient_celsius: float) -> None:
        """Put the card, cold and idle, into surroundings of `ambient_celsius`; `seed` decides its place in the genuine spread."""
        self.traits = traits
        self.state = state
        self.noise = random.Random(seed)  # noqa: S311 - jitter of a model, not a secret
        # Healthy cards of one node differ by 5 % and more (ml-engineering, compute/accelerator/README.md).
        self.quality = 1 + max(-0.025, min(0.025, self.noise.gauss(0, 0.01)))
        self.moments: list[tuple[float, Moment]] = []
        self._ambient = ambient_celsius
        self._now = _Precise(
            clock=float(state.sm_clock_megahertz), celsius=max(float(state.temperature_celsius), ambient_celsius)
        )
        self._next_moment = 0.0

    def speed(self) -> float:
        """Return the SM clock relative to the boost clock."""
        return self._now.clock / self.traits.sm_clock_boost_megahertz

    def begin(self, used_bytes: int) -> None:
        """Start to record, with `used_bytes` of memory taken."""
        self.state.used_bytes = used_bytes
        self.moments = []
        self._next_moment = self.state.seconds

    def work(self, seconds: float, load: Load) -> None:
        """Let `seconds` pass under `load`."""
        target, throttle = self._target(load)
        demand = self._power(load)
        self._pass(seconds, target=target, milliwatts=demand, throttle=throttle, busy=100)

    def rest(self, seconds: float) -> None:
        """Let `seconds` pass idle, with the memory given back."""
        self.state.used_bytes = 0
        self._pass(seconds, target=_IDLE_MEGAHERTZ, milliwatts=_IDLE_MILLIWATTS, throttle=Throttle.GPU_IDLE, busy=0)

    def _target(self, load: Load) -> tuple[float, Throttle]:
        """Return the clock that power and heat allow, and what holds it down."""
        throttle = Throttle(0)
        share = 1.0
        if load.value > 1:
            share = math.pow(load.value, -1 / _POWER_EXPONENT)
            throttle |= Throttle.SW_POWER_CAP
        if self._now.celsius >= _THROTTLE_CELSIUS:
            share *= max(_SLOWEST, 1 - _SLOWDOWN_PER_DEGREE * (self._now.celsius - _THROTTLE_CELSIUS + 1))
            throttle |= Throttle.SW_THERMAL
        return self.traits.sm_clock_boost_megahertz * share, throttle

    def _power(self, load: Load) -> float:
        limit = float(self.traits.power_limit_milliwatts)
        speed = self.speed()
        return min(limit, limit * load.value * math.pow(max(0.1, speed), _POWER_EXPONENT) + _IDLE_MILLIWATTS * (1 - speed))

    def _pass(self, seconds: float, *, target: float, milliwatts: float, throttle: Throttle, busy: int) -> None:
        now, state = self._now, self.state
        now.clock = target + (now.clock - target) * math.exp(-seconds / _CLOCK_SECONDS)
        warmest = self._ambient + _RISE_CELSIUS * milliwatts / self.traits.power_limit_milliwatts
        now.celsius = warmest + (now.celsius - warmest) * math.exp(-seconds / _HEAT_SECONDS)
        now.millijoules += milliwatts * seconds
        state.sm_clock_megahertz = round(now.clock / 15) * 15
        state.power_milliwatts = round(milliwatts)
        state.temperature_celsius = round(now.celsius)
        state.throttle_reasons_mask = int(throttle)
        state.gpu_utilization_percent = busy
        state.energy_millijoules = round(now.millijoules)
        state.seconds += seconds
        while busy and self._next_moment <= state.seconds:
            self.moments.append((self._next_moment, self._moment()))
            self._next_moment += INTERVAL_SECONDS

    def _moment(self) -> Moment:
        state = self.state
        jitter = self.noise.gauss(0, 0.004)
        return Moment(
            sm_clock_megahertz=_known(state.sm_clock_megahertz),
            memory_clock_megahertz=_known(state.memory_clock_megahertz),
            power_milliwatts=_known(round(state.power_milliwatts * (1 + jitter))),
            energy_millijoules=_known(state.energy_millijoules),
            temperature_celsius=_known(state.temperature_celsius),
            throttle_reasons_mask=_known(state.throttle_reasons_mask),
            gpu_utilization_percent=_known(state.gpu_utilization_percent),
            pcie_transmit_kilobytes_per_second=_known(state.pcie_transmit_kilobytes_per_second),
            pcie_receive_kilobytes_per_second=_known(state.pcie_receive_kilobytes_per_second),
            process_count=_known(1),
        )


def _known(value: int) -> Known[int]:
    return Known(value=value, source=Source.NVML)
