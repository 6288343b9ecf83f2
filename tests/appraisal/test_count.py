"""Counting is monotone, and what was not seen is not counted as missing."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuaudit.appraisal.count import Tally, all_devices_seen, count_cards, fold, tally
from gpuaudit.appraisal.reference import Yardstick
from gpuaudit.appraisal.result import Verdict
from gpuaudit.evidence.bundle import EvidenceBundle
from gpuaudit.evidence.reading import Known, Reason, Source
from gpuaudit.tender.model import AtLeast, Count, Exactly, HardwareLine, MoreThan, ProductClaim, Unsaid
from tests.appraisal.machines import bundle, machine, missing, nvml, pci_function, with_device

CONFIRMED, REFUTED, INCONCLUSIVE = Verdict.CONFIRMED, Verdict.REFUTED, Verdict.INCONCLUSIVE
A100 = "a100-sxm4-80gb"


def line(*, per_server: Count | None = None, servers: Count | None = None, total: Count | None = None) -> HardwareLine:
    return HardwareLine(
        id="a",
        text="as it says",
        product=ProductClaim(named="A100"),
        per_server=per_server or Unsaid(),
        servers=servers or Unsaid(),
        total=total or Unsaid(),
    )


def seen(good: int, *, open_: int = 0, bad: int = 0, all_seen: bool = True, name: str = "m") -> Tally:
    return Tally(name=name, good=good, open=open_, bad=bad, all_seen=all_seen)


EIGHT = Exactly(n=8)
FOLDS = [
    pytest.param(line(per_server=EIGHT, servers=Exactly(n=1)), [seen(8)], False, CONFIRMED, id="eight-of-eight"),
    pytest.param(line(per_server=EIGHT, servers=Exactly(n=1)), [seen(9)], False, CONFIRMED, id="a-surplus-is-noted"),
    pytest.param(line(per_server=EIGHT, servers=Exactly(n=1)), [seen(8, bad=2)], False, CONFIRMED, id="eight-and-two-others"),
    pytest.param(line(per_server=EIGHT, servers=Exactly(n=1)), [seen(7)], False, REFUTED, id="seven-and-all-seen"),
    pytest.param(
        line(per_server=EIGHT, servers=Exactly(n=1)), [seen(7, all_seen=False)], False, INCONCLUSIVE, id="seven-in-sight"
    ),
    pytest.param(line(per_server=EIGHT, servers=Exactly(n=1)), [seen(7, open_=1)], False, INCONCLUSIVE, id="one-undetermined"),
    pytest.param(line(per_server=EIGHT, servers=Exactly(n=1)), [seen(4, bad=4)], False, REFUTED, id="half-are-something-else"),
    pytest.param(line(per_server=EIGHT, servers=Exactly(n=500)), [seen(8)], False, INCONCLUSIVE, id="one-of-500"),
    pytest.param(line(per_server=EIGHT, servers=Exactly(n=500)), [seen(0, bad=8)], False, REFUTED, id="each-of-500"),
    pytest.param(line(per_server=EIGHT, servers=Exactly(n=500)), [seen(8)] * 500, False, CONFIRMED, id="500-of-500"),
    pytest.param(line(per_server=EIGHT, servers=Exactly(n=500)), [seen(8)] * 499, False, INCONCLUSIVE, id="499-of-500"),
    pytest.param(line(per_server=EIGHT, servers=Exactly(n=500)), [seen(8)] * 499, True, REFUTED, id="499-and-these-are-all"),
    pytest.param(
        line(per_server=EIGHT, servers=Exactly(n=500)), [seen(8)] * 499 + [seen(7)], False, REFUTED, id="499-and-a-bad-one"
    ),
    pytest.param(
        line(per_server=EIGHT, servers=AtLeast(n=10)),
        [seen(8)] * 10 + [seen(0, bad=8)],
        False,
        CONFIRMED,
        id="10-good-and-a-bad-one",
    ),
    pytest.param(
        line(per_server=EIGHT, servers=AtLeast(n=10)),
        [seen(8)] * 9 + [seen(0, bad=8)],
        False,
        REFUTED,
        id="9-good-and-a-bad-one",
    ),
    pytest.param(line(servers=Exactly(n=4)), [seen(1)], False, INCONCLUSIVE, id="1-of-4-servers-with-any"),
    pytest.param(line(servers=Exactly(n=4)), [seen(0, bad=8)], False, REFUTED, id="a-server-without-any"),
    pytest.param(line(per_server=EIGHT), [seen(8)], False, CONFIRMED, id="unsaid-servers-one-good"),
    pytest.param(line(per_server=EIGHT), [seen(0, bad=8)], False, INCONCLUSIVE, id="unsaid-servers-are-not-refuted-by-one"),
    pytest.param(line(per_server=EIGHT), [seen(0, bad=8)], True, REFUTED, id="unsaid-servers-and-these-are-all"),
    pytest.param(line(total=MoreThan(n=4000)), [seen(8)] * 500, False, INCONCLUSIVE, id="4000-is-not-more-than-4000"),
    pytest.param(line(total=MoreThan(n=4000)), [seen(8)] * 501, False, CONFIRMED, id="4008-is"),
    pytest.param(line(total=MoreThan(n=4000)), [seen(8)], True, REFUTED, id="8-and-these-are-all"),
    pytest.param(line(total=MoreThan(n=4000)), [seen(8, all_seen=False)], True, INCONCLUSIVE, id="8-and-more-may-be-hidden"),
    pytest.param(line(total=AtLeast(n=1)), [seen(0, bad=8)], False, INCONCLUSIVE, id="none-here-says-nothing-of-elsewhere"),
    pytest.param(line(total=AtLeast(n=1)), [seen(0, bad=8)], True, REFUTED, id="none-and-these-are-all"),
    pytest.param(line(per_server=EIGHT, servers=Exactly(n=1)), [seen(0)], False, REFUTED, id="no-accelerator-and-all-seen"),
    pytest.param(
        line(per_server=EIGHT, servers=Exactly(n=1)),
        [seen(0, all_seen=False)],
        False,
        INCONCLUSIVE,
        id="no-accelerator-in-sight",
    ),
    pytest.param(line(per_server=EIGHT, servers=Exactly(n=1)), [], False, INCONCLUSIVE, id="no-machine-shown"),
]


@pytest.mark.parametrize(("claimed", "tallies", "complete", "verdict"), FOLDS)
def test_machines_fold_into_one_verdict(claimed: HardwareLine, tallies: list[Tally], complete: bool, verdict: Verdict) -> None:
    assert fold(claimed, tallies, complete=complete).verdict is verdict


TALLIES = st.builds(seen, st.integers(0, 9), open_=st.integers(0, 3), bad=st.integers(0, 3), all_seen=st.booleans())
COUNTS = st.one_of(
    st.builds(Exactly, n=st.integers(1, 9)),
    st.builds(AtLeast, n=st.integers(1, 9)),
    st.builds(MoreThan, n=st.integers(1, 9)),
    st.just(Unsaid()),
)


@given(COUNTS, COUNTS, COUNTS, st.lists(TALLIES, max_size=6), TALLIES, st.booleans())
def test_one_machine_more_never_takes_a_confirmation_away(
    per_server: Count, servers: Count, total: Count, tallies: list[Tally], more: Tally, complete: bool
) -> None:
    claimed = line(per_server=per_server, servers=servers, total=total)
    if fold(claimed, tallies, complete=complete).verdict is CONFIRMED:
        assert fold(claimed, [*tallies, more], complete=complete).verdict is CONFIRMED


@given(COUNTS, COUNTS, COUNTS, st.lists(TALLIES, min_size=1, max_size=6), st.data())
def test_hiding_a_machine_or_a_card_never_confirms(
    per_server: Count, servers: Count, total: Count, tallies: list[Tally], data: st.DataObject
) -> None:
    claimed = line(per_server=per_server, servers=servers, total=total)
    if fold(claimed, tallies, complete=False).verdict is CONFIRMED:
        return
    place = data.draw(st.integers(0, len(tallies) - 1))
    fewer = [one for index, one in enumerate(tallies) if index != place]
    hidden = [replace(one, bad=0, open=0) if index == place else one for index, one in enumerate(tallies)]
    assert fold(claimed, fewer, complete=False).verdict is not CONFIRMED
    assert fold(claimed, hidden, complete=False).verdict is not CONFIRMED


def test_eight_entries_with_one_uuid_are_one_card(yardstick: Yardstick) -> None:
    evidence = machine(yardstick, *[A100] * 8)
    for index in range(1, 8):
        evidence = with_device(evidence, index, identity={"uuid": evidence.nvml.devices[0].identity.uuid})
    counted = tally("m", [(one, CONFIRMED) for one in evidence.nvml.devices], evidence)
    assert counted.good == 1
    assert not counted.all_seen


def test_a_scrubbed_uuid_does_not_make_two_cards_one(yardstick: Yardstick) -> None:
    evidence = machine(yardstick, A100, A100)
    for index in range(2):
        evidence = with_device(evidence, index, identity={"uuid": nvml("GPU-00000000-0000-0000-0000-000000000000")})
    assert count_cards(evidence.nvml.devices) == 2


def test_a_third_that_shares_with_each_of_two_cards_adds_none(yardstick: Yardstick) -> None:
    evidence = machine(yardstick, A100, A100, A100)
    first, second, _ = evidence.nvml.devices
    bridging = with_device(evidence, 2, identity={"uuid": first.identity.uuid}, pci={"bus_id": second.pci.bus_id})
    assert count_cards(bridging.nvml.devices) == 2


def _empty(evidence: EvidenceBundle) -> EvidenceBundle:
    gone = missing(Reason.NOT_FOUND)
    kernel = replace(
        evidence.kernel,
        pci_functions=Known(value=(), source=Source.PCI),
        device_files=Known(value=(), source=Source.DEVICE_FILES),
        dxg_present=Known(value=False, source=Source.DEVICE_FILES),
    )
    return replace(evidence, nvml=replace(evidence.nvml, device_count=gone, driver_version=gone, devices=()), kernel=kernel)


def test_a_machine_without_any_trace_has_been_seen_whole() -> None:
    assert all_devices_seen(_empty(bundle(())), 0)


@pytest.mark.parametrize(
    "trace",
    [
        pytest.param({"dxg_present": Known(value=True, source=Source.DEVICE_FILES)}, id="wsl2-has-no-pci-device"),
        pytest.param({"device_files": Known(value=("nvidia0",), source=Source.DEVICE_FILES)}, id="a-numbered-device-file"),
        pytest.param({"device_files": missing(Reason.NO_PERMISSION)}, id="device-files-unreadable"),
        pytest.param({"pci_functions": missing(Reason.NOT_FOUND)}, id="no-pci-view"),
    ],
)
def test_a_trace_of_a_device_keeps_the_count_open(trace: dict[str, object]) -> None:
    evidence = _empty(bundle(()))
    assert not all_devices_seen(replace(evidence, kernel=replace(evidence.kernel, **trace)), 0)  # type: ignore[arg-type]


def test_the_control_file_alone_is_no_trace() -> None:
    # The library makes /dev/nvidiactl itself when root asks, driver or not.
    evidence = _empty(bundle(()))
    kernel = replace(evidence.kernel, device_files=Known(value=("nvidiactl",), source=Source.DEVICE_FILES))
    assert all_devices_seen(replace(evidence, kernel=kernel), 0)


def test_nvml_that_timed_out_is_not_an_empty_machine() -> None:
    evidence = _empty(bundle(()))
    assert not all_devices_seen(replace(evidence, nvml=replace(evidence.nvml, device_count=missing(Reason.TIMED_OUT))), 0)


def test_a_card_that_only_the_bus_shows_keeps_the_count_open(yardstick: Yardstick) -> None:
    evidence = machine(yardstick, A100, A100)
    shown = replace(evidence, nvml=replace(evidence.nvml, device_count=nvml(1), devices=evidence.nvml.devices[:1]))
    assert not all_devices_seen(shown, 1)
    assert all_devices_seen(evidence, 2)


def test_virtual_functions_and_other_classes_are_not_counted(yardstick: Yardstick) -> None:
    evidence = machine(yardstick, A100)
    (card,) = evidence.nvml.devices
    extra = [
        replace(pci_function(card), bus_id="0000:01:00.4", is_virtual_function=Known(value=True, source=Source.PCI)),
        replace(pci_function(card), bus_id="0000:05:00.0", class_code="068000"),
    ]
    kernel = replace(evidence.kernel, pci_functions=Known(value=(pci_function(card), *extra), source=Source.PCI))
    assert all_devices_seen(replace(evidence, kernel=kernel), 1)
