"""The verifier's own record: what is written down when, and which attempts share the odds of the next one."""

from __future__ import annotations

import os
import resource
import stat
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gpuaudit.challenge.ledger import FILE_NAME, Ledger
from gpuaudit.challenge.result import Accepted, AnsweringHost, Failed, HostKey, KnownBy, NoHostKey, Outcome, Timed
from gpuaudit.errors import MachineError
from tests.challenge.results import HOST, answered
from tests.challenge.rounds import Round

OTHER = HostKey(algorithm="ssh-ed25519", fingerprint="SHA256:" + "b" * 43)
BEFORE_THE_SEED = Failed(step=3, reason="out of memory", seed_revealed=False)
AFTER_THE_SEED = Failed(step=6, reason="closed by the other side", seed_revealed=True)


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "attempts")


def begun(ledger: Ledger, name: str = "gpu7", *, host: AnsweringHost | None = HOST, rehearsal: bool = False) -> str:
    attempt = ledger.begin(at="2026-01-01T00:00:00Z", destination=name, rehearsal=rehearsal, verifier="1" * 64)
    if host is not None:
        ledger.greeted(attempt, host=host, nonce="2" * 64, evidence_sha256="3" * 64)
    return attempt


def made(ledger: Ledger, outcome: Outcome, name: str = "gpu7", *, host: AnsweringHost = HOST, rehearsal: bool = False) -> None:
    attempt = begun(ledger, name, host=host, rehearsal=rehearsal)
    ledger.ended(attempt, transcript_sha256="4" * 64, outcome=outcome)


def counted(ledger: Ledger, name: str = "gpu7", *, host: AnsweringHost = HOST, rehearsal: bool = False) -> int:
    return len(ledger.earlier(begun(ledger, name, host=host, rehearsal=rehearsal)))


def test_a_first_attempt_shares_its_odds_with_none(ledger: Ledger) -> None:
    assert counted(ledger) == 0


@pytest.mark.parametrize(
    ("outcome", "counts"),
    [
        pytest.param(answered(10, 5), True, id="accepted"),
        pytest.param(AFTER_THE_SEED, True, id="gone-after-the-seed"),
        pytest.param(BEFORE_THE_SEED, False, id="gone-before-the-seed"),
    ],
)
def test_whoever_had_a_seed_counts(ledger: Ledger, outcome: Outcome, counts: bool) -> None:
    made(ledger, outcome)
    assert counted(ledger) == counts


def test_an_attempt_of_which_no_end_is_known_counts(ledger: Ledger) -> None:
    begun(ledger)
    (attempt,) = ledger.earlier(begun(ledger))
    assert isinstance(attempt.outcome, Failed)
    assert attempt.outcome.seed_revealed
    assert "interrupted" in attempt.outcome.reason
    assert attempt.transcript_sha256 == ""


def test_a_machine_that_never_greeted_had_no_seed(ledger: Ledger) -> None:
    begun(ledger, host=None)
    assert counted(ledger) == 0


def test_earlier_attempts_are_numbered_and_known_by_the_record_only(ledger: Ledger) -> None:
    made(ledger, AFTER_THE_SEED)
    made(ledger, Round().run().outcome)
    first, second = ledger.earlier(begun(ledger))
    assert (first.number, second.number) == (1, 2)
    assert {first.known_by, second.known_by} == {KnownBy.RECORD}
    assert first.outcome == AFTER_THE_SEED
    assert (first.nonce, first.evidence_sha256, first.transcript_sha256) == ("2" * 64, "3" * 64, "4" * 64)
    assert isinstance(second.outcome, Accepted)
    assert isinstance(second.outcome.timing, Timed)
    assert second.outcome.samples == ()


@pytest.mark.parametrize(
    ("name", "host", "counts"),
    [
        pytest.param("gpu7", HOST, True, id="the-same"),
        pytest.param("root@gpu7", HOST, True, id="another-user"),
        pytest.param("10.0.0.7", HOST, True, id="the-same-host-key-under-another-name"),
        pytest.param("gpu7", OTHER, True, id="the-same-name-with-a-new-host-key"),
        pytest.param("gpu8", OTHER, False, id="another-machine"),
        pytest.param("gpu8", NoHostKey(), False, id="another-name-without-a-key"),
    ],
)
def test_a_machine_is_known_by_its_name_or_by_its_host_key(
    ledger: Ledger, name: str, host: AnsweringHost, counts: bool
) -> None:
    """Else a new name, or a new key, would give the odds back."""
    made(ledger, AFTER_THE_SEED)
    assert counted(ledger, name, host=host) == counts


def test_a_machine_that_changes_its_key_and_then_its_name_is_the_same(ledger: Ledger) -> None:
    """x with one key, x with another, y with the other: neither name nor key of the last is the first one's."""
    made(ledger, AFTER_THE_SEED, "x", host=HOST)
    made(ledger, AFTER_THE_SEED, "x", host=OTHER)
    assert counted(ledger, "y", host=OTHER) == 2


def test_what_ties_two_names_may_have_been_a_rehearsal_or_without_a_seed(ledger: Ledger) -> None:
    made(ledger, AFTER_THE_SEED, "x", host=HOST)
    made(ledger, BEFORE_THE_SEED, "x", host=OTHER, rehearsal=True)
    assert counted(ledger, "y", host=OTHER) == 1


