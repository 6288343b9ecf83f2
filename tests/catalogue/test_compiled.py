"""The compiled catalogue: fresh, whole, and read in a moment."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gpuaudit.catalogue.compiled import compile_catalogue, date_of, load_catalogue, parse_catalogue
from gpuaudit.catalogue.product_file import read_products
from gpuaudit.errors import MalformedFileError

_DATA = Path(__file__).parents[2] / "gpuaudit" / "catalogue" / "data"
_COMPILED = (_DATA / "catalogue.json").read_bytes()


def test_the_compiled_file_is_what_the_products_files_give() -> None:
    compiled = compile_catalogue(read_products(_DATA / "nvidia"), date=date_of(load_catalogue()))
    assert compiled == _COMPILED, "run scripts/compile-catalogue"


def test_what_is_read_back_is_what_was_written() -> None:
    assert load_catalogue().products == read_products(_DATA / "nvidia")


def test_the_version_is_a_date_and_a_digest() -> None:
    assert re.fullmatch(r"\d{4}-\d{2}-\d{2}\+[0-9a-f]{12}", load_catalogue().version)


def test_the_version_moves_with_any_change() -> None:
    first, *rest = load_catalogue().products
    other = parse_catalogue(compile_catalogue(rest, date="2026-01-01"), place="other")
    same = parse_catalogue(compile_catalogue([first, *rest], date=date_of(load_catalogue())), place="same")
    assert other.version.partition("+")[2] != load_catalogue().version.partition("+")[2]
    assert same.version == load_catalogue().version


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param(b'"10de:20b2"', b'"10de:20f3"', id="an-id-edited"),
        pytest.param(b"108.0", b"8.0", id="a-number-edited"),
        pytest.param(b'"unverified"', b'"capture"', id="a-source-promoted"),
        pytest.param(b"}\n]}", b"}", id="cut-off"),
        pytest.param(b'"version"', b'"verison"', id="no-version"),
        pytest.param(b'{"version"', b'[{"version"', id="not-an-object"),
    ],
)
def test_a_changed_file_is_refused(old: bytes, new: bytes) -> None:
    assert old in _COMPILED
    with pytest.raises(MalformedFileError, match=r"^catalogue\.json: damaged: "):
        parse_catalogue(_COMPILED.replace(old, new, 1), place="catalogue.json")


def test_it_is_read_in_a_quarter_of_the_time_that_the_products_files_take() -> None:
    """In a sixteenth of it on an idle machine."""
    compiled, files = [], []
    for _ in range(3):
        started = time.process_time()
        parse_catalogue(_COMPILED, place="catalogue.json")
        compiled.append(time.process_time() - started)
        started = time.process_time()
        read_products(_DATA / "nvidia")
        files.append(time.process_time() - started)
    assert min(compiled) < min(files) / 4


def test_reading_it_loads_nothing_heavy() -> None:
    program = (
        "import sys; from gpuaudit.catalogue.compiled import load_catalogue; load_catalogue();"
        "print([name for name in ('numpy', 'torch', 'pandas', 'cryptography') if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout == "[]\n"


def test_the_script_finds_the_file_fresh_from_anywhere(tmp_path: Path) -> None:
    script = Path(__file__).parents[2] / "scripts" / "compile-catalogue"
    run = subprocess.run([sys.executable, str(script), "--check"], check=True, capture_output=True, text=True, cwd=tmp_path)
    assert load_catalogue().version in run.stdout


def test_the_script_compiles_again_only_what_changed(tmp_path: Path) -> None:
    root = tmp_path / "copy"
    for folder in ("scripts", "gpuaudit"):
        shutil.copytree(Path(__file__).parents[2] / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__"))
    data = root / "gpuaudit" / "catalogue" / "data"
    product = data / "nvidia" / "t4.toml"
    product.write_text(product.read_text().replace('title = "T4"', 'title = "Tesla T4"'))
    command = [sys.executable, str(root / "scripts" / "compile-catalogue")]
    assert subprocess.run([*command, "--check"], check=False, capture_output=True).returncode == 1
    assert (data / "catalogue.json").read_bytes() == _COMPILED
    subprocess.run(command, check=True, capture_output=True)
    changed = parse_catalogue((data / "catalogue.json").read_bytes(), place="copy")
    assert (changed.product("t4").title, changed.version != load_catalogue().version) == ("Tesla T4", True)
