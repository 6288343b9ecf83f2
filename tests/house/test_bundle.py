"""The bundle for machines that reach no package index: what can be tried without collecting its wheels."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]


def bundle(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([ROOT / "scripts" / "bundle", *arguments], capture_output=True, text=True, check=False)


def test_it_overwrites_nothing(tmp_path: Path) -> None:
    target = tmp_path / "there.tar.gz"
    target.write_text("kept")
    ran = bundle(str(target))
    assert ran.returncode == 2
    assert "exists" in ran.stderr
    assert target.read_text() == "kept"


def test_a_place_that_cannot_be_written_is_one_line_before_any_download(tmp_path: Path) -> None:
    ran = bundle(str(tmp_path / "no-such-folder" / "b.tar.gz"))
    assert ran.returncode == 4
    assert ran.stderr.splitlines()[-1].startswith("bundle: ")
    assert "collecting" not in ran.stderr
