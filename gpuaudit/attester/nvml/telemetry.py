"""Counters of devices at work, read through NVML again and again.

Every call is made in the thread of a `workload.telemetry.Recorder`, which is left behind if a call never returns; so there is no
watchdog here, whose two threads per call would cost more than the call.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

import pynvml

from gpuaudit.attester.nvml.answers import MalformedAnswerError, number
from gpuaudit.attester.nvml.codes import RefusedError
from gpuaudit.attester.nvml.direct import running_processes
from gpuaudit.attester.nvml.read import refused, unless_missing
from gpuaudit.evidence.reading import Known, Reading, Source, Unknown
from gpuaudit.workload.accelerator import NotMeasurableError
from gpuaudit.workload.telemetry import Moment

# nvml.h: nvmlClockType_t, nvmlTemperatureSensors_t, nvmlPcieUtilCounter_t.
_SM_CLOCK: Final = 1
_MEMORY_CLOCK: Final = 2
_GPU_SENSOR: Final = 0
_TRANSMITTED: Final = 0
_RECEIVED: Final = 1


class NvmlSampler:
    """Reads the counters of `Moment` through pynvml."""

    @contextmanager
    def watch(self, uuid: str) -> Iterator[Callable[[], Moment]]:
        """Start NVML, which counts its starts, find the device, and shut down at the end what was started.

        Raises:
            NotMeasurableError: NVML does not start, or has no such device.
        """
        started = _read("nvmlInit", _start)
        if isinstance(started, Unknown):
            raise NotMeasurableError(started.reason, started.detail)
        try:
            device = _read("nvmlDeviceGetHandleByUUID", lambda: pynvml.nvmlDeviceGetHandleByUUID(uuid))
            if isinstance(device, Unknown):
                raise NotMeasurableError(device.reason, device.detail)
            yield _Watched(device.value).moment
        finally:
            _read("nvmlShutdown", pynvml.nvmlShutdown)


class _Watched:
    """One device; of the slow counters, one is read anew at each moment."""

    def __init__(self, device: Any) -> None:
        self._device = device
        self._slow = {
            "pcie_transmit_kilobytes_per_second": lambda: self._pcie(_TRANSMITTED),
            "pcie_receive_kilobytes_per_second": lambda: self._pcie(_RECEIVED),
            "process_count": self._process_count,
        }
        self._last = {name: read() for name, read in self._slow.items()}
        self._turn = itertools.cycle(self._slow)

    def moment(self) -> Moment:
        """Read the quick counters, and one of the slow ones."""
        due = next(self._turn)
        self._last[due] = self._slow[due]()
        return Moment(
            sm_clock_megahertz=self._clock(_SM_CLOCK),
            memory_clock_megahertz=self._clock(_MEMORY_CLOCK),
            power_milliwatts=self._number("nvmlDeviceGetPowerUsage"),
            energy_millijoules=self._number("nvmlDeviceGetTotalEnergyConsumption"),
            temperature_celsius=self._temperature(),
            throttle_reasons_mask=self._throttle_reasons(),
            gpu_utilization_percent=self._utilization(),
            **self._last,
        )

    def _number(self, function: str) -> Reading[int]:
        return _read(function, lambda: number(getattr(pynvml, function)(self._device)))

    def _clock(self, kind: int) -> Reading[int]:
        return _read("nvmlDeviceGetClockInfo", lambda: number(pynvml.nvmlDeviceGetClockInfo(self._device, kind)))

    def _temperature(self) -> Reading[int]:
        newer = _read("nvmlDeviceGetTemperatureV", lambda: number(pynvml.nvmlDeviceGetTemperatureV(self._device, _GPU_SENSOR)))
        return unless_missing(
            newer,
            lambda: _read(
                "nvmlDeviceGetTemperature", lambda: number(pynvml.nvmlDeviceGetTemperature(self._device, _GPU_SENSOR))
            ),
        )

    def _throttle_reasons(self) -> Reading[int]:
        newer = self._number("nvmlDeviceGetCurrentClocksEventReasons")
        return unless_missing(newer, lambda: self._number("nvmlDeviceGetCurrentClocksThrottleReasons"))

    def _utilization(self) -> Reading[int]:
        return _read("nvmlDeviceGetUtilizationRates", lambda: number(pynvml.nvmlDeviceGetUtilizationRates(self._device).gpu))

    def _pcie(self, counter: int) -> Reading[int]:
        return _read("nvmlDeviceGetPcieThroughput", lambda: number(pynvml.nvmlDeviceGetPcieThroughput(self._device, counter)))

    def _process_count(self) -> Reading[int]:
        function = "nvmlDeviceGetComputeRunningProcesses_v2"
        return _read(function, lambda: len(running_processes(function, self._device)))


def _start() -> bool:
    pynvml.nvmlInit()
    return True


def _read(function: str, call: Callable[[], Any]) -> Reading[Any]:
    try:
        return Known(value=call(), source=Source.NVML)
    except (
        pynvml.NVMLError,
        pynvml.NVMLLibraryMismatchError,
        RefusedError,
        MalformedAnswerError,
        ValueError,
        AttributeError,
    ) as error:
        return refused(function, error)
