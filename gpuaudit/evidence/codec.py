"""Evidence to JSON bytes and back, strictly.

`strict_json` is the reader for every JSON that comes from outside: it refuses what JSON parsers disagree about (duplicate keys,
NaN, infinities written as 1e999, lone surrogates), what exhausts a parser (depth, size) and numbers too long to be meant.
Unknown keys are ignored here and stay in the signed bytes, which are kept as they came.
"""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from typing import Any, Final, NoReturn, TypeVar

from pydantic import TypeAdapter, ValidationError

from gpuaudit.errors import AuthenticityError
from gpuaudit.evidence.bundle import EvidenceBundle
from gpuaudit.evidence.telemetry import SeriesBudget
from gpuaudit.printable import printable

T = TypeVar("T")

# A thorough run on eight devices stays below 1 MB. This leaves room and bounds the worst text (nothing but empty lists) to about
# a second.
MAX_BYTES: Final = 8 * 1024 * 1024
_MAX_DIGITS: Final = 400
# NVML's widest numbers have 64 bits. One of 400 digits would overflow wherever it meets a float.
_INTEGERS: Final = range(-(2**63), 2**64)
_SHOWN_FAULTS: Final = 5
_SHOWN_CHARACTERS: Final = 200
_ADAPTERS: Final[dict[type, TypeAdapter[Any]]] = {}
_SURROGATE: Final = re.compile(r"\\u[dD][89a-fA-F]")


def encode(bundle: EvidenceBundle) -> bytes:
    """Write evidence as UTF-8 JSON, keys in the order of the types, without needless blanks.

    Raises:
        ValueError: A number is not finite; JSON has no word for it.
    """
    return dump(EvidenceBundle, bundle)


def decode(data: bytes, *, place: str) -> EvidenceBundle:
    """Read evidence written by `encode`, by this version or a newer one.

    Args:
        data: The signed bytes.
        place: Where they came from, for the message.

    Raises:
        AuthenticityError: The bytes are not evidence: not strict JSON, or a field is missing or of the wrong type.
    """
    return load(EvidenceBundle, data, place=place)


def dump(kind: type[T], value: T) -> bytes:
    """Write a record of type `kind` as JSON bytes.

    Raises:
        ValueError: A number is not finite.
    """
    plain = _adapter(kind).dump_python(value, mode="json", by_alias=True, warnings="error")
    return json.dumps(plain, allow_nan=False, ensure_ascii=False, separators=(",", ":")).encode()


def load(kind: type[T], data: bytes, *, place: str) -> T:
    """Read a record of type `kind` from JSON bytes.

    Raises:
        AuthenticityError: The bytes are not strict JSON, or do not fit `kind`.
    """
    strict_json(data, place=place)
    return load_checked(kind, data, place=place)


def load_checked(kind: type[T], data: bytes, *, place: str) -> T:
    """Do as `load`, for bytes that `strict_json` has been through already, such as a part of a larger text.

    Raises:
        AuthenticityError: The bytes do not fit `kind`.
    """
    try:
        return _adapter(kind).validate_json(data, strict=True, context=SeriesBudget())
    except ValidationError as error:
        raise AuthenticityError(f"{place}: {_faults(error)}") from None


def strict_json(data: bytes, *, place: str) -> Any:
    """Parse JSON that everyone parses alike.

    Raises:
        AuthenticityError: Too large, too deep, not UTF-8, not JSON, duplicate keys, a number that is not finite or too long.
    """
    if len(data) > MAX_BYTES:
        raise AuthenticityError(f"{place}: too large: got {len(data)} bytes, expected at most {MAX_BYTES}")
    try:
        text = data.decode("utf-8")
        parsed = json.loads(
            text,
            object_pairs_hook=_object,
            parse_constant=_no_constant,
            parse_float=_float,
            parse_int=_int,
        )
        if _SURROGATE.search(text):
            # A lone surrogate can hide in an escape; it cannot be written out again.
            json.dumps(parsed, ensure_ascii=False).encode("utf-8")
    except RecursionError:
        raise AuthenticityError(f"{place}: not strict JSON: nested too deeply") from None
    except ValueError as error:
        raise AuthenticityError(f"{place}: not strict JSON: {error}") from None
    return parsed


def _adapter(kind: type[T]) -> TypeAdapter[T]:
    """Build the parser of a type once: it costs tens of milliseconds for a bundle."""
    adapter = _ADAPTERS.get(kind)
    if adapter is None:
        adapter = _ADAPTERS[kind] = TypeAdapter(kind)
    return adapter


def _faults(error: ValidationError) -> str:
    faults = error.errors(include_url=False, include_input=False)
    shown = "; ".join(
        # A message can quote what stands in the file.
        f"{'.'.join(str(part) for part in fault['loc']) or 'document'}: {printable(fault['msg'][:_SHOWN_CHARACTERS])}"
        for fault in faults[:_SHOWN_FAULTS]
    )
    hidden = len(faults) - _SHOWN_FAULTS
    return shown + (f"; and {hidden} more" if hidden > 0 else "")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    parsed = dict(pairs)
    if len(parsed) != len(pairs):
        counts = Counter(key for key, _ in pairs)
        twice = next(key for key, count in counts.items() if count > 1)
        raise ValueError(f"key {twice[:80]!a} occurs twice in one object")
    return parsed


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a JSON number")


def _float(text: str) -> float:
    if len(text) > _MAX_DIGITS:
        raise ValueError(f"a number of {len(text)} characters")
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text[:40]} is too large for a finite number")
    return number


def _int(text: str) -> int:
    if len(text) > _MAX_DIGITS:
        raise ValueError(f"a number of {len(text)} characters")
    number = int(text)
    if number not in _INTEGERS:
        raise ValueError(f"{text[:40]} does not fit into 64 bits")
    return number
