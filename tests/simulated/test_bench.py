from __future__ import annotations

import dataclasses
import time
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from gpuaudit.attester.attest import attest
from gpuaudit.clock import SteppingClock
from gpuaudit.evidence.codec import dump, encode
from gpuaudit.evidence.measurement import Company, Measurement, quantity
from gpuaudit.evidence.reading import Known, Reading, Reason, Unknown
from gpuaudit.evidence.telemetry import Telemetry, Throttle, summary_of, throttled_seconds
from gpuaudit.simulated.bench import SimulatedBench
from gpuaudit.simulated.device import DeviceState, SimulatedDevice
from gpuaudit.simulated.machine import simulated_machine
from gpuaudit.simulated.profile import known_profiles, load_profile
from gpuaudit.simulated.spec import honest_device, parse_spec, simulated_device
from gpuaudit.workload.bench import SilentProgress, Target
from gpuaudit.workload.plan import estimate
from gpuaudit.workload.suite import Suite, load_suite

QUICK = load_suite("quick")
A100 = load_profile("a100-sxm4-80gb")


def run(
    devices: Sequence[SimulatedDevice], *busy: str, seed: int = 0, suite: Suite = QUICK, **room: float
) -> list[Measurement]:
    targets = [Target(uuid=device.uuid, busy=device.uuid in busy) for device in devices]
    return list(SimulatedBench(devices, seed, **room).run(suite, targets, SilentProgress()))


def best(measurements: Sequence[Measurement], name: str, *uuids: str, company: Company | None = None) -> float:
    return max(
        each.samples.value.median_rate()
        for each in measurements
        if quantity(each) == name
        and isinstance(each.samples, Known)
        and (not uuids or each.subjects == uuids)
        and (company is None or each.company is company)
    )


def amount(measurements: Sequence[Measurement], name: str) -> list[float]:
    return [
        each.samples.value.amount_per_run for each in measurements if quantity(each) == name and isinstance(each.samples, Known)
    ]


def telemetry_of(reading: Reading[Telemetry]) -> Telemetry:
    assert isinstance(reading, Known)
    return reading.value


def test_it_says_that_it_is_a_simulation() -> None:
    assert SimulatedBench(()).simulated


def test_equal_seeds_give_equal_evidence_and_other_seeds_other_jitter() -> None:
    one, same, other = (run(parse_spec("a100-sxm4-80gb:2"), seed=seed) for seed in (1, 1, 2))
    assert one == same
    assert one != other


@pytest.mark.parametrize("profile", known_profiles())
def test_every_profile_runs_the_whole_default_suite(profile: str) -> None:
    measured = run(parse_spec(f"{profile}:2"))
    unknown = {(quantity(each), each.samples.reason) for each in measured if isinstance(each.samples, Unknown)}
    lacking = {f"gemm-{dtype}" for dtype in ("bf16", "tf32", "fp8", "int8", "fp16")}
    assert {name for name, _ in unknown} <= lacking
    assert {reason for _, reason in unknown} <= {Reason.NOT_SUPPORTED}


def test_eight_healthy_cards_lie_within_five_percent() -> None:
    devices = parse_spec("h100-sxm5-80gb:8")
    measured = run(devices)
    rates = [best(measured, "gemm-bf16", device.uuid) for device in devices]
    assert 1.002 < max(rates) / min(rates) < 1.06


def test_eight_devices_take_milliseconds_of_ours_and_a_minute_of_theirs() -> None:
    devices = parse_spec("a100-sxm4-80gb:8")
    began = time.process_time()
    run(devices)
    assert time.process_time() - began < 1.0
    assert max(device.state.seconds for device in devices) < estimate(QUICK, 8).seconds


def test_one_card_shown_as_eight_is_an_eighth_of_itself_when_all_work() -> None:
    state = DeviceState()
    devices = [simulated_device(index, physical=A100, reported=A100, state=state) for index in range(8)]
    measured = run(devices)
    for device in devices:
        alone = best(measured, "gemm-bf16", device.uuid, company=Company.ALONE)
        together = best(measured, "gemm-bf16", device.uuid, company=Company.TOGETHER)
        assert together == pytest.approx(alone / 8, rel=0.05)
    assert sum(amount(measured, "capacity")) <= A100.physical.memory_bytes


