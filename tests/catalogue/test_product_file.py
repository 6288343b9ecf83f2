"""A product's file with one thing wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from gpuaudit.catalogue.product_file import parse_product, read_product, read_products
from gpuaudit.errors import MalformedFileError

_FOLDER = Path(__file__).parents[2] / "gpuaudit" / "catalogue" / "data" / "nvidia"
_A100 = (_FOLDER / "a100-sxm4-80gb.toml").read_text()
_MIG = (_FOLDER / "mig-h100-1g.10gb.toml").read_text()


def _parse(text: str, *, product_id: str = "a100-sxm4-80gb") -> None:
    parse_product(text.encode(), product_id=product_id, place="a100.toml")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        pytest.param("schema = 1", "schema = 2", r"a100\.toml:1: schema: expected 1, got 2", id="another-schema"),
        pytest.param(
            'id = "a100-sxm4-80gb"',
            'id = "a100"',
            r"a100\.toml:2: id: expected 'a100-sxm4-80gb', the name of the file",
            id="id-is-not-the-file-name",
        ),
        pytest.param(
            'kind = "datacenter"', 'kind = "datacentre"', r"a100\.toml:4: kind: expected 'datacenter'", id="misspelt-kind"
        ),
        pytest.param(
            'counts_as = ["A100"]',
            "counts_as = []",
            r"a100\.toml:6: counts_as: expected no name for a slice",
            id="card-that-counts-as-nothing",
        ),
        pytest.param(
            "[spans.memory_total_bytes]\nsmallest",
            "[spans.memory_total_bytes]\nsmalest",
            r"a100\.toml:\d+: spans\.memory_total_bytes\.smallest: field required; a100\.toml:\d+: spans\.memory_total_bytes\.smalest: unknown key",
            id="misspelt-end-is-no-default",
        ),
        pytest.param(
            "[spans.sm_count]\nsmallest = 108",
            "[spans.sm_count]\nsmallest = 109",
            r"a100\.toml:\d+: spans\.sm_count: expected 0 <= smallest <= largest, got 109 and 108",
            id="ends-the-wrong-way-round",
        ),
        pytest.param(
            "[spans.sm_count]\nsmallest = 108",
            '[spans.sm_count]\nsmallest = "108"',
            r"a100\.toml:\d+: spans\.sm_count\.smallest: expected a valid number, got '108'",
            id="number-in-quotes",
        ),
        pytest.param(
            "[spans.sm_count]", "[spans.sms]", r"a100\.toml:\d+: spans\.sms: unknown key", id="quantity-that-no-rule-asks-for"
        ),
        pytest.param(
            '"10de:20b2"',
            '"10DE:20B2"',
            r"a100\.toml:\d+: listings\.pci_device_ids\.values\[0\]: expected an id such as 10de:20b2",
            id="id-in-capitals",
        ),
        pytest.param(
            '"10de:1463", "10de:147f"',
            '"10de:1463", "10de:1463"',
            r"a100\.toml:\d+: listings\.pci_subsystem_ids\.values: expected one or more values, each once",
            id="value-listed-twice",
        ),
        pytest.param(
            '"memory.total_bytes"',
            '"memory.total"',
            r"a100\.toml:\d+: required\.readings\[5\]: no such reading of a device: 'memory\.total'",
            id="required-reading-that-does-not-exist",
        ),
        pytest.param(
            '"gemm-bf16"',
            '"gemm-bf61"',
            r"a100\.toml:\d+: required\.measurements\[0\]: no such measurement: 'gemm-bf61'",
            id="required-measurement-that-does-not-exist",
        ),
        pytest.param(
            'kind = "capture", source',
            "source",
            r"a100\.toml:\d+: listings\.\w+\.cited\[0\]\.kind: field required",
            id="source-without-kind",
        ),
    ],
)
def test_a_fault_is_told_with_its_line(old: str, new: str, message: str) -> None:
    assert old in _A100
    with pytest.raises(MalformedFileError, match=f"^{message}"):
        _parse(_A100.replace(old, new, 1))


def test_a_value_without_a_source_is_a_fault() -> None:
    start = _A100.index("cited = ", _A100.index("[spans.sm_count]"))
    end = _A100.index("]\n", start) + 1
    with pytest.raises(MalformedFileError, match=r"spans\.sm_count\.cited: expected at least one source"):
        _parse(_A100[:start] + "cited = []" + _A100[end:])


def test_a_slice_that_counts_as_a_card_is_a_fault() -> None:
    with pytest.raises(MalformedFileError, match="counts_as: expected no name for a slice"):
        _parse(_MIG.replace("counts_as = []", 'counts_as = ["H100"]'), product_id="mig-h100-1g.10gb")


def test_the_faults_of_all_files_are_told_at_once(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.toml").write_text(_A100)
    with pytest.raises(MalformedFileError, match=r"^a\.toml:2: id: .*; b\.toml:2: id: "):
        read_products(tmp_path)


def test_an_honest_file_reads() -> None:
    assert read_product(_FOLDER / "a100-sxm4-80gb.toml").id == "a100-sxm4-80gb"
