"""Random evidence of any shape that the types allow, built from the types themselves."""

from __future__ import annotations

import types
from dataclasses import MISSING, fields, is_dataclass
from enum import Enum
from typing import Annotated, Any, Literal, NewType, TypeVar, Union, get_args, get_origin, get_type_hints

from hypothesis import strategies as st

from gpuaudit.evidence.reading import Known, Source
from gpuaudit.evidence.telemetry import Offsets

# What JSON and the 64-bit rule allow.
_INTEGERS = st.integers(min_value=-(2**63), max_value=2**64 - 1)
_FLOATS = st.floats(allow_nan=False, allow_infinity=False)
_TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=20)


def values_of(kind: Any, bound: Any = None) -> st.SearchStrategy[Any]:
    """Build a strategy for values of a type of the evidence; `bound` stands for the T of a reading."""
    if isinstance(kind, TypeVar):
        return values_of(bound)
    if isinstance(kind, NewType):
        return values_of(kind.__supertype__)
    if kind == Offsets:
        # Written in whole milliseconds.
        return st.lists(st.integers(0, 10**9).map(lambda each: each / 1e3), max_size=3).map(tuple)
    if kind in _PLAIN:
        return _PLAIN[kind]
    return _records(kind, bound) if is_dataclass(kind) else _generic(kind, bound)


def _generic(kind: Any, bound: Any) -> st.SearchStrategy[Any]:
    if isinstance(kind, type) and issubclass(kind, Enum):
        return st.sampled_from(list(kind))
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return values_of(arguments[0], bound)
    if origin is Known:
        return _records(Known, arguments[0])
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin in {Union, types.UnionType}:
        return st.one_of([values_of(argument, bound) for argument in arguments])
    if origin is tuple:
        return st.lists(values_of(arguments[0], bound), max_size=2).map(tuple)
    raise TypeError(f"{kind}: expected a type of the evidence")


def _records(kind: Any, bound: Any) -> st.SearchStrategy[Any]:
    hints = get_type_hints(kind, include_extras=True)
    # A field with a default is the tag of its type.
    return st.builds(
        kind, **{field.name: values_of(hints[field.name], bound) for field in fields(kind) if field.default is MISSING}
    )


_PLAIN: dict[Any, st.SearchStrategy[Any]] = {
    str: _TEXT,
    int: _INTEGERS,
    float: _FLOATS,
    bool: st.booleans(),
    Source: st.sampled_from(Source),
}
