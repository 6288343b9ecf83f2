"""XML of unknown origin to a plain tree of elements, without what makes XML dangerous.

Nothing outside the bytes is ever opened, declared entities are refused (a few lines of them can expand to gigabytes), and size,
depth and number of elements are bounded. The DOCTYPE of a capture names a DTD file that is not read; its name tells the schema.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, NoReturn
from xml.parsers import expat

from gpuaudit.errors import MalformedFileError

# Eight H100 take 212 kB.
MAX_BYTES: Final = 8 * 1024 * 1024
_MAX_DEPTH: Final = 32
_MAX_ELEMENTS: Final = 200_000
_BUFFER: Final = 64 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Element:
    """One element: its own text without blanks around it, its children in order, and the line on which it begins."""

    tag: str
    text: str
    line: int
    children: tuple[Element, ...]

    def named(self, tag: str) -> tuple[Element, ...]:
        """Return the children of that name, in order."""
        return tuple(child for child in self.children if child.tag == tag)


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A root element and the system identifier of the DOCTYPE, empty where there is none."""

    root: Element
    doctype: str


@dataclass(slots=True, kw_only=True)
class _Open:
    tag: str
    line: int
    text: list[str] = field(default_factory=list)
    children: list[Element] = field(default_factory=list)

    def closed(self) -> Element:
        return Element(tag=self.tag, text="".join(self.text).strip(), line=self.line, children=tuple(self.children))


def parse_document(data: bytes, *, place: str) -> Document:
    """Parse XML bytes.

    Args:
        data: The whole file.
        place: Where it came from, for the message.

    Raises:
        MalformedFileError: Too large, too deep, too many elements, declares entities, or is not well-formed.
    """
    if len(data) > MAX_BYTES:
        raise MalformedFileError(f"{place}: too large: got {len(data)} bytes, expected at most {MAX_BYTES}")
    builder = _Builder(place)
    try:
        builder.parser.Parse(data, True)  # noqa: FBT003 - expat takes no keywords; True says that this is all
    except expat.ExpatError as error:
        raise MalformedFileError(
            f"{place}:{error.lineno}: not XML: {expat.ErrorString(error.code)}; expected what nvidia-smi -q -x prints"
        ) from None
    except (LookupError, ValueError):
        raise MalformedFileError(f"{place}: an encoding that cannot be read; expected UTF-8") from None
    return Document(root=builder.root(), doctype=builder.doctype)


class _Builder:
    """Turns expat's events into elements."""

    def __init__(self, place: str) -> None:
        self.doctype = ""
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.buffer_size = _BUFFER
        self.parser.StartDoctypeDeclHandler = self._doctype
        self.parser.EntityDeclHandler = self._entity
        # Where a DTD is named, expat leaves out entities that it might declare; readers that load it would read another text.
        self.parser.SkippedEntityHandler = self._entity
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        self._place = place
        self._elements = 0
        self._open: list[_Open] = [_Open(tag="", line=0)]

    def root(self) -> Element:
        """Return the root element; expat has made sure that there is exactly one."""
        return self._open[0].children[0]

    def _doctype(self, name: str, system_id: str | None, public_id: str | None, has_internal_subset: int) -> None:  # noqa: ARG002
        if has_internal_subset:
            self._refuse("declarations of its own in the DOCTYPE")
        self.doctype = system_id or ""

    def _entity(self, *_: object) -> None:
        self._refuse("an entity of its own")

    def _start(self, tag: str, attributes: dict[str, str]) -> None:  # noqa: ARG002 - a capture says nothing in attributes
        self._elements += 1
        if self._elements > _MAX_ELEMENTS:
            self._refuse(f"more than {_MAX_ELEMENTS} elements")
        if len(self._open) > _MAX_DEPTH:
            self._refuse(f"elements nested more than {_MAX_DEPTH} deep")
        self._open.append(_Open(tag=tag, line=self.parser.CurrentLineNumber))

    def _end(self, tag: str) -> None:  # noqa: ARG002 - expat has checked that it fits
        element = self._open.pop().closed()
        self._open[-1].children.append(element)

    def _text(self, text: str) -> None:
        self._open[-1].text.append(text)

    def _refuse(self, what: str) -> NoReturn:
        raise MalformedFileError(
            f"{self._place}:{self.parser.CurrentLineNumber}: has {what}; expected what nvidia-smi -q -x prints, which has none"
        )
