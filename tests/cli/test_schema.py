"""The schemas accept what gpuaudit writes and ships, and nothing that is broken in any one place."""

from __future__ import annotations

import copy
import json
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, Final

import pytest
from jsonschema import Draft202012Validator

from gpuaudit.appraisal.result import AttestationResult
from gpuaudit.cli.schema import SchemaName, schema_of
from gpuaudit.evidence.codec import dump, encode
from tests.cli.conftest import Gpuaudit
from tests.report.papers import CASES, evidence, paper

ROOT: Final = Path(__file__).parents[2]
TENDERS: Final = sorted((ROOT / "gpuaudit" / "tender" / "data").glob("*.toml"))
Place = tuple[str | int, ...]


@cache
def validator(name: SchemaName) -> Draft202012Validator:
    return Draft202012Validator(schema_of(name))


def documents(name: SchemaName) -> dict[str, Any]:
    match name:
        case SchemaName.EVIDENCE:
            return {spec: json.loads(encode(evidence(spec))) for spec in ("a100-sxm4-80gb:2", "t4:1,h100-sxm5-80gb:1")}
        case SchemaName.RESULT:
            return {case: json.loads(dump(AttestationResult, paper(case).result)) for case in CASES}
        case SchemaName.TENDER:
            return {file.stem: tomllib.loads(file.read_text()) for file in TENDERS}


@cache
def small(name: SchemaName) -> Any:
    """A document in which everything occurs and nothing often: every object and list of one place is there once."""
    if name is SchemaName.EVIDENCE:
        # One card has everything but a second one; of each kind of task one will do, and of series those of one.
        document = json.loads(encode(evidence("t4:1")))
        taken = {_fields_of(one["task"]): one for one in document["measurements"] if one["samples"]["state"] == "known"}
        missing = [one for one in document["measurements"] if one["samples"]["state"] == "unknown"]
        first, *rest = taken.values()
        bare = [{**one, "telemetry": missing[0]["telemetry"]} for one in rest]
        return _once({**document, "measurements": [first, *bare, missing[0]]}, set(), ())
    return _once(max(documents(name).values(), key=lambda one: sum(1 for _ in nodes(one))), set(), ())


def _fields_of(task: dict[str, Any]) -> tuple[str, ...]:
    return tuple(task)


def _once(value: Any, seen: set[Any], place: Place) -> Any:
    if isinstance(value, dict):
        return {key: _once(item, seen, (*place, key)) for key, item in value.items()}
    if isinstance(value, list):
        kept = []
        for item in value:
            shape = (place, _shape(item))
            if shape not in seen:
                seen.add(shape)
                kept.append(_once(item, seen, place))
        return kept
    return value


def _shape(value: Any) -> Any:
    if isinstance(value, dict):
        tag = value.get("state") or value.get("kind")
        return (tag, *((key, _shape(item)) for key, item in value.items()))
    return type(value).__name__


@pytest.mark.parametrize("name", SchemaName)
def test_the_schema_is_one(name: SchemaName) -> None:
    Draft202012Validator.check_schema(schema_of(name))


@pytest.mark.parametrize("name", SchemaName)
def test_the_published_file_is_the_one_that_the_types_give(name: SchemaName) -> None:
    """If not: `gpuaudit schema NAME > gpuaudit/schemas/NAME.json`, for each of the three."""
    published = (ROOT / "gpuaudit" / "schemas" / f"{name.value}.json").read_text(encoding="utf-8")
    assert json.loads(published) == schema_of(name)


@pytest.mark.parametrize("name", SchemaName)
def test_the_command_prints_it(name: SchemaName, gpuaudit: Gpuaudit) -> None:
    ran = gpuaudit("schema", name.value)
    assert ran.code == 0
    assert json.loads(ran.out)["$id"] == f"urn:gpuaudit:schema:{name.value}:v1"


def test_there_is_no_other(gpuaudit: Gpuaudit) -> None:
    ran = gpuaudit("schema", "envelope")
    assert ran.code == 2
    assert "evidence" in ran.err


