"""One line before a run everywhere, a bar only where a person sees it."""

from __future__ import annotations

import io
import sys

import pytest
from typing_extensions import override

from gpuaudit.cli import console
from gpuaudit.cli.progress import counted, shown_progress
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


class Clock:
    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def test_a_log_hears_of_a_long_count_now_and_then_and_of_its_end(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    with counted("files", clock) as told:
        for number in range(1, 4001):
            clock.seconds += 1 / 32
            told(number, 4000)
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == [
        "960 of 4,000 files, about 95 s left",
        "1,920 of 4,000 files, about 65 s left",
        "2,880 of 4,000 files, about 35 s left",
        "3,840 of 4,000 files, about 5 s left",
        "4,000 of 4,000 files",
    ]


def test_a_long_rest_is_told_in_minutes(capsys: pytest.CaptureFixture[str]) -> None:
    clock = Clock()
    with counted("nodes", clock) as told:
        told(0, 11)
        clock.seconds = 60.0
        told(1, 11)
    assert capsys.readouterr().err.splitlines() == ["1 of 11 nodes, about 10.0 min left", "1 of 11 nodes"]


def test_a_count_on_a_terminal_is_a_bar_with_the_time_left(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    terminal, clock = Terminal(), Clock()
    monkeypatch.setattr(sys, "stderr", terminal)
    with counted("files", clock) as told:
        told(0, 8)
        clock.seconds = 6.0
        told(2, 8)
    assert "2 of 8 files" in terminal.getvalue()
    assert "18 s left" in terminal.getvalue()
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("counts", [(), ((1, 1),)], ids=["nothing", "one"])
def test_of_one_thing_nothing_is_said(counts: tuple[tuple[int, int], ...], capsys: pytest.CaptureFixture[str]) -> None:
    with counted("files") as told:
        for done, of in counts:
            told(done, of)
    assert capsys.readouterr().err == ""


def test_a_count_that_is_given_up_has_no_end(capsys: pytest.CaptureFixture[str]) -> None:
    def given_up() -> None:
        with counted("files") as told:
            told(3, 8)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        given_up()
    assert capsys.readouterr().err == ""


def test_a_count_is_quiet_where_it_is_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    console.hush(quiet=True)
    try:
        with counted("files") as told:
            told(2, 8)
    finally:
        console.hush(quiet=False)
    assert terminal.getvalue() == ""
