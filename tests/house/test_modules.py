"""What no linter checks of the source: sizes, names, docstrings, who reads the environment, who prints."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
MODULES: Final = sorted((ROOT / "gpuaudit").rglob("*.py"))
SOURCES: Final = [*MODULES, *sorted((ROOT / "tests").rglob("*.py")), *sorted((ROOT / "benchmarks").rglob("*.py"))]

_MAX_LINES: Final = 400
_NAMES_THAT_SAY_NOTHING: Final = {"utils", "util", "helpers", "helper", "common", "misc", "base", "core", "types"}

# Who reads the environment, and why none of it can choose trust, policy, tender or origin.
ENVIRONMENT_READERS: Final = {
    "gpuaudit/envelope/keystore.py": "where one's own keys lie, by the XDG specification",
    "gpuaudit/attester/interpreter.py": "the environment is evidence: it is recorded, not obeyed",
    "gpuaudit/workload/process.py": "what a worker process is started with",
}


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def by_name(paths: list[Path]) -> list[object]:
    return [pytest.param(path, id=name_of(path)) for path in paths]


@pytest.mark.parametrize("path", by_name(SOURCES))
def test_a_module_is_short(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= _MAX_LINES


def test_half_of_the_modules_are_no_longer_than_they_should_be() -> None:
    lengths = sorted(len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES)
    assert lengths[len(lengths) // 2] <= 150


@pytest.mark.parametrize("path", by_name(SOURCES))
def test_a_module_is_named_for_what_is_in_it(path: Path) -> None:
    assert not {path.stem, path.parent.name} & _NAMES_THAT_SAY_NOTHING


@pytest.mark.parametrize("path", by_name(MODULES))
def test_every_public_name_is_documented(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert ast.get_docstring(tree), "the module"
    missing = [name for name, node in _public(tree, "") if not ast.get_docstring(node)]
    assert missing == []


@pytest.mark.parametrize("path", by_name(MODULES))
def test_a_docstring_does_not_merely_repeat_the_name(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for name, node in _public(tree, ""):
        first = (ast.get_docstring(node) or "").splitlines()[0]
        assert not first.startswith(("This function", "This class", "This method")), name
        assert re.sub(r"\W", "", first).lower() != re.sub(r"\W|_", "", name.rpartition(".")[2]).lower(), name


@pytest.mark.parametrize("path", by_name(MODULES))
def test_only_the_listed_modules_read_the_environment(path: Path) -> None:
    """On a rented machine the environment is the adversary's: it chooses neither trust nor policy, tender nor origin."""
    reads = bool(
        re.search(r"\bos\.(environ\b|environb\b|getenv\b)|\bgetenv\(|\benvvar\b|auto_envvar", path.read_text(encoding="utf-8"))
    )
    assert reads == (name_of(path) in ENVIRONMENT_READERS)


@pytest.mark.parametrize("path", by_name(MODULES))
def test_nothing_is_left_unfinished(path: Path) -> None:
    assert not re.search(
        r"\b(TODO|FIXME|XXX|HACK)\b|raise NotImplementedError|pragma: no cover", path.read_text(encoding="utf-8")
    )


@pytest.mark.parametrize(
    "path", by_name([*SOURCES, *sorted((ROOT / "gpuaudit").rglob("*.toml")), ROOT / "README.md", ROOT / "CHANGELOG.md"])
)
def test_no_file_names_a_path_of_one_machine(path: Path) -> None:
    assert not re.search(r"(?<![\w.])/(work|root|farm|opt/gav)/", path.read_text(encoding="utf-8"))


def test_every_folder_of_tests_is_a_package() -> None:
    """Two test modules of one name in folders that are none would shadow each other, and one would never run."""
    folders = {path.parent for path in (ROOT / "tests").rglob("*.py")}
    assert [name_of(folder) for folder in folders if not (folder / "__init__.py").exists()] == []


def _public(node: ast.AST, prefix: str) -> list[tuple[str, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef]]:
    found: list[tuple[str, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef]] = []
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef) and not child.name.startswith("_"):
            if not _is_override(child):
                found.append((prefix + child.name, child))
            if isinstance(child, ast.ClassDef):
                found += _public(child, f"{prefix}{child.name}.")
    return found


def _is_override(node: ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef) -> bool:
    return any(isinstance(decorator, ast.Name) and decorator.id == "override" for decorator in node.decorator_list)
