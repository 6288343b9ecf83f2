"""Files that people write (tender, catalogue, policy): TOML to an `entry`, strictly, with every fault and its line.

An unknown key is a fault, a text is never taken for a number, and a date is written in quotes, as the documents behind a tender
often give half of one.
"""

from __future__ import annotations

import json
import math
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from pydantic import TypeAdapter, ValidationError

from gpuaudit.errors import MalformedFileError
from gpuaudit.evidence.toml_lines import KeyPath, key_lines
from gpuaudit.printable import printable

T = TypeVar("T")

# The longest file of ours has 16 kB.
MAX_TOML_BYTES: Final = 64 * 1024
_DEEPEST: Final = 16
# tomllib takes a minute for a key of ten thousand parts. Looking only from the start of a part keeps this search linear.
_LONG_KEY: Final = re.compile(r"""(?<![\w"'-])(?:(?:[A-Za-z0-9_-]++|"[^"\n]*+"|'[^'\n]*+')[ \t]*+\.[ \t]*+){17}""")
_INTEGERS: Final = range(-(2**63), 2**63)
_SHOWN_FAULTS: Final = 20
_SHOWN_CHARACTERS: Final = 80
# Where pydantic speaks of a key of a mapping and not of its value.
_KEY: Final = "[key]"
_ADAPTERS: Final[dict[type, TypeAdapter[Any]]] = {}
_AT_LINE: Final = re.compile(r" \(at line (\d+), column \d+\)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Something wrong at a place of the file; `path` is where, as far as it exists, and then the key that is missing."""

    path: KeyPath
    message: str


def load_toml(
    kind: type[T], data: bytes, *, place: str, check: Callable[[T], Iterable[Fault]] = lambda _: (), limit: int = MAX_TOML_BYTES
) -> T:
    """Read TOML into `kind`.

    Args:
        kind: An `entry`.
        data: The whole file.
        place: Where it came from, for the message.
        check: What the types cannot say; asked only if they are content.
        limit: Largest size accepted, in bytes.

    Raises:
        MalformedFileError: Too large, not UTF-8, not TOML, or it does not fit `kind`; all faults at once, as `place:line: key: fault`.
    """
    if len(data) > limit:
        raise MalformedFileError(f"{place}: too large: got {len(data)} bytes, expected at most {limit}")
    text, table = _parse(data, place)
    try:
        found = tuple(_not_json(table, ()))
        entry = None if found else _adapter(kind).validate_json(json.dumps(table))
    except ValidationError as error:
        found, entry = tuple(_fault(fault, table) for fault in error.errors(include_url=False) if not _is_echo(fault)), None
    if entry is not None:
        found = tuple(check(entry))
        if not found:
            return entry
    raise MalformedFileError(_message(found, key_lines(text), place))


def _adapter(kind: type[T]) -> TypeAdapter[T]:
    """Build the parser of a type once: there are a hundred files of one type in the catalogue."""
    adapter = _ADAPTERS.get(kind)
    if adapter is None:
        adapter = _ADAPTERS[kind] = TypeAdapter(kind)
    return adapter


def _parse(data: bytes, place: str) -> tuple[str, dict[str, Any]]:
    try:
        text = data.decode("utf-8").replace("\r\n", "\n")
        if _LONG_KEY.search(text):
            raise MalformedFileError(f"{place}: nested too deeply: expected keys of at most {_DEEPEST} parts")
        return text, tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        message = str(error)
        line = _AT_LINE.search(message)
        where = f"{place}:{line[1]}" if line else place
        raise MalformedFileError(f"{where}: not TOML: {printable(_AT_LINE.sub('', message))}") from None
    except RecursionError:
        raise MalformedFileError(f"{place}: not TOML: nested too deeply") from None
    except ValueError as error:
        # Bytes that are no UTF-8, and integers of thousands of digits.
        raise MalformedFileError(f"{place}: not TOML: {printable(str(error))[:_SHOWN_CHARACTERS]}") from None


def _not_json(value: object, path: KeyPath) -> Iterator[Fault]:
    """Find what TOML can say and our types cannot: strict parsing goes by way of JSON, which alone has tables for dataclasses."""
    if len(path) > _DEEPEST:
        yield Fault(path=path[:_DEEPEST], message=f"nested too deeply: expected at most {_DEEPEST} levels")
        return
    match value:
        case dict():
            for key, item in value.items():
                yield from _not_json(item, (*path, key))
        case list():
            for index, item in enumerate(value):
                yield from _not_json(item, (*path, index))
        case bool() | str():
            return
        case int() | float():
            yield from _not_a_number(value, path)
        case _:
            yield Fault(path=path, message=f'expected a text, got a date or time; write it in quotes: "{value}"')


def _not_a_number(value: float, path: KeyPath) -> Iterator[Fault]:
    if isinstance(value, int) and value not in _INTEGERS:
        yield Fault(path=path, message="expected a whole number of at most 64 bits")
    elif not math.isfinite(value):
        yield Fault(path=path, message=f"expected a finite number, got {value}")


def _is_echo(fault: Any) -> bool:
    """Whether a list is called too short only because faulty items do not count; they are told of themselves."""
    return bool(fault["type"] == "too_short" and len(fault["input"]) >= fault["ctx"]["min_length"])


def _fault(fault: Any, table: Mapping[str, Any]) -> Fault:
    path, rest = _resolved(fault["loc"], table)
    if fault["type"] == "missing":
        path = (*path, *rest[-1:])
    elif fault["type"] in ("union_tag_not_found", "union_tag_invalid"):
        path = (*path, fault["ctx"]["discriminator"].strip("'"))
    return Fault(path=path, message="unknown key" if _KEY in rest else _message_of(fault))


def _message_of(fault: Any) -> str:
    match fault["type"]:
        case "missing" | "union_tag_not_found":
            return "field required"
        case "union_tag_invalid":
            return f"got {fault['ctx']['tag']!a}, expected one of {fault['ctx']['expected_tags']}"
        case "too_short":
            return f"expected at least {fault['ctx']['min_length']}, got {len(fault['input'])}"
        case "extra_forbidden" | "unexpected_keyword_argument":
            return "unknown key"
        case _:
            expected = fault["msg"].replace("Input should be", "expected").replace("Value error, ", "")
            return f"{expected[:1].lower()}{expected[1:]}, got {_shown(fault['input'])}"


def _resolved(location: tuple[str | int, ...], table: Mapping[str, Any]) -> tuple[KeyPath, tuple[str | int, ...]]:
    """Split pydantic's location into what exists in the file and what does not (a missing key, or the tag of a union)."""
    path: KeyPath = ()
    here: Any = table
    missing: list[str | int] = []
    for part in location:
        if _holds(here, part):
            path, here = (*path, part), here[part]
        else:
            missing.append(part)
    return path, tuple(missing)


def _holds(value: object, part: str | int) -> bool:
    if isinstance(value, dict):
        return part in value
    return isinstance(value, list) and isinstance(part, int) and part < len(value)


def _shown(value: object) -> str:
    text = ascii(value) if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"


def _message(faults: tuple[Fault, ...], lines: Mapping[KeyPath, int], place: str) -> str:
    ordered = sorted(faults, key=lambda fault: _line(fault.path, lines))
    shown = [f"{place}:{_line(fault.path, lines)}: {_dotted(fault.path)}: {fault.message}" for fault in ordered[:_SHOWN_FAULTS]]
    hidden = len(faults) - _SHOWN_FAULTS
    return printable("; ".join(shown) + (f"; and {hidden} more" if hidden > 0 else ""))


def _line(path: KeyPath, lines: Mapping[KeyPath, int]) -> int:
    """Find the line of a path, or of the table where it is missing; the first where that is the file itself."""
    while path and path not in lines:
        path = path[:-1]
    return lines.get(path, 1)


def _dotted(path: KeyPath) -> str:
    """Write a path as people do: `lines[0].product.named`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".") or "file"