def test_eight_cards_do_not_slow_each_other_down() -> None:
    measured = run(parse_spec("a100-sxm4-80gb:8"))
    alone = best(measured, "gemm-bf16", company=Company.ALONE)
    assert best(measured, "gemm-bf16", company=Company.TOGETHER) == pytest.approx(alone, rel=0.05)
    assert sum(amount(measured, "capacity")) > 7.2 * A100.physical.memory_bytes


def test_a_card_that_others_use_is_slower_for_it() -> None:
    free, shared = honest_device(0, A100), dataclasses.replace(honest_device(0, A100), foreign_processes=1)
    assert best(run([shared]), "gemm-bf16") == pytest.approx(best(run([free]), "gemm-bf16") / 2, rel=0.03)


def test_a_busy_device_is_left_alone() -> None:
    devices = parse_spec("a100-sxm4-80gb:3")
    busy = devices[1].uuid
    measured = run(devices, busy)
    assert devices[1].state == DeviceState(memory_clock_megahertz=1593)
    for each in measured:
        if busy in each.subjects:
            assert isinstance(each.samples, Unknown)
            assert each.samples.reason is Reason.BUSY
        else:
            assert not isinstance(each.samples, Unknown) or each.samples.reason is Reason.NOT_SUPPORTED
    groups = [each for each in measured if quantity(each) == "all-reduce"]
    assert [each.subjects for each in groups] == [(devices[0].uuid, devices[2].uuid)]


@pytest.mark.parametrize("forger", ["t4", "a100-sxm4-40gb", "a800-sxm4-80gb", "rtx-4090"])
def test_a_name_can_be_edited_and_throughput_cannot(forger: str) -> None:
    physical = load_profile(forger)
    forged = [simulated_device(index, physical=physical, reported=A100) for index in range(2)]
    honest = [simulated_device(index, physical=physical, reported=physical) for index in range(2)]
    measured, expected = run(forged), run(honest)
    for name in ("gemm-bf16", "gemm-fp64", "copy", "peer-both-ways", "host-to-device"):
        assert best(measured, name) == pytest.approx(best(expected, name), rel=0.02)


def test_what_the_forged_card_claims_to_have_is_asked_for_and_not_found() -> None:
    forged = [simulated_device(0, physical=load_profile("a100-sxm4-40gb"), reported=A100)]
    (found,) = amount(run(forged), "capacity")
    assert found <= load_profile("a100-sxm4-40gb").physical.memory_bytes


def test_an_a800_shows_in_the_links_alone() -> None:
    real, cut = run(parse_spec("a100-sxm4-80gb:2")), run(parse_spec("a800-sxm4-80gb:2"))
    assert best(real, "peer-both-ways") > 1.4 * best(cut, "peer-both-ways")
    for name in ("gemm-bf16", "gemm-fp64", "copy"):
        assert best(cut, name) == pytest.approx(best(real, name), rel=0.03)


def test_telemetry_follows_the_load() -> None:
    (measured,) = [
        each
        for each in run(parse_spec("a100-sxm4-80gb"), suite=load_suite("thorough"))
        if isinstance(each.samples, Known) and each.company is Company.TOGETHER and sum(each.samples.value.seconds) > 8
    ]
    telemetry = telemetry_of(measured.telemetry)
    clocks, power = summary_of(telemetry.sm_clock_megahertz), summary_of(telemetry.power_milliwatts)
    assert isinstance(clocks, Known)
    assert isinstance(power, Known)
    assert clocks.value.median > 1300
    assert power.value.median > 450_000
    assert isinstance(telemetry.energy_millijoules, Known)
    energy = telemetry.energy_millijoules.value
    seconds = telemetry.offsets_seconds[-1] - telemetry.offsets_seconds[0]
    assert (energy[-1] - energy[0]) / seconds == pytest.approx(power.value.median, rel=0.03)
    assert len(telemetry.offsets_seconds) / seconds >= 20


def test_a_hot_room_shows_in_throughput_and_in_the_reasons() -> None:
    hot = run(parse_spec("a100-sxm4-80gb"), suite=load_suite("thorough"), ambient_celsius=58.0)
    cool = run(parse_spec("a100-sxm4-80gb"), suite=load_suite("thorough"))
    longest = [
        max(each.samples.value.seconds) / min(cool_one.samples.value.seconds)
        for each, cool_one in zip(hot, cool, strict=True)
        if isinstance(each.samples, Known) and isinstance(cool_one.samples, Known) and quantity(each) == "gemm-bf16"
    ]
    assert max(longest) > 1.05
    reasons: set[Throttle] = set()
    for each in hot:
        if isinstance(each.telemetry, Known):
            times = throttled_seconds(each.telemetry.value)
            assert isinstance(times, Known)
            reasons |= set(times.value)
    assert Throttle.SW_THERMAL in reasons


