from __future__ import annotations

from gpuaudit.attester.nvml.session import collect_nvml
from gpuaudit.evidence.device import DeviceEvidence
from gpuaudit.evidence.reading import Reason
from gpuaudit.simulated.device import DeviceState, SimulatedDevice
from gpuaudit.simulated.nvml import simulated_nvml
from gpuaudit.simulated.profile import load_profile
from gpuaudit.simulated.spec import honest_device
from tests.attester.nvml.cards import card, reason_of, value_of

MIB = 1024**2


def collected(device: SimulatedDevice) -> DeviceEvidence:
    with simulated_nvml([device]):
        return collect_nvml().devices[0]


def test_reserved_memory_is_told_apart_from_used_memory() -> None:
    memory = collected(card(state=DeviceState(used_bytes=100 * MIB))).memory
    assert value_of(memory.total_bytes) == 40960 * MIB
    assert value_of(memory.reserved_bytes) == 518 * MIB
    assert value_of(memory.used_bytes) == 100 * MIB
    assert value_of(memory.free_bytes) == (40960 - 518 - 100) * MIB


def test_a_library_without_the_newer_question_gives_the_total_and_no_reserved_memory() -> None:
    memory = collected(card(refuses={"nvmlDeviceGetMemoryInfo_v2": 13})).memory
    assert value_of(memory.total_bytes) == 40960 * MIB
    assert reason_of(memory.reserved_bytes) is Reason.NOT_SUPPORTED
    assert value_of(memory.used_bytes) == 518 * MIB


def test_a_forbidden_question_is_not_asked_in_the_older_way() -> None:
    memory = collected(card(refuses={"nvmlDeviceGetMemoryInfo_v2": 4})).memory
    assert reason_of(memory.total_bytes) is Reason.NO_PERMISSION


def test_current_values_follow_the_state_and_limits_do_not() -> None:
    state = DeviceState(
        sm_clock_megahertz=1275,
        memory_clock_megahertz=1215,
        power_milliwatts=391_000,
        temperature_celsius=71,
        throttle_reasons_mask=0x24,
    )
    device = collected(card(state=state))
    assert value_of(device.clocks.sm_current_megahertz) == 1275
    assert value_of(device.clocks.sm_max_megahertz) == 1410
    assert value_of(device.clocks.memory_current_megahertz) == 1215
    assert value_of(device.clocks.throttle_reasons_mask) == 0x24
    assert value_of(device.power.draw_milliwatts) == 391_000
    assert value_of(device.power.temperature_celsius) == 71
    assert value_of(device.power.limit_enforced_milliwatts) == 400_000


def test_what_a_consumer_card_does_not_offer_is_unknown() -> None:
    device = collected(honest_device(0, load_profile("rtx-4090")))
    assert reason_of(device.identity.serial) is Reason.NOT_SUPPORTED
    assert reason_of(device.identity.board_part_number) is Reason.NOT_SUPPORTED
    assert reason_of(device.partition.mig_mode) is Reason.NOT_SUPPORTED
    assert reason_of(device.reliability.ecc_corrected_total) is Reason.NOT_SUPPORTED
    assert value_of(device.reliability.ecc_enabled) is False


def test_the_gpus_part_number_has_no_public_call() -> None:
    assert reason_of(collected(card()).identity.gpu_part_number) is Reason.NOT_ATTEMPTED
