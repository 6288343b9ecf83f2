"""The page on the signed formats names what is in them."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Final

import pytest

from gpuaudit.appraisal.result import AttestationResult, Finding, LineResult
from gpuaudit.challenge.result import ChallengeResult
from gpuaudit.envelope import PredicateType
from gpuaudit.evidence.bundle import EvidenceBundle
from gpuaudit.evidence.codec import MAX_BYTES
from gpuaudit.evidence.measurement import Measurement
from gpuaudit.evidence.record import camel_case
from gpuaudit.evidence.telemetry import pack

PAGE: Final = (Path(__file__).parents[2] / "gpuaudit" / "evidence" / "PREDICATE.md").read_text(encoding="utf-8")
NAMED: Final = set(re.findall(r"`(\w+)(?:\[\])?`", PAGE))


@pytest.mark.parametrize(
    "kind",
    [EvidenceBundle, AttestationResult, LineResult, Finding, Measurement, ChallengeResult],
    ids=lambda kind: kind.__name__,
)
def test_every_field_is_on_the_page(kind: type) -> None:
    fields = {camel_case(field.name) for field in dataclasses.fields(kind)} - {"tenderTitle", "appraisedAt"}
    assert fields - NAMED == set()


def test_every_predicate_type_is_on_the_page() -> None:
    assert set(re.findall(r"^\| `(urn:[^`]+)`", PAGE, re.MULTILINE)) == {kind.value for kind in PredicateType}


def test_its_numbers_and_examples_hold() -> None:
    assert f"more than {MAX_BYTES // 2**20} MiB" in PAGE
    assert f"`{pack((210, 210, 210, 1410))}`" in PAGE
