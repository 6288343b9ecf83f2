"""All rules, in the order in which findings are shown. A rule counts only if it stands here."""

from __future__ import annotations

from typing import Final

from gpuaudit.appraisal.rule import Rule
from gpuaudit.appraisal.rules import board, identity, limits, link, partition, throughput, work

ALL_RULES: Final[tuple[Rule, ...]] = (
    identity.device_id_belongs_to_the_product,
    identity.subsystem_id_belongs_to_the_product,
    identity.name_is_one_that_drivers_print_for_the_product,
    identity.total_memory_is_within_what_the_product_reports,
    partition.card_is_not_cut_into_slices,
    partition.card_is_not_a_virtual_one,
    board.gpu_part_number_begins_with_the_device_id,
    board.board_part_number_is_one_of_the_product,
    board.vbios_belongs_to_the_chip,
    board.compute_capability_is_that_of_the_chip,
    board.core_count_is_that_of_the_product,
    board.memory_bus_is_as_wide_as_the_product_has,
    board.memory_clock_maximum_is_that_of_the_product,
    board.sm_clock_maximum_is_that_of_the_product,
    board.remap_banks_are_those_of_the_memory,
    limits.bar1_is_no_larger_than_that_of_the_product,
    limits.default_power_limit_is_one_that_the_product_is_sold_with,
    limits.highest_power_limit_is_not_above_that_of_the_product,
    limits.error_correction_is_as_the_product_has_it,
    link.nvlink_count_is_that_of_the_product,
    link.pcie_generation_maximum_is_that_of_the_product,
    throughput.bf16_rate_is_not_above_what_the_product_can_do,
    throughput.bf16_rate_reaches_what_the_product_delivers,
    throughput.fp16_rate_is_not_above_what_the_product_can_do,
    throughput.fp16_rate_reaches_what_the_product_delivers,
    throughput.fp64_rate_is_not_above_what_the_product_can_do,
    throughput.fp64_rate_reaches_what_the_product_delivers,
    throughput.fp64_to_bf16_ratio_is_that_of_the_product,
    throughput.copy_rate_is_not_above_what_the_memory_can_do,
    throughput.copy_rate_reaches_what_the_memory_delivers,
    throughput.no_more_memory_is_filled_than_the_product_has,
    throughput.as_much_memory_is_filled_as_the_product_offers,
    link.peer_rate_is_what_the_links_of_the_product_give,
    work.host_link_is_no_faster_than_the_products,
    work.host_link_reaches_a_tenth_of_the_products,
    work.copies_are_faster_up_to_the_size_of_the_products_cache,
    work.work_per_clock_is_not_above_what_the_chip_does,
    work.work_per_clock_is_what_the_chip_does,
)

RULES_BY_SLUG: Final = {rule.slug: rule for rule in ALL_RULES}
