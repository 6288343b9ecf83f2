"""Is the catalogue circular? Each source is left out in turn, and what it recorded is held against bands rebuilt without it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, TypeVar

from gpuaudit.appraisal.case import device_cases
from gpuaudit.appraisal.reference import prepare
from gpuaudit.appraisal.rule import Band, PeerBand
from gpuaudit.appraisal.rules import ALL_RULES, RULES_BY_SLUG
from gpuaudit.appraisal.threshold import Thresholds, load_thresholds
from gpuaudit.attester.capture.bundle import import_capture
from gpuaudit.catalogue.compiled import load_catalogue
from gpuaudit.catalogue.model import Catalogue, Citation, Listing, NoData, Product, Span
from gpuaudit.evidence.measurement import Dtype
from gpuaudit.evidence.reading import Known

SHARED: Final = Path(__file__).parents[2] / ".." / "shared"
_RECORDS: Final = SHARED / "facts" / "accelerators.json"
_CAPTURES: Final = SHARED / "captures"
_GENUINE: Final = {
    "k8s-test-infra-hw-a100.xml": ("a100-sxm4-40gb", "NVIDIA/k8s-test-infra"),
    "k8s-test-infra-hw-h100.xml": ("h100-sxm5-80gb", "NVIDIA/k8s-test-infra"),
    "k8s-test-infra-hw-l40s.xml": ("l40s", "NVIDIA/k8s-test-infra"),
    "k8s-test-infra-hw-t4.xml": ("t4", "NVIDIA/k8s-test-infra"),
    "telegraf-a100-sxm4-v12.xml": ("a100-sxm4-80gb", "influxdata/telegraf"),
    "telegraf-tesla-t4.xml": ("t4", "influxdata/telegraf"),
}
_DTYPES: Final = {"bf16": Dtype.BF16, "bfloat16": Dtype.BF16, "fp16": Dtype.FP16}
_UNITS: Final = {"GB/s": 1e9, "TB/s": 1e12, "TFLOPS": 1e12}
_RULES: Final = {
    "device_to_device_copy": "copy-ceiling",
    "copy": "copy-ceiling",
    "nvlink_p2p_duplex": "peer-rate",
}
# The share of the datasheet on which the ceiling of arithmetic was set, and the highest on record (thresholds.toml).
_HIGHEST_SHARE: Final = 0.97

T = TypeVar("T", Span, Listing)


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOut:
    """How many records and captures there were, how many of them a rule reads, and which exclude their own product."""

    records: int
    compared: int
    captures: int
    excluding: tuple[str, ...]


def leave_out_records() -> LeftOut:
    """Leave out the source of every record and of every genuine capture in turn.

    A citation stands for a whole span, not for one end of it: a span that another source supports too is kept as it is. Where the
    facts and captures are not beside the repository, there is nothing to compare, and the numbers say so.
    """
    if not _RECORDS.exists():
        return LeftOut(records=0, compared=0, captures=0, excluding=())
    catalogue = load_catalogue()
    known = {product.id: product for product in catalogue.products}
    records = list(_records())
    shares = _shares(records, known)
    compared, excluding = 0, []
    for number, (product_id, record) in enumerate(records):
        if product_id not in known:
            continue
        outcome = _excludes(known[product_id], record, _thresholds_without(number, shares))
        compared += outcome is not None
        if outcome:
            excluding.append(
                f"{product_id}: {record['metric']} {record.get('dtype', '')} {record['value']} ({record['source']})"
            )
    captures = [name for name in _GENUINE if (_CAPTURES / name).exists()]
    excluding += [f"{name}: {rule}" for name in captures for rule in _excluding_rules(name, catalogue)]
    return LeftOut(records=len(records), compared=compared, captures=len(captures), excluding=tuple(excluding))


def _records() -> Iterator[tuple[str, Mapping[str, Any]]]:
    for entry in json.loads(_RECORDS.read_text(encoding="utf-8")):
        for record in entry.get("measured") or ():
            yield entry["id"], record


def _excludes(product: Product, record: Mapping[str, Any], thresholds: Thresholds) -> bool | None:
    """Say whether the record excludes its product; None where no rule reads such a record or no reference is left."""
    dtype = _DTYPES.get(record.get("dtype") or "")
    slug = f"{dtype.value}-ceiling" if record["metric"] == "matmul" and dtype else _RULES.get(record["metric"])
    if slug is None:
        return None
    expected = RULES_BY_SLUG[slug].reference(product_without(product, _key(record["source"])), thresholds)
    value = float(record["value"]) * _UNITS[record["unit"]]
    match expected:
        case Band(low=low, high=high):
            return not low <= value <= high
        case PeerBand(ceiling=ceiling, bridges=bridges, bridge_ceiling=bridge):
            return value > (bridge if bridges else ceiling)
        case _:
            return None


def _shares(records: list[tuple[str, Mapping[str, Any]]], known: Mapping[str, Product]) -> list[float]:
    """Return which share of the datasheet's largest rate each record reaches; zero where that cannot be said."""
    shares = []
    for product_id, record in records:
        dtype = _DTYPES.get(record.get("dtype") or "")
        rate = known[product_id].rate(dtype) if product_id in known and dtype else NoData()
        shares.append(float(record["value"]) * 1e12 / rate.largest if isinstance(rate, Span) else 0.0)
    return shares


def _thresholds_without(number: int, shares: list[float]) -> Thresholds:
    """Rebuild the ceiling of arithmetic from the highest share among all other records, with the margin that it has."""
    thresholds = load_thresholds().thresholds
    highest = min(_HIGHEST_SHARE, max(share for place, share in enumerate(shares) if place != number))
    scale = highest / _HIGHEST_SHARE
    ceilings = tuple(
        replace(one, fraction=one.fraction * scale) if one.quantity == "gemm" else one for one in thresholds.ceilings
    )
    return replace(thresholds, ceilings=ceilings)


def product_without(product: Product, source: str) -> Product:
    """Return the product without the values that rest on `source` alone."""
    return replace(
        product,
        spans=_kept(product.spans, source),
        listings=_kept(product.listings, source),
        rates=_kept(product.rates, source),
    )


def _kept(values: dict[Any, T], source: str) -> dict[Any, T]:
    kept = {}
    for name, value in values.items():
        cited = tuple(citation for citation in value.cited if not _is_from(citation, source))
        if cited:
            kept[name] = replace(value, cited=cited)
    return kept


def _is_from(citation: Citation, source: str) -> bool:
    return source in citation.source


def _key(source: str) -> str:
    """Return what names a source: a repository without its commit, or the first words."""
    return source.partition("@")[0] if "@" in source.split(" ", 1)[0] else source[:40]


def _excluding_rules(name: str, catalogue: Catalogue) -> Iterator[str]:
    """Name the rules by which a genuine capture excludes its product, without all that rests on it."""
    product_id, source = _GENUINE[name]
    products = tuple(product_without(one, source) if one.id == product_id else one for one in catalogue.products)
    yardstick = prepare(replace(catalogue, products=products), load_thresholds().thresholds, ALL_RULES)
    bundle = import_capture((_CAPTURES / name).read_bytes(), place=name)
    for case in device_cases(bundle, yardstick.thresholds.canonical):
        for reference in yardstick.references:
            reading = case.compared(reference.rule.reads)
            if isinstance(reading, Known):
                division = reference.divide(reading.value, yardstick.index, peers_needed=1)
                if product_id in division.excluded:
                    yield f"{reference.rule.slug} ({reading.value})"
