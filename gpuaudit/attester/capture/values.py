"""Texts of a capture to readings: words for "no value" become Unknown with their reason, units are parsed."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Final, TypeVar

from gpuaudit.attester.capture.document import Element
from gpuaudit.attester.files import legible, parsed
from gpuaudit.evidence.reading import Known, Reading, Reason, Source, Unknown
from gpuaudit.units import Bytes, Megahertz, Milliwatts

T = TypeVar("T")

# What nvidia-smi prints instead of a value: its own words and those of nvmlErrorString. Compared without case and brackets.
_NO_VALUE: Final[Mapping[str, Reason]] = {
    "n/a": Reason.NOT_SUPPORTED,
    "not supported": Reason.NOT_SUPPORTED,
    "function not found": Reason.NOT_SUPPORTED,
    "requested functionality has been deprecated": Reason.NOT_SUPPORTED,
    "not found": Reason.NOT_FOUND,
    "insufficient permissions": Reason.NO_PERMISSION,
    "gpu is lost": Reason.LOST,
    "gpu requires reset": Reason.LOST,
    "reset required": Reason.LOST,
    "timeout": Reason.TIMED_OUT,
    "unknown error": Reason.FAULT,
    "unknown": Reason.FAULT,
    "err!": Reason.FAULT,
}


def not_captured(detail: str) -> Unknown:
    """Make the Unknown of what a capture does not hold."""
    return Unknown(reason=Reason.NOT_CAPTURED, source=Source.CAPTURE, detail=detail)


def text_at(element: Element, path: str) -> Reading[str]:
    """Read the text of the one element at `path` (names joined by a slash) below `element`.

    Unknown where it is not there, is empty, stands for "no value" (also where a group as a whole does), or is there twice:
    readers would disagree about which one counts.
    """
    for step in path.split("/"):
        found = element.named(step)
        if len(found) > 1:
            return Unknown(reason=Reason.FAULT, source=Source.CAPTURE, detail=f"{path}: {step} is there {len(found)} times")
        if not found:
            # A group may say as a whole that it has no value, as <remapped_rows>N/A</remapped_rows>.
            group = _reading(element.text, path)
            return group if isinstance(group, Unknown) else not_captured(f"{path}: not in this capture")
        element = found[0]
    if element.children:
        return Unknown(reason=Reason.FAULT, source=Source.CAPTURE, detail=f"{path}: expected a text, got elements")
    return _reading(element.text, path)


def value_at(element: Element, path: str, parse: Callable[[str], T]) -> Reading[T]:
    """Read the text at `path` and parse it; a text that does not parse is Unknown (fault), with the path."""

    def parse_here(text: str) -> T:
        try:
            return parse(text)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None

    return parsed(text_at(element, path), parse_here)


def first_known(*readings: Reading[T]) -> Reading[T]:
    """Return the first known reading, or else the first one that says more than "not captured"."""
    for reading in readings:
        if isinstance(reading, Known):
            return reading
    telling = [reading for reading in readings if isinstance(reading, Unknown) and reading.reason is not Reason.NOT_CAPTURED]
    return (*telling, *readings)[0]


def _reading(text: str, path: str) -> Reading[str]:
    if not text:
        return not_captured(f"{path}: not in this capture")
    reason = _NO_VALUE.get(text.strip("[]").lower())
    if reason is not None:
        return Unknown(reason=reason, source=Source.CAPTURE, detail=f"{path}: {legible(text)}")
    return Known(value=legible(text, limit=256), source=Source.CAPTURE)


def whole(text: str) -> int:
    """Parse a whole number without unit."""
    return int(_match(r"([0-9]{1,18})", text, "a whole number"))


def hexadecimal(text: str) -> int:
    """Parse a number such as `0x600`."""
    return int(_match(r"0x([0-9a-fA-F]{1,16})", text, "a hexadecimal number"), 16)


def mebibytes(text: str) -> Bytes:
    """Parse a size such as `81920 MiB` into bytes; nvidia-smi has rounded it to whole MiB."""
    return Bytes(int(_match(r"([0-9]{1,12}) MiB", text, "a size in MiB")) * 1024 * 1024)


def megahertz(text: str) -> Megahertz:
    """Parse a clock such as `1410 MHz`."""
    return Megahertz(int(_match(r"([0-9]{1,9}) MHz", text, "a clock in MHz")))


def milliwatts(text: str) -> Milliwatts:
    """Parse a power such as `400.00 W`."""
    return Milliwatts(int(Decimal(_match(r"([0-9]{1,9}(?:\.[0-9]{1,3})?) W", text, "a power in W")) * 1000))


def celsius(text: str) -> int:
    """Parse a temperature such as `33 C`."""
    return int(_match(r"(-?[0-9]{1,5}) C", text, "a temperature in C"))


def lanes(text: str) -> int:
    """Parse a link width such as `16x`."""
    return int(_match(r"([0-9]{1,3})x", text, "a width such as 16x"))


def banks(text: str) -> int:
    """Parse a number of row-remapping banks such as `640 bank(s)`."""
    return int(_match(r"([0-9]{1,9}) bank\(s\)", text, "a number of banks"))


def enabled(text: str) -> bool:
    """Parse `Enabled` or `Disabled`."""
    return one_of(text, {"Enabled": True, "Disabled": False})


def yes(text: str) -> bool:
    """Parse `Yes` or `No`."""
    return one_of(text, {"Yes": True, "No": False})


def active(text: str) -> bool:
    """Parse `Active` or `Not Active`."""
    return one_of(text, {"Active": True, "Not Active": False})


def pci_id(text: str) -> str:
    """Parse device and vendor such as `20B010DE` into `10de:20b0`."""
    digits = _match(r"((?:0x)?[0-9a-fA-F]{8})", text, "eight hexadecimal digits")[-8:].lower()
    return f"{digits[4:]}:{digits[:4]}"


def one_of(text: str, meanings: Mapping[str, T]) -> T:
    """Look a word up.

    Raises:
        ValueError: It is none of the words.
    """
    if text not in meanings:
        raise ValueError(f"got {text[:60]!a}, expected one of {', '.join(meanings)}")
    return meanings[text]


def _match(pattern: str, text: str, what: str) -> str:
    matched = re.fullmatch(pattern, text, re.ASCII)
    if matched is None:
        raise ValueError(f"got {text[:60]!a}, expected {what}")
    return matched[1]
