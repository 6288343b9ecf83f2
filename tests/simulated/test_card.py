from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpuaudit.evidence.reading import Known
from gpuaudit.evidence.telemetry import Throttle
from gpuaudit.simulated.card import Card, Load
from gpuaudit.simulated.device import DeviceState
from gpuaudit.simulated.profile import load_profile

A100 = load_profile("a100-sxm4-80gb").physical


def card(*, ambient: float = 30.0, seed: int = 0) -> Card:
    return Card(A100, DeviceState(), seed=seed, ambient_celsius=ambient)


def test_a_card_at_work_clocks_up_draws_power_and_warms() -> None:
    one = card()
    cold = (one.state.sm_clock_megahertz, one.state.power_milliwatts, one.state.temperature_celsius)
    for _ in range(200):
        one.work(0.1, Load.ARITHMETIC)
    state = one.state
    assert cold == (210, 60_000, 30)
    assert 0.95 * 1410 < state.sm_clock_megahertz <= 1410
    assert 0.9 * A100.power_limit_milliwatts < state.power_milliwatts <= A100.power_limit_milliwatts
    assert 45 < state.temperature_celsius < 80
    assert state.gpu_utilization_percent == 100
    assert state.throttle_reasons_mask == Throttle.SW_POWER_CAP
    assert state.seconds == pytest.approx(20)


def test_a_card_at_rest_clocks_down_and_says_that_it_idles() -> None:
    one = card()
    one.work(1.0, Load.ARITHMETIC)
    one.rest(2.0)
    state = one.state
    assert (state.sm_clock_megahertz, state.gpu_utilization_percent, state.used_bytes) == (210, 0, 0)
    assert state.throttle_reasons_mask == Throttle.GPU_IDLE


def test_a_hot_room_throttles_and_says_why() -> None:
    cool, hot = card(), card(ambient=60.0)
    for _ in range(1000):
        cool.work(0.1, Load.ARITHMETIC)
        hot.work(0.1, Load.ARITHMETIC)
    assert hot.speed() < 0.97 * cool.speed()
    assert Throttle.SW_THERMAL in Throttle(hot.state.throttle_reasons_mask)
    assert Throttle.SW_THERMAL not in Throttle(cool.state.throttle_reasons_mask)


@settings(max_examples=40)
@given(
    loads=st.lists(st.tuples(st.sampled_from(Load), st.floats(0.001, 3)), min_size=1, max_size=30), ambient=st.floats(10, 80)
)
def test_whatever_it_does_the_card_stays_a_possible_one(loads: list[tuple[Load, float]], ambient: float) -> None:
    one = card(ambient=ambient)
    for load, seconds in loads:
        energy = one.state.energy_millijoules
        one.work(seconds, load)
        state = one.state
        assert 0 <= state.sm_clock_megahertz <= A100.sm_clock_boost_megahertz
        assert 0 < state.power_milliwatts <= A100.power_limit_milliwatts
        assert ambient - 1 <= state.temperature_celsius <= max(ambient, 30) + 45
        # A counter that does not add up the power shows a made-up card.
        assert state.energy_millijoules - energy == pytest.approx(state.power_milliwatts * seconds, rel=0.01, abs=2)


def test_moments_come_in_the_rhythm_of_the_real_sampler() -> None:
    one = card()
    one.begin(2**30)
    for _ in range(100):
        one.work(0.01, Load.MEMORY)
    offsets = [at for at, _ in one.moments]
    assert 24 <= len(offsets) <= 26
    assert all(later - earlier == pytest.approx(0.04) for earlier, later in itertools.pairwise(offsets))
    powers = [moment.power_milliwatts for _, moment in one.moments]
    assert len({power.value for power in powers if isinstance(power, Known)}) > 20


def test_cards_differ_as_healthy_cards_do_and_equal_seeds_do_not() -> None:
    qualities = [card(seed=seed).quality for seed in range(200)]
    assert 0.97 <= min(qualities) < 0.99
    assert 1.01 < max(qualities) <= 1.03
    assert card(seed=5).quality == card(seed=5).quality