def test_a_name_written_in_capitals_is_the_same_name(ledger: Ledger) -> None:
    made(ledger, AFTER_THE_SEED, "gpu7")
    assert counted(ledger, "root@GPU7", host=OTHER) == 1


KEYS = [NoHostKey(), *(HostKey(algorithm="ssh-ed25519", fingerprint=f"SHA256:{letter * 43}") for letter in "abcd")]


@settings(max_examples=60)
@given(st.lists(st.tuples(st.sampled_from("vwxyz"), st.sampled_from(KEYS)), min_size=1, max_size=12))
def test_all_that_are_tied_together_share_the_odds(seen: list[tuple[str, AnsweringHost]]) -> None:
    with TemporaryDirectory() as folder:
        kept = Ledger(Path(folder) / "attempts")
        *before, last = seen
        for name, host in before:
            made(kept, AFTER_THE_SEED, name, host=host)
        tied = [last]
        for _ in seen:
            tied = [one for one in seen if any(one[0] == name or (one[1] == host != KEYS[0]) for name, host in tied)]
        assert counted(kept, last[0], host=last[1]) == len(tied) - 1


def test_two_machines_without_a_key_are_not_one(ledger: Ledger) -> None:
    made(ledger, AFTER_THE_SEED, host=NoHostKey())
    assert counted(ledger, "gpu8", host=NoHostKey()) == 0


def test_a_rehearsal_proves_nothing_and_costs_nothing(ledger: Ledger) -> None:
    made(ledger, AFTER_THE_SEED, rehearsal=True)
    assert counted(ledger) == 0
    assert counted(ledger, rehearsal=True) == 1


def test_of_two_that_overlap_the_later_greeted_sees_the_other(ledger: Ledger) -> None:
    """Begun first is not greeted first: by the order of beginning neither would see the other."""
    first, second = (begun(ledger, host=None) for _ in range(2))
    for attempt, nonce in ((second, "5" * 64), (first, "6" * 64)):
        ledger.greeted(attempt, host=HOST, nonce=nonce, evidence_sha256="3" * 64)
    assert ledger.earlier(second) == ()
    assert [one.nonce for one in ledger.earlier(first)] == ["5" * 64]


def test_a_line_of_which_only_a_part_was_written_is_no_record(ledger: Ledger, tmp_path: Path) -> None:
    begun(ledger, host=None)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    # As on a disk that is full: the system writes what fits, and says how much.
    resource.setrlimit(resource.RLIMIT_FSIZE, ((tmp_path / "attempts" / FILE_NAME).stat().st_size + 10, hard))
    try:
        with pytest.raises(MachineError, match="cannot be recorded: No space left"):
            begun(ledger, host=None)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_the_name_of_a_new_record_is_brought_to_the_disk_too(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    folders: list[bool] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: folders.append(stat.S_ISDIR(os.fstat(descriptor).st_mode)))
    begun(ledger)
    assert folders == [False, True, False]


def test_another_ledger_of_the_same_folder_goes_on_where_the_first_ended(ledger: Ledger, tmp_path: Path) -> None:
    made(ledger, AFTER_THE_SEED)
    assert counted(Ledger(tmp_path / "attempts")) == 1


def test_nobody_else_can_open_it_and_what_others_could_have_changed_is_refused(ledger: Ledger, tmp_path: Path) -> None:
    made(ledger, AFTER_THE_SEED)
    folder = tmp_path / "attempts"
    assert (folder.stat().st_mode & 0o777, (folder / FILE_NAME).stat().st_mode & 0o777) == (0o700, 0o600)
    for path, mode, closed in ((folder / FILE_NAME, 0o666, 0o600), (folder, 0o755, 0o700)):
        path.chmod(mode)
        with pytest.raises(MachineError, match="open to others"):
            begun(ledger)
        path.chmod(closed)
    begun(ledger)


@pytest.mark.parametrize(
    "line",
    [
        pytest.param(b"{}", id="not-an-event"),
        pytest.param(b'{"event":{"kind":"ended"', id="cut-off"),
        pytest.param(b'{"event":{"kind":"removed","attempt":"x"}}', id="an-unknown-event"),
        pytest.param(b"\xff", id="not-text"),
    ],
)
def test_without_a_whole_record_no_attempt_is_made(ledger: Ledger, tmp_path: Path, line: bytes) -> None:
    made(ledger, AFTER_THE_SEED)
    file = tmp_path / "attempts" / FILE_NAME
    file.write_bytes(file.read_bytes() + line + b"\n")
    with pytest.raises(MachineError, match=rf"{FILE_NAME}:4: .*move the file away"):
        begun(ledger)


def test_without_a_place_to_record_it_no_attempt_is_made(tmp_path: Path) -> None:
    (tmp_path / "attempts").write_text("a file, not a folder")
    with pytest.raises(MachineError, match="attempts"):
        begun(Ledger(tmp_path / "attempts"))


def test_a_record_only_grows(ledger: Ledger, tmp_path: Path) -> None:
    made(ledger, AFTER_THE_SEED)
    before = (tmp_path / "attempts" / FILE_NAME).read_bytes()
    made(ledger, BEFORE_THE_SEED)
    assert (tmp_path / "attempts" / FILE_NAME).read_bytes().startswith(before)
