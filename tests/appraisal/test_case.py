"""What counts as the rate of a device, and what does not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from gpuaudit.appraisal.case import PEER, DeviceCase, device_cases
from gpuaudit.appraisal.reference import Yardstick
from gpuaudit.evidence.bundle import EvidenceBundle
from gpuaudit.evidence.measurement import Company, Dtype, GemmTask, Measurement, PeerTask
from gpuaudit.evidence.reading import Known, Unknown
from gpuaudit.units import Seconds
from tests.appraisal.machines import machine

A100 = "a100-sxm4-80gb"


def case(bundle: EvidenceBundle, yardstick: Yardstick) -> DeviceCase:
    return device_cases(bundle, yardstick.thresholds.canonical)[0]


def bf16(bundle: EvidenceBundle) -> Measurement:
    return next(one for one in bundle.measurements if isinstance(one.task, GemmTask) and one.task.dtype is Dtype.BF16)


def instead(bundle: EvidenceBundle, change: Callable[[Measurement], Measurement]) -> EvidenceBundle:
    """Put another measurement in the place of the bf16 product."""
    old = bf16(bundle)
    return replace(bundle, measurements=tuple(change(one) if one is old else one for one in bundle.measurements))


def halved(one: Measurement, times: int) -> Measurement:
    """The same work in as many smaller products."""
    assert isinstance(one.task, GemmTask)
    task = replace(one.task, m=one.task.m >> times, n=one.task.n >> times, k=one.task.k >> times)
    return replace(one, task=task)


@pytest.mark.parametrize("times", [0, 1, 2, 3])
def test_a_product_that_was_halved_for_a_slow_card_counts(times: int, yardstick: Yardstick) -> None:
    evidence = machine(yardstick, A100)
    rate = case(instead(evidence, lambda one: halved(one, times)), yardstick).reading("gemm-bf16")
    assert rate == case(evidence, yardstick).reading("gemm-bf16")
    assert isinstance(rate, Known)


def test_a_product_that_was_halved_too_often_does_not(yardstick: Yardstick) -> None:
    most = yardstick.thresholds.canonical.most_halvings
    evidence = instead(machine(yardstick, A100), lambda one: halved(one, most + 1))
    assert isinstance(case(evidence, yardstick).reading("gemm-bf16"), Unknown)


def test_the_layout_of_a_product_does_not_matter(yardstick: Yardstick) -> None:
    evidence = machine(yardstick, A100)
    task = bf16(evidence).task
    assert isinstance(task, GemmTask)
    turned = instead(evidence, lambda one: replace(one, task=replace(task, layout="nn" if task.layout == "tt" else "tt")))
    assert case(turned, yardstick).reading("gemm-bf16") == case(evidence, yardstick).reading("gemm-bf16")


def test_a_product_alone_is_not_one_with_all_at_work(yardstick: Yardstick) -> None:
    evidence = instead(machine(yardstick, A100), lambda one: replace(one, company=Company.ALONE))
    assert isinstance(case(evidence, yardstick).reading("gemm-bf16"), Unknown)


def test_a_copy_between_cards_that_names_one_card_is_no_rate(yardstick: Yardstick) -> None:
    buffer = yardstick.thresholds.canonical.peer_buffer_bytes
    task = PeerTask(kind="peer-both-ways", buffer_bytes=buffer)
    evidence = instead(machine(yardstick, A100), lambda one: replace(one, task=task))
    assert PEER not in case(evidence, yardstick).rates
    assert isinstance(case(evidence, yardstick).reading(PEER), Unknown)


def test_the_fastest_sample_of_all_runs_is_the_numerator_and_the_slowest_run_the_denominator(yardstick: Yardstick) -> None:
    evidence = machine(yardstick, A100)
    plain = case(evidence, yardstick)
    again = tuple(_faster(one, 2.0) for one in evidence.measurements if isinstance(one.task, GemmTask))
    twice = case(replace(evidence, measurements=(*evidence.measurements, *again)), yardstick)
    before, after = (one.compared(("gemm-fp64", "gemm-bf16")) for one in (plain, twice))
    assert isinstance(before, Known)
    assert isinstance(after, Known)
    assert after.value.numerator == pytest.approx(2 * before.value.numerator)
    assert after.value.denominator == pytest.approx(before.value.denominator)


def _faster(one: Measurement, factor: float) -> Measurement:
    assert isinstance(one.samples, Known)
    seconds = tuple(Seconds(second / factor) for second in one.samples.value.seconds)
    return replace(one, samples=replace(one.samples, value=replace(one.samples.value, seconds=seconds)))
