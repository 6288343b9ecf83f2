"""All adversaries, and the line that puts some of them on a stage: `nvml-of=a100-sxm4-80gb,forgot=vbios_version`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from gpuaudit.errors import UsageError
from gpuaudit.simulated.adversaries import conditions, counting, faking, hiding, partial, renaming
from gpuaudit.simulated.adversaries.adversary import Adversary, Control, Part
from gpuaudit.simulated.adversaries.stage import Stage

REPERTOIRE: Final[tuple[Adversary, ...]] = (
    renaming.renamed,
    renaming.with_ids,
    renaming.with_all_of_nvml,
    renaming.but_forgot,
    renaming.with_the_kernel,
    renaming.with_a_name_that_no_driver_prints,
    counting.one_card_as_many,
    counting.all_with_one_uuid,
    partial.a_slice,
    partial.with_its_mode_hidden,
    partial.a_virtual_card,
    partial.with_a_soft_limit,
    partial.with_memory_taken,
    hiding.without_proc,
    hiding.without_pci,
    hiding.withholding,
    hiding.with_another_folder_over_proc,
    hiding.with_a_driver_for_windows,
    faking.with_telemetry_that_stands_still,
    faking.with_telemetry_of_an_idle_card,
    faking.with_more_memory_than_there_is,
    faking.with_times_divided,
    faking.relayed,
    conditions.in_a_hot_room,
    conditions.capped,
    conditions.shared,
    conditions.busy,
    conditions.with_a_driver_that_nobody_has_seen,
)

_BY_NAME: Final = {adversary.name: adversary for adversary in REPERTOIRE}
# `renamed-as=PROFILE,ids` is `renamed-as=PROFILE,ids-of=PROFILE`: the profile need not be typed twice.
_AS_BEFORE: Final = {"ids": "ids-of", "nvml": "nvml-of"}


def parse_adversary(line: str) -> tuple[Part, ...]:
    """Read a line of adversaries with commas between them, played in order: `NAME` or `NAME=ARGUMENT`.

    Raises:
        UsageError: There is no adversary of that name, or `ids` and `nvml` follow no `renamed-as=PROFILE`.
    """
    parts: list[Part] = []
    for word in line.split(","):
        name, _, argument = word.strip().partition("=")
        if name in _AS_BEFORE and not argument:
            argument = _profile_before(parts, name)
            name = _AS_BEFORE[name]
        if name not in _BY_NAME:
            raise UsageError(f"--adversary: there is no adversary {name!r}; expected one of {', '.join(_BY_NAME)}")
        parts.append(Part(adversary=_BY_NAME[name], argument=argument))
    return tuple(parts)


def play(parts: Sequence[Part], stage: Stage) -> Stage:
    """Let `parts` play one after the other.

    Raises:
        UsageError: An argument is missing, surplus or out of range.
    """
    for part in parts:
        stage = part.play(stage)
    return stage


def controls(parts: Sequence[Part]) -> frozenset[Control]:
    """Return what must be owned to play `parts`."""
    return frozenset(part.adversary.controls for part in parts)


def _profile_before(parts: Sequence[Part], name: str) -> str:
    for part in reversed(parts):
        if part.adversary.takes == "PROFILE":
            return part.argument
    raise UsageError(f"--adversary {name}: expected renamed-as=PROFILE before it, as in renamed-as=a100-sxm4-80gb,{name}")
