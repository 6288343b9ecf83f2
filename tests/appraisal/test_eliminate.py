"""Start from an honest card, change one thing, and see what is left of the claim."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from gpuaudit.appraisal.reference import Yardstick
from gpuaudit.appraisal.result import Verdict
from gpuaudit.evidence.bundle import EvidenceBundle
from gpuaudit.evidence.device import MigMode, VirtualizationMode
from gpuaudit.evidence.measurement import GemmTask, Measurement, PeerTask
from gpuaudit.evidence.reading import Known
from gpuaudit.units import Seconds
from tests.appraisal.claims import claim, examined
from tests.appraisal.machines import machine, missing, nvml, with_device

CONFIRMED, REFUTED, INCONCLUSIVE = Verdict.CONFIRMED, Verdict.REFUTED, Verdict.INCONCLUSIVE
A100 = "a100-sxm4-80gb"

Change = Callable[[EvidenceBundle], EvidenceBundle]


@pytest.mark.parametrize(
    "product",
    [
        "a100-sxm4-40gb",
        A100,
        "a100-pcie-40gb",
        "a100-pcie-80gb",
        "h100-sxm5-80gb",
        "h100-pcie-80gb",
        "h200-sxm",
        "a800-sxm4-80gb",
    ],
)
def test_an_honest_machine_of_eight_is_confirmed(product: str, yardstick: Yardstick) -> None:
    family = yardstick.catalogue.product(product).counts_as[0]
    for one in examined(machine(yardstick, *[product] * 8), yardstick, family, cards=8):
        assert one.verdict is CONFIRMED
        assert one.by_basis.reported is CONFIRMED
        assert one.candidates == {product}


@pytest.mark.parametrize(
    ("product", "named"),
    [
        pytest.param("a800-sxm4-80gb", "A100", id="export-variant-with-fewer-links"),
        pytest.param("h800-sxm5", "H100", id="export-variant-without-double-precision"),
        pytest.param("h100-sxm5-80gb", "A100", id="more-than-was-asked-for"),
        pytest.param("h200-sxm", "H100", id="newer-than-was-asked-for"),
        pytest.param("gh200-96gb", "H100", id="superchip"),
        pytest.param("t4", "A100", id="much-less"),
        pytest.param("rtx-4090", "A100", id="consumer-card"),
        pytest.param("cmp-170hx-10gb", "A100", id="mining-card-with-the-same-chip"),
        pytest.param("pg509-210", "A100", id="engineering-board-with-the-same-device-id"),
        pytest.param(A100, "a100-sxm4-40gb", id="other-memory-than-the-line-says"),
    ],
)
def test_another_product_is_refuted_as_reported(product: str, named: str, yardstick: Yardstick) -> None:
    (one,) = examined(machine(yardstick, product), yardstick, named)
    assert one.verdict is REFUTED
    assert one.by_basis.reported is REFUTED


@pytest.mark.parametrize(
    ("worker", "measured"),
    [
        pytest.param("t4", INCONCLUSIVE, id="t4-cannot-do-the-work"),
        pytest.param("a100-sxm4-40gb", INCONCLUSIVE, id="a100-40-is-not-the-one-it-reports-and-two-are-not-eight"),
        pytest.param("a800-sxm4-80gb", INCONCLUSIVE, id="a800-has-fewer-links"),
        pytest.param("rtx-4090", INCONCLUSIVE, id="rtx-4090-has-little-double-precision"),
        pytest.param("h800-sxm5", INCONCLUSIVE, id="h800-is-faster-but-not-in-fp64"),
    ],
)
def test_a_forger_of_all_that_is_reported_is_not_confirmed(worker: str, measured: Verdict, yardstick: Yardstick) -> None:
    for one in examined(machine(yardstick, A100, A100, measured_as=worker), yardstick, "A100", cards=8):
        assert one.by_basis.reported is CONFIRMED
        assert one.by_basis.measured is measured
        assert one.verdict is not CONFIRMED


def test_an_h800_with_forged_ids_is_refuted_by_its_ratio(yardstick: Yardstick) -> None:
    (one,) = examined(machine(yardstick, "h100-sxm5-80gb", measured_as="h800-sxm5"), yardstick, "h100-sxm5-80gb")
    assert one.by_basis.reported is CONFIRMED
    assert one.by_basis.measured is REFUTED
    assert one.verdict is REFUTED


def test_a_faster_card_under_a_slower_name_is_refuted_between_the_bases(yardstick: Yardstick) -> None:
    # Some A100 have no sourced rate, so measuring alone excludes not all of them; what is reported excludes those.
    (one,) = examined(machine(yardstick, A100, measured_as="h100-sxm5-80gb"), yardstick, "A100")
    assert one.verdict is REFUTED


@pytest.mark.parametrize("share", [0.9, 0.5, 0.25, 0.05])
@pytest.mark.parametrize("product", [A100, "h100-sxm5-80gb", "h200-sxm", "t4"])
def test_a_throttled_or_shared_genuine_card_is_never_called_another_product(
    product: str, share: float, yardstick: Yardstick
) -> None:
    family = yardstick.catalogue.product(product).counts_as[0]
    for one in examined(machine(yardstick, product, product, share=share), yardstick, family, cards=2):
        assert one.verdict is not REFUTED
        assert one.by_basis.measured is not REFUTED


def test_a_card_throttled_to_a_quarter_between_two_measurements_is_not_refuted(yardstick: Yardstick) -> None:
    evidence = machine(yardstick, "h100-sxm5-80gb")
    slowed = tuple(
        _slower(one, 4.0) if isinstance(one.task, GemmTask) and one.task.dtype == "fp64" else one
        for one in evidence.measurements
    )
    (one,) = examined(replace(evidence, measurements=slowed), yardstick, "H100")
    assert one.verdict is not REFUTED


CHANGES: dict[str, tuple[Change, Verdict]] = {
    "name-of-another-product": (lambda e: with_device(e, 0, identity={"name": nvml("NVIDIA A800-SXM4-80GB")}), REFUTED),
    "name-that-no-driver-prints": (lambda e: with_device(e, 0, identity={"name": nvml("A100 Super")}), INCONCLUSIVE),
    "name-of-an-unknown-board": (lambda e: with_device(e, 0, identity={"name": nvml("NVIDIA Graphics Device")}), INCONCLUSIVE),
    "name-withheld": (lambda e: with_device(e, 0, identity={"name": missing()}), INCONCLUSIVE),
    "device-id-of-another-product": (lambda e: with_device(e, 0, pci={"device_id": nvml("10de:20f3")}), REFUTED),
    "device-id-in-no-catalogue": (lambda e: with_device(e, 0, pci={"device_id": nvml("10de:ffff")}), INCONCLUSIVE),
    "device-id-withheld": (lambda e: with_device(e, 0, pci={"device_id": missing()}), INCONCLUSIVE),
    "bus-id-withheld": (lambda e: with_device(e, 0, pci={"bus_id": missing()}), INCONCLUSIVE),
    "uuid-withheld": (lambda e: with_device(e, 0, identity={"uuid": missing()}), INCONCLUSIVE),
    "subsystem-in-no-catalogue": (lambda e: with_device(e, 0, pci={"subsystem_id": nvml("1028:0001")}), INCONCLUSIVE),
    "half-the-memory": (lambda e: with_device(e, 0, memory={"total_bytes": nvml(42_949_672_960)}), REFUTED),
    "no-memory-at-all": (lambda e: with_device(e, 0, memory={"total_bytes": nvml(0)}), REFUTED),
    "memory-withheld": (lambda e: with_device(e, 0, memory={"total_bytes": missing()}), INCONCLUSIVE),
    "memory-as-old-drivers-count-it": (lambda e: with_device(e, 0, memory={"total_bytes": nvml(81251 * 2**20)}), CONFIRMED),
    "mig-mode-on": (lambda e: with_device(e, 0, partition={"mig_mode": nvml(MigMode.ENABLED)}), INCONCLUSIVE),
    "mig-mode-withheld": (lambda e: with_device(e, 0, partition={"mig_mode": missing()}), INCONCLUSIVE),
    "vgpu": (
        lambda e: with_device(e, 0, partition={"virtualization_mode": nvml(VirtualizationMode.VGPU)}),
        REFUTED,
    ),
    "bare-metal": (
        lambda e: with_device(e, 0, partition={"virtualization_mode": nvml(VirtualizationMode.NONE)}),
        CONFIRMED,
    ),
    "advisory-core-count-of-another-chip": (lambda e: with_device(e, 0, identity={"gpu_core_count": nvml(4480)}), CONFIRMED),
    "advisory-core-count-withheld": (lambda e: with_device(e, 0, identity={"gpu_core_count": missing()}), CONFIRMED),
    "no-measurements": (lambda e: replace(e, measurements=()), INCONCLUSIVE),
    "no-copies-between-cards": (
        lambda e: replace(e, measurements=tuple(one for one in e.measurements if not isinstance(one.task, PeerTask))),
        INCONCLUSIVE,
    ),
}


@pytest.mark.parametrize(("change", "verdict"), CHANGES.values(), ids=CHANGES.keys())
def test_one_change_to_an_honest_a100(change: Change, verdict: Verdict, yardstick: Yardstick) -> None:
    changed = change(machine(yardstick, A100, A100))
    assert examined(changed, yardstick, "A100", cards=2)[0].verdict is verdict


def test_a_claim_of_one_card_needs_no_copies_between_cards(yardstick: Yardstick) -> None:
    (one,) = examined(machine(yardstick, A100), yardstick, "A100", cards=1)
    assert one.verdict is CONFIRMED


def test_what_is_required_does_not_depend_on_the_evidence(yardstick: Yardstick) -> None:
    assert "peer-both-ways" in claim(yardstick, "A100", 8).required_readings
    assert "peer-both-ways" not in claim(yardstick, "A100", 1).required_readings


@pytest.mark.parametrize("policy", ["strict", "testimony"])
def test_these_policies_do_not_confirm_what_a_machine_says_of_itself(policy: str, yardstick: Yardstick) -> None:
    (one,) = examined(machine(yardstick, A100), yardstick, "A100", policy=policy)
    assert one.verdict is INCONCLUSIVE
    assert one.by_basis.reported is CONFIRMED


@pytest.mark.parametrize("policy", ["standard", "strict", "testimony"])
def test_every_policy_refutes_what_is_reported_to_be_something_else(policy: str, yardstick: Yardstick) -> None:
    (one,) = examined(machine(yardstick, "a800-sxm4-80gb"), yardstick, "A100", policy=policy)
    assert one.verdict is REFUTED


def test_testimony_does_not_look_at_measurements(yardstick: Yardstick) -> None:
    evidence = machine(yardstick, "h100-sxm5-80gb", measured_as="h800-sxm5")
    (one,) = examined(evidence, yardstick, "h100-sxm5-80gb", policy="testimony")
    assert one.verdict is INCONCLUSIVE


@pytest.mark.parametrize("dtype", ["bf16", "fp64"])
@pytest.mark.parametrize("share", [0.12, 0.3])
def test_a_genuine_card_that_is_shared_during_one_measurement_is_not_refuted(
    dtype: str, share: float, yardstick: Yardstick
) -> None:
    evidence = machine(yardstick, "h100-sxm5-80gb")
    disturbed = tuple(
        _disturbed(one, share) if isinstance(one.task, GemmTask) and one.task.dtype == dtype else one
        for one in evidence.measurements
    )
    (one,) = examined(replace(evidence, measurements=disturbed), yardstick, "H100")
    assert one.verdict is not REFUTED


def test_no_product_holds_without_a_floor_for_each_required_quantity(yardstick: Yardstick) -> None:
    """A card that does next to nothing bears out nothing, however little the catalogue knows of what it claims to be."""
    for product in yardstick.catalogue.products:
        if product.counts_as:
            evidence = machine(yardstick, *[product.id] * 2, measured_as=product.id, share=1e-9)
            for one in examined(evidence, yardstick, product.counts_as[0], cards=2):
                assert one.verdict is not CONFIRMED, product.id


def test_a_board_that_no_catalogue_lists_is_not_refuted_by_its_other_readings(yardstick: Yardstick) -> None:
    evidence = with_device(
        machine(yardstick, A100), 0, pci={"device_id": nvml("10de:15f7")}, memory={"total_bytes": nvml(12_198 * 2**20)}
    )
    (one,) = examined(evidence, yardstick, "A100")
    assert one.verdict is INCONCLUSIVE
    assert one.by_basis.reported is INCONCLUSIVE


@pytest.mark.parametrize(
    "seconds",
    [(), (0.0, 0.0), (-1.0, -1.0), (1.7e308, 1.7e308), (5e-324, 5e-324)],
    ids=["none", "zero", "negative", "endless", "instant"],
)
def test_times_that_make_no_rate_are_unknown_and_raise_nothing(seconds: tuple[float, ...], yardstick: Yardstick) -> None:
    evidence = machine(yardstick, A100)
    broken = tuple(_with_seconds(one, seconds) for one in evidence.measurements)
    (one,) = examined(replace(evidence, measurements=broken), yardstick, "A100")
    assert one.verdict is INCONCLUSIVE


def _with_seconds(one: Measurement, seconds: tuple[float, ...]) -> Measurement:
    assert isinstance(one.samples, Known)
    changed = replace(one.samples.value, seconds=tuple(Seconds(second) for second in seconds))
    return replace(one, samples=replace(one.samples, value=changed))


def _disturbed(one: Measurement, share: float) -> Measurement:
    """Slowed for most of its runs, as by another tenant; a few runs in between have the card for themselves."""
    assert isinstance(one.samples, Known)
    kept = one.samples.value.seconds
    seconds = tuple(Seconds(second / share) if place % 4 else second for place, second in enumerate(kept))
    return replace(one, samples=replace(one.samples, value=replace(one.samples.value, seconds=seconds)))


def _slower(one: Measurement, factor: float) -> Measurement:
    assert isinstance(one.samples, Known)
    slow = replace(one.samples.value, seconds=tuple(Seconds(second * factor) for second in one.samples.value.seconds))
    return replace(one, samples=replace(one.samples, value=slow))
