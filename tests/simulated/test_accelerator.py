from __future__ import annotations

import statistics
from typing import Any

import pytest

from gpuaudit.evidence.measurement import CapacityTask, Dtype, GemmTask, HostLinkTask, MemoryTask, PeerTask, Task
from gpuaudit.evidence.reading import Reason
from gpuaudit.simulated.accelerator import SimulatedAccelerator
from gpuaudit.simulated.card import Card
from gpuaudit.simulated.device import DeviceState
from gpuaudit.simulated.profile import PhysicalTraits, load_profile
from gpuaudit.units import Bytes
from gpuaudit.workload.accelerator import NotMeasurableError

GIB = 2**30


def physical(profile: str) -> PhysicalTraits:
    return load_profile(profile).physical


def card(traits: PhysicalTraits) -> Card:
    return Card(traits, DeviceState(sm_clock_megahertz=traits.sm_clock_boost_megahertz), seed=3, ambient_celsius=30)


def rate(traits: PhysicalTraits, task: Task, *, sharers: int = 1, others: tuple[Card, ...] = ()) -> float:
    accelerator = SimulatedAccelerator(card(traits), reported_bytes=traits.memory_bytes, sharers=sharers, others=others)
    kernel = accelerator.prepare(task, rotation_bytes=Bytes(0))
    return kernel.amount_per_pass() / statistics.median(kernel.time(25, passes=1))


def gemm(dtype: Dtype, *edges: int) -> GemmTask:
    m, n, k = edges if len(edges) == 3 else (edges[0],) * 3
    return GemmTask(dtype=dtype, m=m, n=n, k=k, layout="tn")


def memory(kind: Any, size: int) -> MemoryTask:
    return MemoryTask(kind=kind, working_set_bytes=Bytes(size))


@pytest.mark.parametrize(
    ("profile", "dtype", "smallest", "largest"),
    [
        # 8192^3 in NVIDIA aiconfigurator's tables, and one H100 and H200 measured in 2026-11.
        pytest.param("a100-sxm4-80gb", Dtype.BF16, 257e12, 294e12, id="a100-bf16"),
        pytest.param("h100-sxm5-80gb", Dtype.BF16, 657e12, 821e12, id="h100-bf16"),
        pytest.param("h200-sxm", Dtype.BF16, 507e12, 940e12, id="h200-bf16"),
        pytest.param("h100-sxm5-80gb", Dtype.FP8, 1088e12, 1531e12, id="h100-fp8"),
        pytest.param("a100-sxm4-80gb", Dtype.INT8, 520e12, 586e12, id="a100-int8"),
        # SN27 config.yaml; gpu-fryer.
        pytest.param("a100-sxm4-80gb", Dtype.TF32, 106e12, 135e12, id="a100-tf32"),
        pytest.param("a100-sxm4-80gb", Dtype.FP32, 16e12, 19.5e12, id="a100-fp32"),
        # One TFLOPS by the datasheet: what tells it from an H100.
        pytest.param("h800-sxm5", Dtype.FP64, 0.5e12, 1.0e12, id="h800-fp64"),
        pytest.param("h20-96gb", Dtype.BF16, 100e12, 148e12, id="h20-bf16"),
    ],
)
def test_a_large_product_runs_as_fast_as_public_records_say(
    profile: str, dtype: Dtype, smallest: float, largest: float
) -> None:
    assert smallest <= rate(physical(profile), gemm(dtype, 8192)) <= largest


@pytest.mark.parametrize(
    ("profile", "kind", "expected"),
    [
        pytest.param("h100-sxm5-80gb", "copy", 3.0e12, id="h100-3.0"),
        pytest.param("h200-sxm", "copy", 4.3e12, id="h200-4.3"),
    ],
)
def test_memory_is_as_fast_as_measured_on_genuine_cards(profile: str, kind: str, expected: float) -> None:
    assert rate(physical(profile), memory(kind, 4 * GIB)) == pytest.approx(expected, rel=0.04)


@pytest.mark.parametrize(
    ("profile", "kind", "expected"),
    [
        pytest.param("h200-sxm", "peer-one-way", 396.4e9, id="h200-one-way"),
        pytest.param("h200-sxm", "peer-both-ways", 783.7e9, id="h200-both-ways"),
        pytest.param("a800-sxm4-80gb", "peer-one-way", 175e9, id="a800-one-way"),
    ],
)
def test_links_are_as_fast_as_measured_on_genuine_cards(profile: str, kind: Any, expected: float) -> None:
    traits = physical(profile)
    task = PeerTask(kind=kind, buffer_bytes=Bytes(GIB))
    assert rate(traits, task, others=(card(traits),)) == pytest.approx(expected, rel=0.04)


