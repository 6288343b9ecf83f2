"""Adversaries that invent what changes while a card works, or what was measured."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Final

from gpuaudit.evidence.measurement import Measurement
from gpuaudit.evidence.reading import Known, Reading
from gpuaudit.evidence.telemetry import Telemetry
from gpuaudit.simulated.adversaries.adversary import Control, adversary, number_of
from gpuaudit.simulated.adversaries.functions import memory_of, refused
from gpuaudit.simulated.adversaries.stage import Doctor, Stage
from gpuaudit.simulated.profile import load_profile
from gpuaudit.units import Seconds

_SERIES: Final = (
    "sm_clock_megahertz",
    "memory_clock_megahertz",
    "power_milliwatts",
    "temperature_celsius",
    "gpu_utilization_percent",
    "energy_millijoules",
)
_IDLE: Final = {"power_milliwatts": 55_000, "sm_clock_megahertz": 205}


@adversary("static-telemetry", controls=Control.NVML)
def with_telemetry_that_stands_still(stage: Stage, _: str) -> Stage:
    """Give the same clock, power, heat and energy at every moment of every run: a mock that returns constants."""
    fixed: dict[str, int] = {}

    def still(telemetry: Telemetry) -> Telemetry:
        for name in _SERIES:
            series: Reading[tuple[int, ...]] = getattr(telemetry, name)
            if isinstance(series, Known) and series.value:
                value = fixed.setdefault(name, series.value[0])
                same = dataclasses.replace(series, value=(value,) * len(series.value))
                telemetry = dataclasses.replace(telemetry, **{name: same})  # type: ignore[arg-type]
        return telemetry

    return _with(stage, _on_telemetry(still))


@adversary("idle-telemetry", controls=Control.NVML)
def with_telemetry_of_an_idle_card(stage: Stage, _: str) -> Stage:
    """Give an idle card's power and clock while work runs: NVML shows another card than the one that works."""

    def idle(telemetry: Telemetry) -> Telemetry:
        for name, level in _IDLE.items():
            series: Reading[tuple[int, ...]] = getattr(telemetry, name)
            if isinstance(series, Known):
                low = tuple(level + position % 5 for position in range(len(series.value)))
                telemetry = dataclasses.replace(telemetry, **{name: dataclasses.replace(series, value=low)})  # type: ignore[arg-type]
        return telemetry

    return _with(stage, _on_telemetry(idle))


@adversary("overfull", controls=Control.NVML)
def with_more_memory_than_there_is(stage: Stage, _: str) -> Stage:
    """Let NVML report all memory free and some of it used."""
    total = stage.devices[0].reported.reported.memory_total_bytes
    functions = {
        **stage.functions,
        "nvmlDeviceGetMemoryInfo": memory_of(total, used_bytes=2**30),
        "nvmlDeviceGetMemoryInfo_v2": refused,
    }
    return dataclasses.replace(stage, functions=functions)


@adversary("forged-times", controls=Control.PROCESS, takes="FACTOR")
def with_times_divided(stage: Stage, factor: str) -> Stage:
    """Divide every time that was measured: an owner of the machine who also owns this program."""
    by = number_of("forged-times", factor, low=0.1, high=1000)

    def shorter(measurement: Measurement) -> Measurement:
        samples = measurement.samples
        if not isinstance(samples, Known):
            return measurement
        times = tuple(Seconds(second / by) for second in samples.value.seconds)
        changed = dataclasses.replace(samples, value=dataclasses.replace(samples.value, seconds=times))
        return dataclasses.replace(measurement, samples=changed)

    return _with(stage, shorter)


@adversary("relayed-to", controls=Control.PROCESS, takes="PROFILE")
def relayed(stage: Stage, profile: str) -> Stage:
    """Let another machine with real cards of that product answer everything. Nothing in the evidence can show it."""
    other = load_profile(profile)
    devices = tuple(dataclasses.replace(device, reported=other, physical=other) for device in stage.devices)
    return dataclasses.replace(stage, devices=devices, pci=devices, proc=devices)


def _on_telemetry(change: Callable[[Telemetry], Telemetry]) -> Doctor:
    def doctor(measurement: Measurement) -> Measurement:
        telemetry = measurement.telemetry
        if not isinstance(telemetry, Known):
            return measurement
        return dataclasses.replace(measurement, telemetry=dataclasses.replace(telemetry, value=change(telemetry.value)))

    return doctor


def _with(stage: Stage, doctor: Doctor) -> Stage:
    return dataclasses.replace(stage, doctors=(*stage.doctors, doctor))
