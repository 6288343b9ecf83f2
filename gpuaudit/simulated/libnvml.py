"""A Python object in place of the loaded `libnvidia-ml`, beneath the real pynvml, which marshals its arguments as ever.

It is not a `ctypes.CDLL`, and by that alone evidence read through it is marked as simulated.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeAlias

from gpuaudit.simulated.device import SimulatedDevice
from gpuaudit.simulated.nvml_answers import INVALID_ARGUMENT, NOT_FOUND, SUCCESS, DeviceFunction, put_text_answer
from gpuaudit.simulated.nvml_dynamic import dynamic_functions
from gpuaudit.simulated.nvml_static import static_functions
from gpuaudit.simulated.nvml_structs import ConfComputeState, address, number, put, put_handle

CFunction: TypeAlias = Callable[..., Any]

_UNINITIALIZED: Final = 1
# A handle is never followed by its holder, so any address that is not null will do.
_FIRST_HANDLE: Final = 0x1000
_WITHOUT_START: Final = frozenset({"nvmlInitWithFlags", "nvmlInit_v2", "nvmlErrorString"})


class SimulatedLibrary:
    """Answers NVML's C functions for `devices`, in their order.

    `calls` holds the names of all functions called, in order. A function that is not there raises `AttributeError`, as a
    `ctypes.CDLL` does, and pynvml makes "function not found" of it. `SimulatedDevice.refuses` gives codes for functions; one that
    takes no device (nvmlInitWithFlags, nvmlDeviceGetCount_v2…) is refused if any device refuses it.
    """

    def __init__(self, devices: Sequence[SimulatedDevice], *, driver_version: str, cuda_driver_version: int) -> None:
        """Hold `devices`; nothing is started yet. `cuda_driver_version` is 1000 * major + 10 * minor."""
        self.calls: list[str] = []
        self._devices = tuple(devices)
        self._driver_version = driver_version
        self._cuda_driver_version = cuda_driver_version
        self._starts = 0
        self._functions: dict[str, CFunction] = {
            **{name: self._on_device(name, function) for name, function in static_functions(driver_version).items()},
            **{name: self._on_device(name, function) for name, function in dynamic_functions().items()},
            **{name: self._on_system(name, function) for name, function in self._system().items()},
            "nvmlErrorString": lambda code: f"simulated return code {number(code)}".encode(),
        }

    def __getattr__(self, name: str) -> CFunction:
        """Return the C function called `name` as a plain function: pynvml sets attributes on it, which a method refuses."""
        if not name.startswith("nvml") or name not in self._functions:
            raise AttributeError(name)

        def function(*arguments: Any) -> Any:
            self.calls.append(name)
            return self._functions[name](*arguments)

        return function

    def replace(self, name: str, function: CFunction) -> CFunction:
        """Put `function` in place of a C function, from its next call on, and return the one that was there.

        Raises:
            KeyError: There is no such function.
        """
        before = self._functions[name]
        self._functions[name] = function
        return before

    def remove(self, name: str) -> None:
        """Take a C function away, as if the library were too old to have it. Only before pynvml has looked it up.

        Raises:
            KeyError: There is no such function.
        """
        del self._functions[name]

    def _system(self) -> dict[str, CFunction]:
        return {
            "nvmlInitWithFlags": lambda _flags: self._start(),
            "nvmlInit_v2": self._start,
            "nvmlShutdown": self._shutdown,
            "nvmlSystemGetDriverVersion": self._system_text(self._driver_version),
            "nvmlSystemGetNVMLVersion": self._system_text(f"{self._cuda_driver_version // 1000}.{self._driver_version}"),
            "nvmlSystemGetCudaDriverVersion": self._cuda_version,
            "nvmlSystemGetCudaDriverVersion_v2": self._cuda_version,
            "nvmlSystemGetConfComputeState": self._conf_compute_state,
            "nvmlDeviceGetCount_v2": self._count,
            "nvmlDeviceGetHandleByIndex_v2": self._handle_by_index,
            "nvmlDeviceGetHandleByUUID": lambda uuid, target: self._handle_by(lambda card: card.uuid, uuid, target),
            "nvmlDeviceGetHandleByPciBusId_v2": lambda bus, target: self._handle_by(lambda card: card.bus_id, bus, target),
        }

    def _on_device(self, name: str, function: DeviceFunction) -> CFunction:
        def call(handle: Any, *arguments: Any) -> int:
            position = address(handle) - _FIRST_HANDLE
            if not self._starts:
                return _UNINITIALIZED
            if not 0 <= position < len(self._devices):
                return INVALID_ARGUMENT
            device = self._devices[position]
            return device.refuses.get(name) or function(device, *arguments)

        return call

    def _on_system(self, name: str, function: CFunction) -> CFunction:
        def call(*arguments: Any) -> Any:
            if not self._starts and name not in _WITHOUT_START:
                return _UNINITIALIZED
            refused = (device.refuses[name] for device in self._devices if name in device.refuses)
            return next(refused, SUCCESS) or function(*arguments)

        # The device asked for decides, not any.
        return function if name == "nvmlDeviceGetHandleByIndex_v2" else call

    def _start(self) -> int:
        self._starts += 1
        return SUCCESS

    def _shutdown(self) -> int:
        self._starts -= 1
        return SUCCESS

    def _system_text(self, text: str) -> CFunction:
        return lambda buffer, length: put_text_answer(text, buffer, number(length))

    def _cuda_version(self, target: Any) -> int:
        put(target, ctypes.c_int(self._cuda_driver_version))
        return SUCCESS

    def _conf_compute_state(self, target: Any) -> int:
        put(target, ConfComputeState())
        return SUCCESS

    def _count(self, target: Any) -> int:
        put(target, ctypes.c_uint(len(self._devices)))
        return SUCCESS

    def _handle_by_index(self, index: Any, target: Any) -> int:
        position = number(index)
        if not self._starts:
            return _UNINITIALIZED
        if position >= len(self._devices):
            return INVALID_ARGUMENT
        refused = self._devices[position].refuses.get("nvmlDeviceGetHandleByIndex_v2")
        if refused:
            return refused
        put_handle(target, _FIRST_HANDLE + position)
        return SUCCESS

    def _handle_by(self, key: Callable[[SimulatedDevice], str], wanted: Any, target: Any) -> int:
        text = bytes(getattr(wanted, "value", wanted)).decode().lower()
        for position, device in enumerate(self._devices):
            if key(device).lower() == text:
                put_handle(target, _FIRST_HANDLE + position)
                return SUCCESS
        return NOT_FOUND