def test_no_rate_exceeds_the_peak() -> None:
    for profile in ("a100-sxm4-80gb", "h100-sxm5-80gb", "t4", "l40s"):
        traits = physical(profile)
        for dtype, peak in traits.dense_flop_per_second.items():
            for edge in (256, 1000, 4096, 8192):
                assert rate(traits, gemm(dtype, edge)) < peak


def test_small_and_thin_products_are_slower() -> None:
    traits = physical("a100-sxm4-80gb")
    rates = [rate(traits, gemm(Dtype.BF16, edge)) for edge in (256, 512, 1024, 2048, 8192)]
    assert rates == sorted(rates)
    # One row tile: bound by memory, far below the peak.
    assert rate(traits, gemm(Dtype.BF16, 8, 8192, 8192)) < 0.1 * rates[-1]


def test_a_cold_card_is_slower_at_first() -> None:
    traits = physical("a100-sxm4-80gb")
    cold = Card(traits, DeviceState(), seed=3, ambient_celsius=30)
    kernel = SimulatedAccelerator(cold, reported_bytes=1).prepare(gemm(Dtype.BF16, 4096), rotation_bytes=Bytes(0))
    times = kernel.time(200, passes=1)
    assert times[0] > 2 * times[-1]


def test_a_cache_shows_as_a_knee() -> None:
    traits = physical("a100-sxm4-80gb")
    sizes = [traits.l2_bytes * share // 4 for share in (3, 4, 6, 8, 16)]
    within, at, above, beyond, far = (rate(traits, memory("cached-copy", size)) for size in sizes)
    assert within > 1.7 * far
    assert at > above > beyond
    assert beyond == pytest.approx(far, rel=0.1)
    assert rate(traits, memory("copy", sizes[0])) < 1.1 * far


@pytest.mark.parametrize("sharers", [2, 8])
def test_a_shared_card_gives_each_its_share_of_speed_and_memory(sharers: int) -> None:
    traits = physical("a100-sxm4-80gb")
    whole = rate(traits, gemm(Dtype.BF16, 8192))
    assert rate(traits, gemm(Dtype.BF16, 8192), sharers=sharers) == pytest.approx(whole / sharers, rel=0.02)
    asked = CapacityTask(requested_bytes=Bytes(72 * GIB), block_bytes=Bytes(GIB))
    accelerator = SimulatedAccelerator(card(traits), reported_bytes=traits.memory_bytes, sharers=sharers)
    assert accelerator.prepare(asked, rotation_bytes=Bytes(0)).amount_per_pass() <= traits.memory_bytes / sharers


def test_memory_that_is_only_claimed_is_found_missing() -> None:
    traits = physical("a100-sxm4-40gb")
    accelerator = SimulatedAccelerator(card(traits), reported_bytes=85_100_068_864)
    assert accelerator.free_bytes() > 80e9
    asked = CapacityTask(requested_bytes=Bytes(75 * GIB), block_bytes=Bytes(GIB))
    right = accelerator.prepare(asked, rotation_bytes=Bytes(0)).amount_per_pass()
    assert 38 * GIB <= right <= 40 * GIB


@pytest.mark.parametrize(
    ("task", "reason"),
    [
        pytest.param(gemm(Dtype.FP8, 4096), Reason.NOT_SUPPORTED, id="a100-has-no-fp8"),
        pytest.param(memory("copy", 200 * GIB), Reason.OUT_OF_MEMORY, id="too-large"),
        pytest.param(CapacityTask(requested_bytes=Bytes(0), block_bytes=Bytes(0)), Reason.OUT_OF_MEMORY, id="nothing-free"),
    ],
)
def test_what_cannot_be_done_has_a_reason(task: Task, reason: Reason) -> None:
    accelerator = SimulatedAccelerator(card(physical("a100-sxm4-80gb")), reported_bytes=1)
    with pytest.raises(NotMeasurableError) as raised:
        accelerator.prepare(task, rotation_bytes=Bytes(0))
    assert raised.value.reason is reason


def test_cards_without_nvlink_talk_over_the_host() -> None:
    traits = physical("l40s")
    host = rate(traits, HostLinkTask(kind="host-to-device", buffer_bytes=Bytes(GIB)))
    peer = rate(traits, PeerTask(kind="peer-one-way", buffer_bytes=Bytes(GIB)), others=(card(traits),))
    assert 0.5 * host < peer < host


def test_memory_in_use_shows_while_a_kernel_is_there_and_no_longer() -> None:
    one = card(physical("a100-sxm4-80gb"))
    kernel = SimulatedAccelerator(one, reported_bytes=1).prepare(memory("copy", GIB), rotation_bytes=Bytes(0))
    assert one.state.used_bytes == GIB
    kernel.release()
    assert one.state.used_bytes == 0
