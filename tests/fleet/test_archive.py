"""What is kept on disk while a fleet is heard: in the order of names, all of it, and without a name of its own."""

from __future__ import annotations

import gc
import tracemalloc
from collections import Counter
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from gpuaudit.fleet.archive import Archive, repeated
from gpuaudit.fleet.outliers import RateBook
from gpuaudit.fleet.testimony import Rate
from tests.fleet.heard import folded, machine, renamed


def archived(numbers: range) -> Archive:
    made = Archive()
    for number in numbers:
        made.add(machine(number))
    return made


def test_what_was_added_is_read_in_the_order_of_names_again_and_again() -> None:
    made = archived(range(9, -1, -1))
    assert len(made) == 10
    assert list(made) == list(made) == [machine(number) for number in range(10)]


def test_two_files_of_one_name_are_two() -> None:
    made = Archive()
    made.add(machine(0))
    made.add(renamed(machine(1), "node-000"))
    assert [one.nonce for one in made] == ["node-000", "node-001"]


def test_one_pass_may_run_within_another() -> None:
    made = archived(range(3))
    assert sum(1 for _ in made for _ in made) == 9


def test_an_archive_folds_to_what_a_list_does() -> None:
    heard = [*(machine(number) for number in range(9)), renamed(machine(0, times=("11:00", "11:05")), "node-900")]
    made = Archive()
    for one in reversed(heard):
        made.add(one)
    assert folded(made, "tsinghua-2023") == folded(heard, "tsinghua-2023")


@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=3)))
def test_what_occurs_twice_is_found(texts: list[str]) -> None:
    assert repeated(texts) == {text for text, count in Counter(texts).items() if count > 1}


def test_what_is_on_disk_has_no_name_there() -> None:
    """SQLite takes the name away as soon as it has opened the file; nothing can be left behind, whatever ends the process."""
    before = _open_files()
    made = archived(range(5000))
    (spilt,) = _open_files() - before
    assert spilt.endswith(" (deleted)")
    del made
    gc.collect()
    assert spilt not in _open_files()


def test_memory_does_not_follow_the_number_of_nodes() -> None:
    """Of what Python holds, per node: less than the name alone would take. SQLite's own cache has a fixed size."""
    tracemalloc.start()
    try:
        made, rates = archived(range(10)), RateBook()
        before, _ = tracemalloc.get_traced_memory()
        for number in range(10, 2010):
            made.add(machine(number))
            rates.add(
                [Rate(product="A100", quantity="copy", subject=f"node-{number} device {one}", value=1e12) for one in range(8)]
            )
        gc.collect()
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 2000 * 30


def _open_files() -> frozenset[str]:
    return frozenset(str(entry.readlink()) for entry in Path("/proc/self/fd").iterdir() if entry.is_symlink())