@pytest.mark.parametrize("name", SchemaName)
def test_everything_written_or_shipped_is_valid(name: SchemaName) -> None:
    valid = documents(name)
    assert valid
    assert {place: [error.message for error in validator(name).iter_errors(one)] for place, one in valid.items()} == {
        place: [] for place in valid
    }


def test_check_jsonschema_takes_them_too(tmp_path: Path) -> None:
    for name in SchemaName:
        files = []
        for place, one in documents(name).items():
            file = tmp_path / f"{name.value}-{place}.json"
            file.write_text(json.dumps(one))
            files.append(file)
        broken = tmp_path / "broken.json"
        broken.write_text("{}")
        schema = ROOT / "gpuaudit" / "schemas" / f"{name.value}.json"
        command = [sys.executable, "-m", "check_jsonschema", "--schemafile", str(schema)]
        assert subprocess.run([*command, *map(str, files)], capture_output=True, check=False).returncode == 0
        assert subprocess.run([*command, str(broken)], capture_output=True, check=False).returncode == 1


def nodes(value: Any, place: Place = ()) -> Iterator[tuple[Place, Any]]:
    yield place, value
    if isinstance(value, dict):
        for key, item in value.items():
            yield from nodes(item, (*place, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from nodes(item, (*place, index))


def places(document: Any) -> Iterator[tuple[Place, Any]]:
    """Every place of a document; within readings of one kind, of which there are hundreds, those of the first."""
    seen = set()
    holders = dict(nodes(document))
    for place, value in holders.items():
        holder = holders[place[:-1]] if place else None
        within = (_shape(holder), place[-1]) if isinstance(holder, dict) and "state" in holder else place
        if place and within not in seen:
            seen.add(within)
            yield place, value


def with_change(document: Any, place: Place, change: Any) -> Any:
    changed = copy.deepcopy(document)
    here = changed
    for step in place[:-1]:
        here = here[step]
    if change is REMOVED:
        del here[place[-1]]
    else:
        here[place[-1]] = change
    return changed


REMOVED: Final = object()
# Of a written record every field is there. In a tender these may be left out.
OPTIONAL: Final = {
    "our_reading", "form_factor", "marketed_gigabytes", "period", "months", "start", "end", "quantity",
    "status_note", "cloud", "suppliers", "money", "replies", "bound",
}  # fmt: skip


@pytest.mark.parametrize("name", SchemaName)
def test_a_document_without_any_one_field_is_refused(name: SchemaName) -> None:
    document = small(name)
    assert validator(name).is_valid(document)
    removed = 0
    for place, _ in places(document):
        if isinstance(place[-1], str) and not (name is SchemaName.TENDER and place[-1] in OPTIONAL):
            assert not validator(name).is_valid(with_change(document, place, REMOVED)), place
            removed += 1
    assert removed > 20


@pytest.mark.parametrize("name", SchemaName)
def test_a_document_with_any_one_value_of_another_type_is_refused(name: SchemaName) -> None:
    document = small(name)
    changed = 0
    for place, value in places(document):
        other = {"not": "this"} if not isinstance(value, dict) else "text"
        assert not validator(name).is_valid(with_change(document, place, other)), place
        if not isinstance(value, bool):
            assert not validator(name).is_valid(with_change(document, place, True)), place
        changed += 1
    assert changed > 20


def test_a_tender_with_a_key_that_there_is_not_is_refused_in_every_object() -> None:
    document = small(SchemaName.TENDER)
    objects = [place for place, value in nodes(document) if isinstance(value, dict)]
    assert len(objects) > 5
    for place in objects:
        assert not validator(SchemaName.TENDER).is_valid(with_change(document, (*place, "misspelt"), 1)), place


def test_evidence_and_result_may_hold_what_a_newer_version_adds() -> None:
    for name in (SchemaName.EVIDENCE, SchemaName.RESULT):
        assert validator(name).is_valid({**small(name), "newer": 1})
