"""What stood beneath pynvml: NVIDIA's way of loading its library, or something else."""

from __future__ import annotations

import ctypes
import types
from enum import StrEnum
from typing import Final

import pynvml

# What pynvml loads on Linux; another name means that somebody else chose the library.
_LIBRARY: Final = "libnvidia-ml.so.1"
_ASKING: Final = ("nvmlInit", "nvmlShutdown", "nvmlSystem", "nvmlDevice", "_nvmlGetFunctionPointer", "_nvmlCheckReturn")


class Beneath(StrEnum):
    """Who answered when pynvml asked. Only the first two may be called hardware."""

    LOADED = "loaded"
    """The shared library that pynvml loaded itself. Which file that was, and whose, is for the mapped libraries to say."""

    ABSENT = "absent"
    """No library could be loaded, so nothing has answered."""

    REPLACED = "replaced"
    """Anything else: a simulation, a fake, a patched pynvml."""


def beneath() -> Beneath:
    """Look at what stands beneath pynvml now. Call it where the collection ran, after it: a simulation is gone once left.

    It is decided by the thing beneath alone; there is no parameter and no environment variable. It finds fakes that do not hide
    (an object in place of the library, a patched function, a module of the same name). Code in this process that wants to hide
    can: then only another process, the kernel and measured work can tell.
    """
    if not _is_the_real_module():
        return Beneath.REPLACED
    cached = tuple(pynvml._nvmlGetFunctionPointer_cache.values())  # noqa: SLF001 - what a call really reaches
    library = pynvml.nvmlLib
    if library is None:
        return Beneath.REPLACED if cached else Beneath.ABSENT
    if type(library) is not ctypes.CDLL or library._name != _LIBRARY:  # noqa: SLF001 - ctypes has no public name for it
        return Beneath.REPLACED
    functions = (*cached, *(value for name, value in vars(library).items() if name.startswith("nvml")))
    genuine = all(type(function) is library._FuncPtr for function in functions)  # noqa: SLF001 - the type of its functions
    return Beneath.LOADED if genuine else Beneath.REPLACED


def _is_the_real_module() -> bool:
    """Whether the module is a plain one whose functions all come from its own file."""
    if type(pynvml) is not types.ModuleType or getattr(pynvml, "CDLL", None) is not ctypes.CDLL:
        return False
    if not isinstance(getattr(pynvml, "_nvmlGetFunctionPointer_cache", None), dict):
        return False
    return all(_is_its_own(value) for name, value in vars(pynvml).items() if name.startswith(_ASKING))


def _is_its_own(value: object) -> bool:
    """Whether `value` can only do what pynvml's file says: its function, decorators included, or nothing that can be called."""
    if not isinstance(value, types.FunctionType):
        return not callable(value) or (isinstance(value, type) and issubclass(value, ctypes.Structure))
    inner = getattr(value, "__wrapped__", None)
    return value.__code__.co_filename == pynvml.__file__ and (inner is None or _is_its_own(inner))