def test_a_device_that_reaches_the_limit_is_not_loaded_any_more() -> None:
    devices = parse_spec("a100-sxm4-80gb:2")
    measured = run(devices, ambient_celsius=90.0)
    assert {each.samples.reason for each in measured if isinstance(each.samples, Unknown)} == {Reason.TOO_HOT}
    assert all(isinstance(each.samples, Unknown) for each in measured)


def test_a_counter_that_nvml_refuses_is_missing_from_telemetry_only() -> None:
    device = dataclasses.replace(honest_device(0, A100), refuses={"nvmlDeviceGetPowerUsage": 4})
    measured = run([device])
    telemetry = telemetry_of(measured[0].telemetry)
    assert isinstance(telemetry.power_milliwatts, Unknown)
    assert telemetry.power_milliwatts.reason is Reason.NO_PERMISSION
    assert isinstance(telemetry.sm_clock_megahertz, Known)
    assert isinstance(measured[0].samples, Known)


def test_a_target_that_the_simulation_does_not_have_is_not_found() -> None:
    bench = SimulatedBench(parse_spec("t4"))
    measured = bench.run(QUICK, [Target(uuid="GPU-elsewhere")], SilentProgress())
    assert {each.samples.reason for each in measured if isinstance(each.samples, Unknown)} == {Reason.NOT_FOUND}
    assert all(isinstance(each.samples, Unknown) for each in measured)


def test_without_targets_nothing_is_measured() -> None:
    assert SimulatedBench(parse_spec("t4")).run(QUICK, [], SilentProgress()) == ()


def test_torch_describes_what_is_reported() -> None:
    forged = simulated_device(0, physical=load_profile("t4"), reported=A100)
    described = SimulatedBench([forged]).describe()
    assert isinstance(described.devices, Known)
    (device,) = described.devices.value
    assert isinstance(device.name, Known)
    assert device.name.value == "NVIDIA A100-SXM4-80GB"
    assert isinstance(device.uuid, Known)
    assert device.uuid.value == forged.uuid


@pytest.mark.parametrize("suite", [QUICK, load_suite("full"), load_suite("thorough")], ids=lambda suite: suite.name)
@pytest.mark.parametrize("profile", known_profiles())
def test_products_that_shrink_on_a_slow_card_do_not_stand_twice(profile: str, suite: Suite) -> None:
    slow = load_profile(profile)
    traits = dataclasses.replace(
        slow.physical, dense_flop_per_second={dtype: rate / 12 for dtype, rate in slow.physical.dense_flop_per_second.items()}
    )
    device = simulated_device(0, physical=dataclasses.replace(slow, physical=traits), reported=slow)
    measured = run([device], suite=suite)
    for company in Company:
        shown = [each.task for each in measured if each.company is company and isinstance(each.samples, Known)]
        # Alone, one product is run a second time without telemetry.
        assert len(set(shown)) >= len(shown) - (company is Company.ALONE)
    # The first that shrinks keeps its number.
    assert best(measured, "gemm-fp64") > 0


@pytest.mark.parametrize("profile", ["a100-sxm4-80gb", "h100-sxm5-80gb"])
def test_the_evidence_of_a_thorough_run_on_eight_devices_stays_below_a_megabyte(profile: str) -> None:
    with simulated_machine(parse_spec(f"{profile}:8")) as machine:
        bundle = attest(
            machine,
            nonce="00" * 32,
            suite=load_suite("thorough"),
            clock=SteppingClock(datetime(2026, 11, 23, tzinfo=UTC)),
            busy_ok=False,
            progress=SilentProgress(),
        )
    samples = sum(len(each.samples.value.seconds) for each in bundle.measurements if isinstance(each.samples, Known))
    assert len(bundle.measurements) > 400
    assert samples > 10_000
    assert len(encode(bundle)) < 1_000_000


def test_even_if_every_measurement_took_the_most_samples_the_evidence_would_stay_below_a_megabyte() -> None:
    """The noisiest machine: no interval ever becomes narrow enough."""
    thorough = load_suite("thorough")
    noisy = dataclasses.replace(thorough, sampling=dataclasses.replace(thorough.sampling, interval_relative=1e-9))
    measured = run(parse_spec("h100-sxm5-80gb:8"), suite=noisy)
    assert sum(len(dump(Measurement, each)) for each in measured) < 950_000
