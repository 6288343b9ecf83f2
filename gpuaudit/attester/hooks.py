"""Code that Python runs before ours: `.pth` files with import lines, `sitecustomize`, `usercustomize`.

Seen in the wild: a `.pth` file that patches pynvml and torch in every process. Packaging tools leave harmless ones, so each is
reported with its first import line, not judged.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from gpuaudit.attester.files import Tree, legible
from gpuaudit.attester.interpreter import Interpreter
from gpuaudit.evidence.reading import Known, Reading, Reason, Source, Unknown

_MAX_PTH_BYTES: Final = 64 * 1024
_MAX_HOOKS: Final = 256
_MODULES: Final = ("sitecustomize", "usercustomize")


def collect_hooks(root: Path, interpreter: Interpreter) -> Reading[tuple[str, ...]]:
    """List what runs at the start of this Python, as `path: first import line` or the path of a module.

    A `.pth` file that cannot be read is listed with that reason; a folder that is not there holds none.

    Args:
        root: Where the machine's file system begins.
        interpreter: Whose folders are searched.
    """
    tree = Tree(root=root, source=Source.HOST)
    hooks: list[str] = []
    for folder in interpreter.site_folders:
        names = tree.names(folder)
        if isinstance(names, Unknown):
            if names.reason is Reason.NOT_FOUND:
                continue
            return names
        hooks.extend(hook for name in names.value if name.endswith(".pth") for hook in _import_line(tree, f"{folder}/{name}"))
    hooks.extend(_start_modules(tree, interpreter))
    if len(hooks) > _MAX_HOOKS:
        return tree.unknown(Reason.FAULT, f"more than {_MAX_HOOKS} hooks")
    return Known(value=tuple(legible(hook, limit=512) for hook in hooks), source=Source.HOST)


def _import_line(tree: Tree, path: str) -> tuple[str, ...]:
    """Return one entry if the `.pth` file runs code: `site` executes lines that begin with import and a blank or tab."""
    text = tree.text(path, limit=_MAX_PTH_BYTES, follow=True)
    if isinstance(text, Unknown):
        return (f"{path}: unreadable ({text.reason})",)
    first = next((line for line in text.value.splitlines() if line.startswith(("import ", "import\t"))), None)
    return () if first is None else (f"{path}: {first[:160]}",)


def _start_modules(tree: Tree, interpreter: Interpreter) -> list[str]:
    candidates = [
        f"{folder}/{module}{ending}"
        for folder in interpreter.search_path
        if folder.startswith("/")
        for module in _MODULES
        for ending in (".py", "/__init__.py", ".pyc")
    ]
    # Anything but a known "no" is listed: a file that hides from us is still run by Python.
    return [path for path in candidates if not _is_absent(tree.exists(path))]


def _is_absent(present: Reading[bool]) -> bool:
    return isinstance(present, Known) and not present.value
