"""The list of what never ran names code that exists."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEXT = (Path(__file__).parent / "README.md").read_text(encoding="utf-8")
ROWS = [line for line in TEXT.splitlines() if line.startswith("| `")]


def test_every_file_and_name_in_the_list_is_there() -> None:
    assert len(ROWS) > 10
    for row in ROWS:
        place = row.split("|")[1]
        path, *names = re.findall(r"`([^`]+)`", place)
        files = [file.read_text(encoding="utf-8") for file in (ROOT / "gpuaudit" / "workload").glob(path)]
        files += [file.read_text(encoding="utf-8") for file in (ROOT / "gpuaudit").glob(path)]
        assert files, path
        for name in names:
            last = name.rpartition(".")[2].strip("[]")
            assert any(last in text for text in files), (path, name)
