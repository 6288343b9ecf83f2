"""One value against one product: what excludes, and what only looks as if it did."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuaudit.catalogue.compare import Fit, compare_listing, compare_span, comparison_key, index_catalogue
from gpuaudit.catalogue.compiled import load_catalogue
from gpuaudit.catalogue.model import Attribute, CitationKind, Product, Quantity
from tests.catalogue.products import catalogue, product

_REAL = load_catalogue()
_INDEX = index_catalogue(_REAL)

_VALUES = st.sampled_from(["a", "b", "c", "d"])
_LISTINGS = st.lists(st.frozensets(_VALUES), min_size=1, max_size=4)


def _named(number: int, values: frozenset[str]) -> Product:
    return product(f"p{number}", listings={Attribute.NAMES: tuple(sorted(values))} if values else {})


def _fit(product_id: str, attribute: Attribute, value: str) -> Fit:
    return compare_listing(_REAL.product(product_id), attribute, value, _INDEX)


@given(_LISTINGS, _VALUES)
def test_only_a_value_that_others_list_and_this_one_does_not_excludes(listings: list[frozenset[str]], value: str) -> None:
    products = [_named(number, values) for number, values in enumerate(listings)]
    index = index_catalogue(catalogue(products))
    for one, values in zip(products, listings, strict=True):
        fit = compare_listing(one, Attribute.NAMES, value, index)
        assert (fit is Fit.NO_DATA) is (not values)
        assert (fit is Fit.FITS) is (value in values)
        assert (fit is Fit.EXCLUDED) is (bool(values) and value not in values and any(value in other for other in listings))


@given(_LISTINGS, _VALUES)
def test_a_value_that_anyone_lists_never_excludes_everyone(listings: list[frozenset[str]], value: str) -> None:
    products = [_named(number, values) for number, values in enumerate(listings)]
    index = index_catalogue(catalogue(products))
    fits = [compare_listing(one, Attribute.NAMES, value, index) for one in products]
    assert not fits.count(Fit.EXCLUDED) or Fit.FITS in fits


@given(st.floats(0, 1e18), st.floats(0, 1e18), st.floats(0, 1e18))
def test_a_span_excludes_what_lies_outside_and_both_ends_lie_inside(low: float, high: float, value: float) -> None:
    low, high = sorted((low, high))
    one = product("p", spans={Quantity.MEMORY_TOTAL_BYTES: (low, high)})
    assert compare_span(one, Quantity.MEMORY_TOTAL_BYTES, value) is (Fit.FITS if low <= value <= high else Fit.EXCLUDED)
    assert compare_span(one, Quantity.MEMORY_TOTAL_BYTES, low) is Fit.FITS
    assert compare_span(one, Quantity.MEMORY_TOTAL_BYTES, high) is Fit.FITS
    assert compare_span(one, Quantity.SM_COUNT, value) is Fit.NO_DATA


@given(st.floats(0, 1e18))
def test_an_unverified_value_excludes_nothing(value: float) -> None:
    from_memory = product(
        "p",
        listings={Attribute.NAMES: ("a",)},
        spans={Quantity.SM_COUNT: (124, 124)},
        kind=CitationKind.UNVERIFIED,
    )
    other = product("q", listings={Attribute.NAMES: ("b",)})
    index = index_catalogue(catalogue([from_memory, other]))
    assert compare_span(from_memory, Quantity.SM_COUNT, value) is Fit.NO_DATA
    assert compare_listing(from_memory, Attribute.NAMES, "b", index) is Fit.NO_DATA
    # Nor does it make other products impossible: what only memory lists, nobody lists.
    assert compare_listing(other, Attribute.NAMES, "a", index) is Fit.UNLISTED


@pytest.mark.parametrize(
    ("attribute", "value", "key"),
    [
        pytest.param(Attribute.NAMES, "  NVIDIA  A100-SXM4-80GB\t", "NVIDIA A100-SXM4-80GB", id="name-with-surplus-blanks"),
        pytest.param(Attribute.NAMES, "NVIDIA a100", "NVIDIA a100", id="name-keeps-its-case"),
        pytest.param(Attribute.PCI_DEVICE_IDS, "10DE:20B2", "10de:20b2", id="id-in-capitals"),
        pytest.param(Attribute.GPU_PART_NUMBERS, "20B2-896-A1", "10de:20b2", id="part-number-begins-with-the-device-id"),
        pytest.param(Attribute.GPU_PART_NUMBERS, "900-2G183-0000-001", "900-2G183-0000-001", id="board-number-in-its-place"),
        pytest.param(Attribute.BOARD_PART_NUMBERS, "692-2g506-0212-005", "692-2G506-0212", id="board-number-without-revision"),
        pytest.param(Attribute.VBIOS_PREFIXES, "92.00.9E.00.01", "92.00", id="vbios-family"),
        pytest.param(Attribute.VBIOS_PREFIXES, "unknown", "unknown", id="vbios-of-no-known-form"),
    ],
)
def test_values_are_compared_by_what_tells_products_apart(attribute: Attribute, value: str, key: str) -> None:
    assert comparison_key(attribute, value) == key


@pytest.mark.parametrize(
    ("product_id", "attribute", "value", "fit"),
    [
        pytest.param("a100-sxm4-80gb", Attribute.PCI_DEVICE_IDS, "10de:20b2", Fit.FITS, id="honest"),
        pytest.param("a100-sxm4-80gb", Attribute.PCI_DEVICE_IDS, "10de:20f3", Fit.EXCLUDED, id="a800-called-a100"),
        pytest.param("a100-sxm4-80gb", Attribute.PCI_DEVICE_IDS, "10de:ffff", Fit.UNLISTED, id="card-newer-than-the-catalogue"),
        pytest.param(
            "a100-sxm4-80gb", Attribute.PCI_SUBSYSTEM_IDS, "10de:1625", Fit.EXCLUDED, id="engineering-board-same-device-id"
        ),
        pytest.param("a100-sxm4-80gb", Attribute.PCI_SUBSYSTEM_IDS, "10de:1523", Fit.EXCLUDED, id="vgpu-of-the-same-device-id"),
        pytest.param("a100-pcie-80gb", Attribute.PCI_SUBSYSTEM_IDS, "10de:159c", Fit.EXCLUDED, id="vgpu-of-a-pcie-card"),
        pytest.param("a16", Attribute.PCI_SUBSYSTEM_IDS, "10de:157e", Fit.EXCLUDED, id="a2-called-a16"),
        pytest.param("a100-sxm4-80gb", Attribute.GPU_PART_NUMBERS, "20B2-895-A1", Fit.FITS, id="part-number-not-listed-itself"),
        pytest.param("a100-sxm4-80gb", Attribute.GPU_PART_NUMBERS, "20F3-885-A1", Fit.EXCLUDED, id="part-number-of-an-a800"),
        pytest.param(
            "t4", Attribute.GPU_PART_NUMBERS, "900-2G183-0000-001", Fit.UNLISTED, id="old-schema-prints-the-board-number"
        ),
        pytest.param("a100-sxm4-80gb", Attribute.VBIOS_PREFIXES, "95.02.3C.00.8C", Fit.EXCLUDED, id="vbios-of-another-chip"),
        pytest.param("a100-sxm4-40gb", Attribute.NAMES, "NVIDIA Graphics Device", Fit.UNLISTED, id="a-symptom-is-no-product"),
        pytest.param("a100x", Attribute.PCI_SUBSYSTEM_IDS, "10de:1463", Fit.NO_DATA, id="product-without-listed-subsystems"),
    ],
)
def test_ids_of_the_catalogue(product_id: str, attribute: Attribute, value: str, fit: Fit) -> None:
    assert _fit(product_id, attribute, value) is fit
