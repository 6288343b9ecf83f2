"""What the files of the catalogue hold: who counts as what, what genuine cards report, and which known errors stayed out."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest

from gpuaudit.catalogue.compare import Fit, compare_listing, compare_span, index_catalogue
from gpuaudit.catalogue.compiled import load_catalogue
from gpuaudit.catalogue.identify import Recognition, identify
from gpuaudit.catalogue.model import Attribute, CitationKind, FormFactor, Listing, NoData, Product, ProductKind, Quantity, Span
from gpuaudit.evidence.measurement import Dtype
from tests.catalogue.devices import device

_CATALOGUE = load_catalogue()
_INDEX = index_catalogue(_CATALOGUE)
_FOLDER = Path(__file__).parents[2] / "gpuaudit" / "catalogue" / "data" / "nvidia"
_MIB = 2**20
_WATT = 1000

_COUNTS_AS = {
    "A100": {"a100-sxm4-40gb", "a100-sxm4-80gb", "a100-pcie-40gb", "a100-pcie-80gb", "a100-sxm-64gb", "a100x"},
    "H100": {
        "h100-sxm5-80gb",
        "h100-sxm5-64gb",
        "h100-sxm5-94gb",
        "h100-sxm5-96gb",
        "h100-pcie-80gb",
        "h100-nvl-94gb",
        "h100-cnx",
    },
    "A800": {"a800-sxm4-80gb", "a800-sxm4-40gb", "a800-pcie-80gb", "a800-40gb-active"},
    "H800": {"h800-sxm5", "h800-pcie", "h800-nvl"},
    "H200": {"h200-sxm", "h200-nvl"},
    "H20": {"h20-96gb", "h20-141gb-3e", "h20-nvl16"},
    "H20B": {"h20b"},
    "L20Y": {"l20y"},
    "GH200": {"gh200-96gb", "gh200-144gb"},
    "B200": {"b200", "b200-168gb"},
    "B100": {"b100"},
    "B300": {"b300"},
    "GB200": {"gb200"},
    "GB300": {"gb300"},
    "L40S": {"l40s"},
    "L40": {"l40"},
    "L20": {"l20"},
    "L2": {"l2"},
    "L4": {"l4"},
    "A10": {"a10"},
    "A10G": {"a10g"},
    "A30": {"a30"},
    "A40": {"a40"},
    "A16": {"a16"},
    "A2": {"a2"},
    "AX800": {"ax800"},
    "V100": {"v100-sxm2-16gb", "v100-sxm2-32gb", "v100-pcie-16gb", "v100-pcie-32gb"},
    "T4": {"t4"},
    "P100": {"p100-pcie", "p100-sxm2"},
    "RTX A6000": {"rtx-a6000"},
    "RTX 6000 Ada": {"rtx-6000-ada"},
    "RTX PRO 6000": {"rtx-pro-6000-server", "rtx-pro-6000-ws", "rtx-pro-6000-max-q"},
    "RTX 6000D": {"rtx-6000d"},
    "RTX 4090": {"rtx-4090"},
    "RTX 4090 48GB": {"rtx-4090-48gb-mod"},
    "RTX 4090 D": {"rtx-4090-d"},
    "RTX 3090": {"rtx-3090"},
    "RTX 5090": {"rtx-5090"},
    "RTX 5090 D": {"rtx-5090-d"},
    "RTX 5090 D v2": {"rtx-5090-d-v2"},
    "CMP 170HX": {"cmp-170hx-8gb", "cmp-170hx-10gb"},
    "PG506": {"pg506-230-232", "a100-pg506-207", "a100-pg506-217"},
    "PG509": {"a100-pg509-200", "pg509-210"},
    "DRIVE A100": {"drive-a100"},
    "GRID A100A": {"grid-a100a"},
    "GRID A100B": {"grid-a100b"},
}


def _span(product_id: str, quantity: Quantity) -> Span:
    span = _CATALOGUE.product(product_id).span(quantity)
    assert isinstance(span, Span)
    return span


def _products() -> list[object]:
    return [pytest.param(product, id=product.id) for product in _CATALOGUE.products]


def test_who_counts_as_what_is_exactly_this() -> None:
    counts: defaultdict[str, set[str]] = defaultdict(set)
    for product in _CATALOGUE.products:
        for name in product.counts_as:
            counts[name].add(product.id)
    assert counts == _COUNTS_AS


def test_slices_and_shares_are_products_that_no_claim_counts() -> None:
    slices = [product for product in _CATALOGUE.products if product.kind in (ProductKind.MIG, ProductKind.VGPU)]
    assert len(slices) == 20
    assert not any(product.counts_as or product.required.readings or product.required.measurements for product in slices)


def test_every_file_is_compiled_and_ids_are_unique() -> None:
    ids = [product.id for product in _CATALOGUE.products]
    assert ids == sorted(path.stem for path in _FOLDER.glob("*.toml"))
    assert len(ids) == 97


def test_a_symptom_is_in_no_listing() -> None:
    for product in _CATALOGUE.products:
        names = product.listings.get(Attribute.NAMES)
        assert names is None or not any("Graphics Device" in name for name in names.values)


@pytest.mark.parametrize("product", _products())
def test_every_value_has_a_source_and_memory_is_called_memory(product: Product) -> None:
    values: tuple[Span | Listing, ...] = (*product.spans.values(), *product.rates.values(), *product.listings.values())
    for value in values:
        assert value.cited
        for citation in value.cited:
            assert citation.source.strip()
            assert (citation.kind is CitationKind.UNVERIFIED) is (citation.source == "memory")


@pytest.mark.parametrize("product", _products())
def test_what_is_required_is_what_the_file_has_a_verified_value_for(product: Product) -> None:
    if product.kind in (ProductKind.MIG, ProductKind.VGPU):
        return
    mig = product.span(Quantity.MIG_INSTANCES_MAX)
    readings = set(product.required.readings)
    assert {"identity.name", "identity.uuid", "pci.bus_id", "pci.device_id", "partition.virtualization_mode"} <= readings
    assert ("pci.subsystem_id" in readings) is isinstance(product.listing(Attribute.PCI_SUBSYSTEM_IDS), Listing)
    assert ("memory.total_bytes" in readings) is isinstance(product.span(Quantity.MEMORY_TOTAL_BYTES), Span)
    assert ("partition.mig_mode" in readings) is (isinstance(mig, Span) and mig.smallest >= 1)


def test_a_family_requires_the_same_measurements_throughout() -> None:
    required: defaultdict[str, set[frozenset[str]]] = defaultdict(set)
    for product in _CATALOGUE.products:
        for name in product.counts_as:
            required[name].add(frozenset(product.required.measurements))
    assert {name for name, sets in required.items() if len(sets) > 1} == set()
    assert required["A100"] == {frozenset({"gemm-bf16", "gemm-fp64", "copy", "capacity", "peer-both-ways"})}
    assert required["T4"] == {frozenset({"gemm-fp16", "gemm-fp64", "copy", "capacity"})}


@pytest.mark.parametrize(
    ("product_id", "quantity", "values"),
    [
        pytest.param("a100-sxm4-80gb", Quantity.MEMORY_TOTAL_BYTES, [81251 * _MIB, 81920 * _MIB], id="a100-80-old-and-new-driver"),
        pytest.param("a100-pcie-80gb", Quantity.MEMORY_TOTAL_BYTES, [80994 * _MIB, 81920 * _MIB], id="a100-pcie-80-old-driver"),
        pytest.param("a100-sxm4-40gb", Quantity.MEMORY_TOTAL_BYTES, [40536 * _MIB, 40960 * _MIB], id="a100-40-old-and-new-driver"),
        pytest.param("a100-sxm4-80gb", Quantity.POWER_LIMIT_DEFAULT_MILLIWATTS, [275 * _WATT, 400 * _WATT, 500 * _WATT], id="a100-80-power"),
        pytest.param("a100-sxm4-80gb", Quantity.POWER_LIMIT_MAX_MILLIWATTS, [275 * _WATT, 400 * _WATT, 500 * _WATT], id="a100-80-power-maximum"),
        pytest.param("h100-nvl-94gb", Quantity.POWER_LIMIT_DEFAULT_MILLIWATTS, [310 * _WATT, 400 * _WATT], id="h100-nvl-power"),
        pytest.param("l40s", Quantity.MEMORY_TOTAL_BYTES, [46068 * _MIB, 49140 * _MIB], id="l40s-ecc-on-and-off"),
        pytest.param("a10", Quantity.MEMORY_TOTAL_BYTES, [22731 * _MIB, 23028 * _MIB, 24564 * _MIB], id="a10-ecc-and-old-driver"),
        pytest.param("t4", Quantity.MEMORY_TOTAL_BYTES, [15109 * _MIB, 15360 * _MIB, 16127 * _MIB], id="t4-ecc-and-old-driver"),
        pytest.param("v100-pcie-16gb", Quantity.MEMORY_TOTAL_BYTES, [16130 * _MIB, 16384 * _MIB], id="v100-old-and-new-driver"),
        pytest.param("cmp-170hx-10gb", Quantity.MEMORY_TOTAL_BYTES, [10240 * _MIB, 40960 * _MIB], id="cmp-unlocked-to-an-a100-40"),
        pytest.param("rtx-4090", Quantity.POWER_LIMIT_MAX_MILLIWATTS, [450 * _WATT, 600 * _WATT], id="4090-power-by-board-partner"),
    ],
)  # fmt: skip
def test_spans_hold_every_value_that_genuine_cards_report(product_id: str, quantity: Quantity, values: list[float]) -> None:
    assert [value in _span(product_id, quantity) for value in values] == [True] * len(values)


@pytest.mark.parametrize(
    ("product_id", "quantity", "value"),
    [
        pytest.param("l40s", Quantity.MEMORY_BUS_BITS, 256, id="mock-l40s-bus"),
        pytest.param("l40s", Quantity.MEMORY_CLOCK_MAX_MEGAHERTZ, 10001, id="mock-l40s-memory-clock"),
        pytest.param("l40s", Quantity.L2_BYTES, 48 * _MIB, id="techpowerup-l40s-l2"),
        pytest.param("b200", Quantity.MEMORY_TOTAL_BYTES, 196608 * _MIB, id="mock-b200-memory"),
        pytest.param("h100-sxm5-80gb", Quantity.MEMORY_TOTAL_BYTES, 81920 * _MIB, id="mock-h100-memory"),
        pytest.param("h100-sxm5-80gb", Quantity.MEMORY_CLOCK_MAX_MEGAHERTZ, 1593, id="mock-h100-memory-clock"),
        pytest.param("h200-sxm", Quantity.L2_BYTES, 50 * _MIB, id="two-tables-h200-l2"),
        pytest.param("h100-nvl-94gb", Quantity.L2_BYTES, 50 * _MIB, id="techpowerup-h100-nvl-l2"),
        pytest.param("h100-nvl-94gb", Quantity.MEMORY_BUS_BITS, 6016, id="techpowerup-h100-nvl-bus"),
        pytest.param("a100-pcie-80gb", Quantity.L2_BYTES, 80 * _MIB, id="techpowerup-a100-pcie-l2"),
        pytest.param("l4", Quantity.SM_COUNT, 60, id="techpowerup-l4-sms"),
        pytest.param("a10g", Quantity.POWER_LIMIT_DEFAULT_MILLIWATTS, 150 * _WATT, id="techpowerup-a10g-power"),
        pytest.param("v100-sxm2-32gb", Quantity.POWER_LIMIT_DEFAULT_MILLIWATTS, 250 * _WATT, id="techpowerup-v100-power"),
        pytest.param("pg506-230-232", Quantity.SM_COUNT, 56, id="techpowerup-pg506-copy-of-a30"),
        pytest.param("drive-a100", Quantity.SM_COUNT, 108, id="techpowerup-drive-sms"),
        pytest.param("cmp-170hx-8gb", Quantity.L2_BYTES, 8 * _MIB, id="techpowerup-cmp-l2"),
    ],
)
def test_known_errors_of_tables_are_not_taken_for_genuine(product_id: str, quantity: Quantity, value: float) -> None:
    assert compare_span(_CATALOGUE.product(product_id), quantity, value) is Fit.EXCLUDED


@pytest.mark.parametrize(
    ("product_id", "dtype", "too_much"),
    [
        pytest.param("h100-sxm5-80gb", Dtype.BF16, 1979e12, id="sparse-h100"),
        pytest.param("h100-nvl-94gb", Dtype.BF16, 989e12, id="sxm-rate-of-an-nvl"),
        pytest.param("l40", Dtype.BF16, 362e12, id="l40-at-full-rate"),
        pytest.param("h800-sxm5", Dtype.FP64, 29.65e12, id="techpowerup-h800-fp64"),
        pytest.param("h200-nvl", Dtype.BF16, 1700e12, id="sparse-h200-nvl"),
    ],
)
def test_known_errors_of_rates_stay_out(product_id: str, dtype: Dtype, too_much: float) -> None:
    rate = _CATALOGUE.product(product_id).rate(dtype)
    assert isinstance(rate, Span)
    assert rate.largest < too_much


@pytest.mark.parametrize(
    ("product_id", "attribute", "value"),
    [
        pytest.param("l40s", Attribute.PCI_DEVICE_IDS, "10de:26b5", id="mock-l40s-has-the-l40s-id"),
        pytest.param("b200", Attribute.PCI_DEVICE_IDS, "10de:2340", id="mock-b200-id"),
        pytest.param("h200-sxm", Attribute.NAMES, "NVIDIA H200 141GB HBM3e", id="mock-h200-name"),
        pytest.param("t4", Attribute.NAMES, "NVIDIA T4", id="mock-t4-name"),
        pytest.param("a100-sxm4-80gb", Attribute.PCI_DEVICE_IDS, "10de:147f", id="subsystem-listed-as-device"),
        pytest.param("a100-sxm4-40gb", Attribute.PCI_SUBSYSTEM_IDS, "10de:1347", id="mock-a100-subsystem"),
    ],
)
def test_ids_and_names_of_mocks_fit_nothing(product_id: str, attribute: Attribute, value: str) -> None:
    assert compare_listing(_CATALOGUE.product(product_id), attribute, value, _INDEX) is not Fit.FITS


def test_a_sliced_copy_of_a_card_is_not_a_value_of_the_card() -> None:
    assert compare_span(_CATALOGUE.product("a10"), Quantity.MEMORY_TOTAL_BYTES, 10240 * _MIB) is Fit.EXCLUDED
    assert compare_span(_CATALOGUE.product("l20"), Quantity.MEMORY_TOTAL_BYTES, 8376 * _MIB) is Fit.EXCLUDED


def test_double_precision_spans_reach_from_vector_to_tensor() -> None:
    for product_id, vector, tensor in (("a100-sxm4-80gb", 9.7e12, 19.5e12), ("h100-sxm5-80gb", 33.5e12, 66.9e12)):
        rate = _CATALOGUE.product(product_id).rate(Dtype.FP64)
        assert isinstance(rate, Span)
        assert (rate.smallest, rate.largest) == (vector, tensor)
    # GA100 and GH100 do twice as much on tensor cores: a ceiling at the vector rate would exclude honest cards.
    for product in _CATALOGUE.products:
        peak = product.rates.get(Dtype.FP64)
        if product.family in ("A100", "A800", "H100", "H200", "GH200", "A30") and peak is not None:
            assert peak.largest >= 1.9 * peak.smallest, product.id


def test_links_of_memory_alone_are_no_data() -> None:
    assert isinstance(_CATALOGUE.product("l4").span(Quantity.NVLINK_COUNT), NoData)
    assert isinstance(_CATALOGUE.product("h800-sxm5").span(Quantity.NVLINK_COUNT), NoData)
    assert _span("l40s", Quantity.NVLINK_COUNT).largest == 0
    assert (
        _span("a100-sxm4-80gb", Quantity.NVLINK_COUNT).smallest,
        _span("a800-sxm4-80gb", Quantity.NVLINK_COUNT).largest,
    ) == (12, 8)


def test_a_bridge_may_be_missing() -> None:
    span = _span("a100-pcie-80gb", Quantity.NVLINK_BIDIRECTIONAL_BYTES_PER_SECOND)
    assert (span.smallest, span.largest) == (0, 600e9)


def _genuine(product: Product, *, smallest: bool) -> dict[str, object]:
    """Give what a card of `product` reports, from its own reference values."""
    listed = {
        "identity.name": Attribute.NAMES,
        "pci.device_id": Attribute.PCI_DEVICE_IDS,
        "pci.subsystem_id": Attribute.PCI_SUBSYSTEM_IDS,
        "identity.gpu_part_number": Attribute.GPU_PART_NUMBERS,
        "identity.compute_capability": Attribute.COMPUTE_CAPABILITIES,
        "firmware.vbios_version": Attribute.VBIOS_PREFIXES,
    }
    known: dict[str, object] = {
        path: listing.values[0]
        for path, attribute in listed.items()
        if isinstance(listing := product.listing(attribute), Listing)
    }
    memory = product.span(Quantity.MEMORY_TOTAL_BYTES)
    if isinstance(memory, Span):
        known["memory.total_bytes"] = int(memory.smallest if smallest else memory.largest)
    return known


@pytest.mark.parametrize("smallest", [pytest.param(True, id="smallest"), pytest.param(False, id="largest")])
@pytest.mark.parametrize("product", _products())
def test_a_genuine_card_of_every_product_is_recognised(product: Product, smallest: bool) -> None:
    found = identify(device(_genuine(product, smallest=smallest)), _CATALOGUE)
    assert product.id in found.candidates
    # What has neither name nor id of its own in the catalogue cannot be told from all others that lack them.
    if isinstance(product.listing(Attribute.NAMES), Listing) and isinstance(product.listing(Attribute.PCI_DEVICE_IDS), Listing):
        assert found.named == (product.id,)
        assert found.recognition is Recognition.IDENTIFIED


def test_form_factors_are_stated_for_what_can_be_claimed_by_them() -> None:
    forms = {product.id: product.form_factor for product in _CATALOGUE.products if {"A100", "H100"} & set(product.counts_as)}
    assert {form: sorted(i for i, f in forms.items() if f is form) for form in set(forms.values())} == {
        FormFactor.SXM: [
            "a100-sxm-64gb",
            "a100-sxm4-40gb",
            "a100-sxm4-80gb",
            "h100-sxm5-64gb",
            "h100-sxm5-80gb",
            "h100-sxm5-94gb",
            "h100-sxm5-96gb",
        ],
        FormFactor.PCIE: ["a100-pcie-40gb", "a100-pcie-80gb", "a100x", "h100-cnx", "h100-pcie-80gb"],
        FormFactor.NVL: ["h100-nvl-94gb"],
    }
