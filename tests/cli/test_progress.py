"""One line before a run everywhere, a bar only where a person sees it."""

from __future__ import annotations

import io
import sys

import pytest
from typing_extensions import override

from gpuaudit.cli.progress import shown_progress
from gpuaudit.units import Seconds


class Terminal(io.StringIO):
    @override
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize(("left", "words"), [(30, "30 s"), (99, "99 s"), (150, "2.5 min")])
def test_in_a_pipe_it_is_one_line(capsys: pytest.CaptureFixture[str], left: float, words: str) -> None:
    with shown_progress() as progress:
        progress.update("start", fraction=0.0, left=Seconds(left))
        progress.update("next", fraction=0.5, left=Seconds(left / 2))
    captured = capsys.readouterr()
    assert (captured.out, captured.err) == ("", f"measuring: up to {words}\n")


def test_on_a_terminal_a_bar_is_drawn_on_stderr_only(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    with shown_progress() as progress:
        progress.update("start", fraction=0.0, left=Seconds(30))
        progress.update("gemm\x1b[2J", fraction=0.5, left=Seconds(15))
    assert terminal.getvalue().count("measuring: up to 30 s\n") == 1
    assert "gemm\\x1b[2J" in terminal.getvalue()
    assert "gemm\x1b" not in terminal.getvalue()
    assert capsys.readouterr().out == ""
