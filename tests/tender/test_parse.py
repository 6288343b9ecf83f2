"""A tender with one thing wrong, and where it is read from."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from gpuaudit.errors import MachineError, MalformedFileError, UsageError
from gpuaudit.tender.parse import known_tenders, load_tender, parse_tender

_DATA = Path(__file__).parents[2] / "gpuaudit" / "tender" / "data"
_GOOD = (_DATA / "sustech-2024.toml").read_text()


def _line_of(text: str, part: str) -> int:
    return text[: text.index(part)].count("\n") + 1


@pytest.mark.parametrize(
    ("old", "new", "at", "message"),
    [
        pytest.param("buyer = ", "buyers = ", "buyers", "buyers: unknown key", id="misspelt-key"),
        pytest.param('title = "SUSTech: four months on a server of eight A100"\n', "", "schema", "title: field required", id="missing-field"),
        pytest.param("n = 8", 'n = "8"', "per_server", r"lines\[0\]\.per_server\.n: expected a valid integer, got '8'", id="text-for-a-number"),
        pytest.param("n = 8", "n = -8", "per_server", r"lines\[0\]\.per_server\.n: expected to be greater than 0|lines\[0\]\.per_server\.n: expected greater than 0", id="negative-number-of-gpus"),
        pytest.param("n = 8", "n = 8.0", "per_server", r"lines\[0\]\.per_server\.n: expected a valid integer, got 8\.0", id="fraction-of-a-gpu"),
        pytest.param("n = 8", "n = 8, m = 8", "per_server", r"lines\[0\]\.per_server\.m: unknown key", id="unknown-key-in-an-inline-table"),
        pytest.param('"exactly", n = 8', '"about", n = 8', "per_server", r"lines\[0\]\.per_server\.kind: got 'about', expected one of 'exactly', 'at-least', 'more-than', 'unsaid'", id="count-of-no-known-kind"),
        pytest.param('kind = "hardware"', 'kind = "software"', 'kind = "software"', r"lines\[0\]\.kind: got 'software', expected one of", id="line-of-no-known-kind"),
        pytest.param('status = "undetermined"', 'status = "done"', "status =", "status: expected 'planned'", id="status-of-no-known-kind"),
        pytest.param('named = "A100"', 'named = "A900"', "product =", r"lines\[0\]\.product\.named: nothing in the catalogue counts as 'A900'", id="product-that-nobody-knows"),
        pytest.param('named = "A100"', 'named = "vgpu-a100-sxm-80"', "product =", r"lines\[0\]\.product\.named: nothing in the catalogue counts as", id="share-of-a-card-as-the-product"),
        pytest.param('named = "A100"', 'named = "A100", marketed_gigabytes = 48', "product =", r"lines\[0\]\.product\.named: no A100 has 48 GB", id="size-that-was-never-sold"),
        pytest.param('date = "2024-04"', 'date = "April 2024"', "date =", r"documents\[0\]\.date: expected a date such as 2024", id="date-in-words"),
        pytest.param('date = "2024-04"', "date = 2024-04-01", "date =", r"documents\[0\]\.date: expected a text, got a date or time", id="date-without-quotes"),
        pytest.param("amount = 196_000", "amount = 0", "amount", r"money\[0\]\.amount: expected", id="no-money"),
        pytest.param('currency = "CNY"', 'currency = "yuan"', "currency", r"money\[0\]\.currency: expected a code such as CNY", id="currency-in-words"),
        pytest.param("period = { months = 4 }", "period = { months = inf }", "period", r"lines\[0\]\.period\.months: expected a finite number", id="for-ever"),
        pytest.param('slug = "sustech-2024"', 'slug = "../../etc"', "slug", "slug: expected lower-case words", id="slug-that-is-a-path"),
    ],
)  # fmt: skip
def test_a_fault_is_told_with_its_line(old: str, new: str, at: str, message: str) -> None:
    assert old in _GOOD
    bad = _GOOD.replace(old, new, 1)
    with pytest.raises(MalformedFileError, match=rf"(?:^|; )t\.toml:{_line_of(bad, at)}: (?:{message})"):
        parse_tender(bad.encode(), place="t.toml")


def test_all_faults_are_told_at_once() -> None:
    bad = _GOOD.replace("n = 8", "n = 0").replace("months = 4", "monts = 4").replace("buyer", "byer")
    with pytest.raises(MalformedFileError) as raised:
        parse_tender(bad.encode(), place="t.toml")
    for part in ("buyer: field required", "byer: unknown key", "per_server.n", "period.monts: unknown key"):
        assert part in str(raised.value)


def test_a_key_written_twice_is_a_fault_and_not_the_later_one() -> None:
    bad = _GOOD.replace("servers = {", 'servers = { kind = "exactly", n = 500 }\nservers = {', 1)
    with pytest.raises(MalformedFileError, match=rf"^t\.toml:{_line_of(bad, 'servers = {') + 1}: not TOML: Cannot overwrite"):
        parse_tender(bad.encode(), place="t.toml")


def test_a_line_that_says_no_number_at_all_is_a_fault() -> None:
    bad = _GOOD.replace('{ kind = "exactly", n = 8 }', '{ kind = "unsaid" }').replace(
        '{ kind = "exactly", n = 1 }', '{ kind = "unsaid" }'
    )
    with pytest.raises(MalformedFileError, match=r"lines\[0\]: expected a number in per_server, servers or total"):
        parse_tender(bad.encode(), place="t.toml")


def test_two_lines_of_one_id_are_a_fault() -> None:
    bad = _GOOD + _GOOD[_GOOD.index("[[lines]]") :]
    with pytest.raises(MalformedFileError, match=r"lines\[0\]\.id: expected an id of its own.*lines\[1\]\.id: expected"):
        parse_tender(bad.encode(), place="t.toml")


def test_a_tender_of_no_line_is_a_fault() -> None:
    bad = _GOOD[: _GOOD.index("[[lines]]")]
    with pytest.raises(MalformedFileError, match="lines: field required"):
        parse_tender(bad.encode(), place="t.toml")
    with pytest.raises(MalformedFileError, match=r"^t\.toml:1: lines: expected at least 1, got 0$"):
        parse_tender(("lines = []\n" + bad).encode(), place="t.toml")


def test_a_faulty_line_is_not_called_a_missing_one_too() -> None:
    bad = _GOOD.replace("n = 8", "n = -8")
    with pytest.raises(MalformedFileError, match=rf"^t\.toml:{_line_of(bad, 'n = -8')}: lines\[0\]\.per_server\.n: [^;]*$"):
        parse_tender(bad.encode(), place="t.toml")


def test_a_slug_that_nobody_knows_lists_the_known_ones() -> None:
    with pytest.raises(UsageError, match=r"expected a path, or one of changan-2023, .*zhejiang-lab-2024"):
        load_tender("sustech-2025")


def test_a_file_named_like_a_slug_does_not_take_its_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("sustech-2024").write_text(_GOOD.replace("eight", "seven"))
    assert "eight" in load_tender("sustech-2024").tender.title
    assert "seven" in load_tender("./sustech-2024").tender.title


def test_the_digest_is_that_of_the_bytes_that_were_read(tmp_path: Path) -> None:
    data = _GOOD.replace("\n", "\r\n").encode()
    (tmp_path / "t.toml").write_bytes(data)
    loaded = load_tender(tmp_path / "t.toml")
    assert loaded.sha256 == hashlib.sha256(data).hexdigest()
    assert loaded.place == str(tmp_path / "t.toml")


def test_a_tender_that_comes_with_the_package_equals_its_file() -> None:
    for slug in known_tenders():
        assert load_tender(slug).sha256 == hashlib.sha256((_DATA / f"{slug}.toml").read_bytes()).hexdigest()


def test_a_pipe_does_not_hold_the_program_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(MalformedFileError, match="not a regular file"):
        load_tender(tmp_path / "pipe")


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises((MalformedFileError, MachineError), match=str(tmp_path)):
        load_tender(tmp_path)


def test_a_large_file_is_refused_unread(tmp_path: Path) -> None:
    with (tmp_path / "large.toml").open("wb") as file:
        file.truncate(10 * 2**30)
    with pytest.raises(MalformedFileError, match="too large: got 10737418240 bytes"):
        load_tender(tmp_path / "large.toml")
