"""All rules on machines, in the order in which findings are shown. A rule counts only if it stands here."""

from __future__ import annotations

from typing import Final

from gpuaudit.appraisal.rules import reading, sources, states, together
from gpuaudit.appraisal.rules.machine_rule import MachineRule

MACHINE_RULES: Final[tuple[MachineRule, ...]] = (
    reading.evidence_comes_from_hardware,
    reading.evidence_answers_this_nonce,
    sources.nvml_and_the_pci_bus_agree_on_the_number_of_devices,
    sources.each_device_is_a_card_of_its_own,
    sources.nvml_and_the_pci_bus_agree_on_ids,
    sources.nvml_and_proc_agree_on_each_card,
    sources.nvml_and_cuda_agree_on_each_card,
    sources.nvml_and_the_kernel_name_the_same_driver,
    sources.driver_version_is_one_for_this_system,
    reading.libraries_look_like_nvidias,
    reading.nothing_is_mounted_over_the_kernels_answers,
    reading.driver_knows_every_board,
    states.no_more_memory_is_used_or_free_than_there_is,
    states.power_and_energy_move_while_cards_work,
    states.energy_is_the_sum_of_power,
    states.power_or_clock_rises_under_load,
    together.cards_are_as_fast_together_as_alone,
    together.memory_copies_as_fast_as_its_clock_and_width_say,
)
