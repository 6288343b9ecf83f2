"""Text that a terminal shows as it is, whoever wrote it.

A device name, a file name or a key comes from a machine that may be an adversary's. Printed raw, it could move the cursor,
set the clipboard (ESC ]52) or turn the reading order round, so that a person reads another verdict than the one that was
written.
"""

from __future__ import annotations

import unicodedata
from typing import Final

# Controls, formats (bidi and zero-width among them), surrogates, private use, unassigned, line and paragraph separators.
_HIDDEN: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def printable(text: str, *, keep: str = "") -> str:
    r"""Write every character that a terminal would obey, or not show, as its escape (`\x1b`, `\u202e`).

    Args:
        text: What somebody else wrote, or a whole page that holds it.
        keep: Characters to leave alone, such as the line feeds of a page.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        character if character in keep or unicodedata.category(character) not in _HIDDEN else _escaped(character)
        for character in text
    )


def _escaped(character: str) -> str:
    return character.encode("unicode_escape").decode("ascii")
