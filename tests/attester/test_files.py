"""Trees made to hang, exhaust or fool a reader."""

from __future__ import annotations

import os
import socket
import time
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gpuaudit.attester.files import MAX_NAMES, Tree, legible, parsed
from gpuaudit.evidence.reading import Known, Reason, Source, Unknown
from gpuaudit.printable import printable
from tests.attester.readings import reason_of
from tests.attester.trees import unprivileged


def tree(root: Path) -> Tree:
    return Tree(root=root, source=Source.PCI)


def test_a_file_is_read_without_the_blanks_around_it(tmp_path: Path) -> None:
    (tmp_path / "vendor").write_text("0x10de\n")
    assert tree(tmp_path).text("/vendor") == Known(value="0x10de", source=Source.PCI)


def test_a_missing_file_is_not_found(tmp_path: Path) -> None:
    assert reason_of(tree(tmp_path).text("/sys/vendor")) is Reason.NOT_FOUND


def test_the_detail_names_the_path_on_the_machine_not_the_root(tmp_path: Path) -> None:
    reading = tree(tmp_path).text("/sys/vendor")
    assert isinstance(reading, Unknown)
    assert reading.detail == "/sys/vendor: No such file or directory"


def test_a_file_in_the_way_of_a_folder_is_not_found(tmp_path: Path) -> None:
    (tmp_path / "sys").write_text("not a folder")
    assert reason_of(tree(tmp_path).text("/sys/vendor")) is Reason.NOT_FOUND
    assert reason_of(tree(tmp_path).names("/sys/bus")) is Reason.NOT_FOUND


def test_a_refused_file_is_no_permission(tmp_path: Path) -> None:
    (tmp_path / "vendor").write_text("0x10de\n")
    (tmp_path / "vendor").chmod(0)
    (tmp_path / "devices").mkdir(mode=0)
    with unprivileged():
        assert reason_of(tree(tmp_path).text("/vendor")) is Reason.NO_PERMISSION
        assert reason_of(tree(tmp_path).names("/devices")) is Reason.NO_PERMISSION
        assert reason_of(tree(tmp_path).exists("/devices/0000:06:00.0")) is Reason.NO_PERMISSION


def test_a_pipe_does_not_hang_the_reader(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "vendor")
    started = time.monotonic()
    assert reason_of(tree(tmp_path).text("/vendor")) is Reason.FAULT
    assert time.monotonic() - started < 30


def test_a_socket_is_not_read(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(os.fspath(tmp_path / "vendor"))
        assert reason_of(tree(tmp_path).text("/vendor")) is Reason.FAULT


def test_a_folder_in_the_place_of_a_file_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "vendor").mkdir()
    assert reason_of(tree(tmp_path).text("/vendor")) is Reason.FAULT


def test_a_link_is_not_followed_unless_asked(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("do not tell")
    (tmp_path / "vendor").symlink_to("secret")
    reading = tree(tmp_path).text("/vendor")
    assert reason_of(reading) is Reason.FAULT
    assert "do not tell" not in str(reading)
    assert tree(tmp_path).text("/vendor", follow=True) == Known(value="do not tell", source=Source.PCI)


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    assert reason_of(tree(tmp_path).text("/a", follow=True)) is Reason.FAULT
    assert reason_of(tree(tmp_path).names("/a")) is Reason.FAULT


def test_a_file_without_end_costs_little_memory_and_time(tmp_path: Path) -> None:
    with (tmp_path / "vendor").open("wb") as file:
        file.truncate(10 * 1024**3)
    tracemalloc.start()
    started = time.monotonic()
    reading = tree(tmp_path).text("/vendor")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert reason_of(reading) is Reason.FAULT
    assert time.monotonic() - started < 30
    assert peak < 100_000


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"\xff\xfe0x10de", id="not-utf-8"),
        pytest.param(b"0x10\x00de", id="nul"),
        pytest.param(b"\x1b[2J0x10de", id="terminal-escape"),
        pytest.param("0x10\u202ede".encode(), id="bidi-override"),
    ],
)
def test_garbage_is_a_fault_and_not_repeated(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "vendor").write_bytes(content)
    reading = tree(tmp_path).text("/vendor")
    assert reason_of(reading) is Reason.FAULT
    assert "0x10" not in str(reading)


def test_a_limit_is_exact(tmp_path: Path) -> None:
    (tmp_path / "vendor").write_text("12345")
    assert isinstance(tree(tmp_path).text("/vendor", limit=5), Known)
    assert reason_of(tree(tmp_path).text("/vendor", limit=4)) is Reason.FAULT


def test_names_are_sorted(tmp_path: Path) -> None:
    for name in ("b", "a", "c"):
        (tmp_path / name).touch()
    assert tree(tmp_path).names("/") == Known(value=("a", "b", "c"), source=Source.PCI)


def test_a_folder_of_too_many_names_is_a_fault(tmp_path: Path) -> None:
    for index in range(MAX_NAMES + 1):
        (tmp_path / str(index)).symlink_to("x")
    reading = tree(tmp_path).names("/")
    assert reason_of(reading) is Reason.FAULT
    assert f"more than {MAX_NAMES} entries" in str(reading)


def test_the_name_of_a_link_is_the_last_part_of_its_target(tmp_path: Path) -> None:
    (tmp_path / "driver").symlink_to("../../bus/pci/drivers/nvidia")
    assert tree(tmp_path).link_name("/driver") == Known(value="nvidia", source=Source.PCI)
    assert reason_of(tree(tmp_path).link_name("/physfn")) is Reason.NOT_FOUND
    (tmp_path / "file").touch()
    assert reason_of(tree(tmp_path).link_name("/file")) is Reason.FAULT


def test_a_dangling_link_exists(tmp_path: Path) -> None:
    (tmp_path / "physfn").symlink_to("../nowhere")
    assert tree(tmp_path).exists("/physfn") == Known(value=True, source=Source.PCI)
    assert tree(tmp_path).exists("/other") == Known(value=False, source=Source.PCI)


def test_a_parser_that_refuses_makes_an_unknown_with_its_words() -> None:
    reading = parsed(Known(value="sixteen", source=Source.PCI), int)
    assert reason_of(reading) is Reason.FAULT
    assert "sixteen" in str(reading)


def test_an_unknown_passes_a_parser_as_it_is() -> None:
    unknown = Unknown(reason=Reason.LOST, source=Source.PCI, detail="gone")
    assert parsed(unknown, int) is unknown


@given(st.text(alphabet=st.characters(codec=None)), st.integers(min_value=1, max_value=50))
def test_legible_text_can_be_written_and_shown(text: str, limit: int) -> None:
    shown = legible(text, limit)
    shown.encode("utf-8")
    assert printable(shown) == shown
    assert len(shown) <= limit * 10 + len(f"... ({len(text)} characters)")
