"""What an adversary is: a name, what it controls, and what it makes of a stage."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from gpuaudit.errors import UsageError
from gpuaudit.simulated.adversaries.stage import Stage


class Control(StrEnum):
    """What an adversary must own to play its part. Who owns more can do all that who owns less can.

    `nothing`: no adversary at all, a genuine machine in a bad state. `card`: the board itself, its VBIOS or what is cut out of it.
    `name`: a string that NVML prints. `nvml`: all of NVML. `kernel`: the kernel's views too. `process`: our process and its clock.
    """

    NOTHING = "nothing"
    CARD = "card"
    NAME = "name"
    NVML = "nvml"
    KERNEL = "kernel"
    PROCESS = "process"


Play: TypeAlias = Callable[[Stage, str], Stage]


@dataclass(frozen=True, slots=True, kw_only=True)
class Adversary:
    """One thing that can be played; `takes` describes its argument and is empty where it takes none."""

    name: str
    controls: Control
    takes: str
    about: str
    play: Play


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """An adversary with its argument."""

    adversary: Adversary
    argument: str

    def play(self, stage: Stage) -> Stage:
        """Return the stage after this part.

        Raises:
            UsageError: The argument is missing, surplus or out of range.
        """
        takes = self.adversary.takes
        if bool(takes) != bool(self.argument):
            wanted = f"{self.adversary.name}={takes}" if takes else self.adversary.name
            raise UsageError(f"--adversary {self.adversary.name}: got {self.argument or 'no argument'!r}, expected {wanted}")
        return self.adversary.play(stage, self.argument)


def adversary(name: str, *, controls: Control, takes: str = "") -> Callable[[Play], Adversary]:
    """Make an adversary of a function from a stage and an argument to a stage; its docstring says what it is about."""

    def make(play: Play) -> Adversary:
        return Adversary(name=name, controls=controls, takes=takes, about=inspect.getdoc(play) or "", play=play)

    return make


def number_of(name: str, text: str, *, low: float, high: float) -> float:
    """Read a number from `low` to `high`.

    Raises:
        UsageError: It is none, or out of range.
    """
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not low <= value <= high:
        raise UsageError(f"--adversary {name}: got {text!r}, expected a number from {low:g} to {high:g}")
    return value
