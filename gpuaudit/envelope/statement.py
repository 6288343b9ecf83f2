"""The in-toto Statement v1 inside every envelope: what is stated (the predicate) and of what (the subjects).

A statement is written in one layout, `_type`, `subject`, `predicateType`, `predicate`, without blanks, and read in that
layout only. So the predicate's bytes are a slice of the bytes that were signed: nothing is parsed and written again to get at
them.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from gpuaudit.errors import AuthenticityError
from gpuaudit.evidence.codec import strict_json

PAYLOAD_TYPE: Final = "application/vnd.in-toto+json"
_STATEMENT_TYPE: Final = "https://in-toto.io/Statement/v1"
_SHA256: Final = re.compile(r"[0-9a-f]{64}")
_MEMBERS: Final = frozenset({"_type", "subject", "predicateType", "predicate"})


class PredicateType(StrEnum):
    """What a sealed file states."""

    EVIDENCE = "urn:gpuaudit:evidence:v1"
    CHALLENGE = "urn:gpuaudit:challenge:v1"
    RESULT = "urn:gpuaudit:result:v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What a statement is about: a name and the SHA-256, in lower-case hexadecimal, of its bytes."""

    name: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """A statement; `predicate` is a JSON object as UTF-8 bytes."""

    predicate_type: PredicateType
    subjects: tuple[Subject, ...]
    predicate: bytes


def subject_of(name: str, data: bytes) -> Subject:
    """Name `data` as a subject."""
    return Subject(name=name, sha256=hashlib.sha256(data).hexdigest())


def write_statement(statement: Statement) -> bytes:
    """Write the payload that is to be signed.

    Raises:
        ValueError: There is no subject, a digest is not SHA-256 in hexadecimal, or the predicate is not a strict JSON object.
    """
    payload = _head(statement.predicate_type, statement.subjects) + statement.predicate + b"}"
    try:
        written = read_statement(payload, place="statement")
    except AuthenticityError as error:
        raise ValueError(f"{error}; nothing like this is signed") from None
    if written != statement:
        raise ValueError("statement: it would not read back as it was; nothing like this is signed")
    return payload


def read_statement(payload: bytes, *, place: str) -> Statement:
    """Read a payload written by `write_statement`.

    Raises:
        AuthenticityError: It is not a statement of ours.
    """
    parsed = strict_json(payload, place=place)
    if not isinstance(parsed, dict) or parsed.keys() != _MEMBERS or parsed["_type"] != _STATEMENT_TYPE:
        raise AuthenticityError(f"{place}: signed, but not an in-toto Statement v1 of {', '.join(sorted(_MEMBERS))}")
    predicate_type = _predicate_type(parsed["predicateType"], place)
    subjects = _subjects(parsed["subject"], place)
    if not isinstance(parsed["predicate"], dict):
        raise AuthenticityError(f"{place}: predicate: expected an object")
    head = _head(predicate_type, subjects)
    # With exactly these four members in it, all that follows this head is the predicate and one brace.
    if not payload.startswith(head) or not payload.endswith(b"}"):
        raise AuthenticityError(f"{place}: signed, but not laid out as gpuaudit lays out a statement")
    return Statement(predicate_type=predicate_type, subjects=subjects, predicate=payload[len(head) : -1])


def _head(predicate_type: PredicateType, subjects: tuple[Subject, ...]) -> bytes:
    head = {
        "_type": _STATEMENT_TYPE,
        "subject": [{"name": subject.name, "digest": {"sha256": subject.sha256}} for subject in subjects],
        "predicateType": predicate_type.value,
    }
    return json.dumps(head, ensure_ascii=False, separators=(",", ":")).encode()[:-1] + b',"predicate":'


def _predicate_type(value: Any, place: str) -> PredicateType:
    for known in PredicateType:
        if value == known.value:
            return known
    raise AuthenticityError(f"{place}: predicateType: got {str(value)[:80]!r}, expected one of {', '.join(PredicateType)}")


def _subjects(value: Any, place: str) -> tuple[Subject, ...]:
    if not isinstance(value, list) or not value:
        raise AuthenticityError(f"{place}: subject: expected at least one")
    return tuple(_subject(item, f"{place}: subject.{index}") for index, item in enumerate(value))


def _subject(value: Any, place: str) -> Subject:
    match value:
        case {"name": str(name), "digest": {"sha256": str(sha256), **others}, **rest} if not others and not rest:
            if _SHA256.fullmatch(sha256):
                return Subject(name=name, sha256=sha256)
    raise AuthenticityError(f"{place}: expected a name and a digest of sha256 in lower-case hexadecimal, and nothing else")
