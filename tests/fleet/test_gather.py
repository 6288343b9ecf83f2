"""A folder as it comes: with files that are broken, foreign, cut short, enormous, or not files at all."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from securesystemslib.dsse import Envelope
from securesystemslib.signer import CryptoSigner

from gpuaudit.appraisal.appraise import Question
from gpuaudit.appraisal.policy import load_policy
from gpuaudit.appraisal.result import Digest, Verdict
from gpuaudit.appraisal.threshold import load_thresholds
from gpuaudit.envelope.keys import public_pem
from gpuaudit.envelope.keystore import KeyStore
from gpuaudit.errors import UsageError
from gpuaudit.fleet.aggregate import NoPlan, fold_fleet
from gpuaudit.fleet.folder import read_folder
from gpuaudit.fleet.gather import Hearing, Listeners, LocalListeners, gather
from gpuaudit.fleet.result import FleetResult, dump_fleet_result
from gpuaudit.fleet.trust import trust_keyring
from gpuaudit.tender.parse import load_tender
from tests.fleet.fleets import A100, cast, lay, link, name, put


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("store")
    lay(folder, A100, range(30))
    return folder


@pytest.fixture
def fleet(store: Path, tmp_path: Path) -> Path:
    link(store, tmp_path / "fleet", range(4))
    return tmp_path / "fleet"


HERE = LocalListeners(workers=1)


def result_of(folder: Path, *, listeners: Listeners = HERE, tender: str = "china-coal-2024") -> FleetResult:
    loaded = load_tender(tender)
    question = Question(
        tender=loaded.tender,
        tender_file=Digest(name=loaded.tender.slug, sha256=loaded.sha256),
        policy=load_policy("standard"),
        thresholds_sha256=load_thresholds().sha256,
        allow_simulated=True,
    )
    trust = trust_keyring(KeyStore(folder=folder / "no-keys-of-ones-own"), [folder / "keys"])
    hearing = Hearing(question=question, trust=trust, nonce="", appraised_at="2026-11-23T12:00:00Z")
    assembly = gather(read_folder(folder), hearing, NoPlan(), listeners)
    return fold_fleet(assembly, question, catalogue_version="test", appraised_at=hearing.appraised_at)


def corrupt(folder: Path) -> None:
    data = bytearray((folder / "node-000.json").read_bytes())
    data[len(data) // 2] ^= 1
    (folder / "odd.json").write_bytes(data)


def foreign(folder: Path) -> None:
    put(folder, "odd", cast(A100, 77), nonce=77)
    (folder / "keys" / "odd.pub").unlink()


def truncated(folder: Path) -> None:
    data = (folder / "node-000.json").read_bytes()
    (folder / "odd.json").write_bytes(data[: len(data) // 2])


def gigabyte(folder: Path) -> None:
    with (folder / "odd.json").open("wb") as file:
        file.truncate(2**30)


def not_evidence(folder: Path) -> None:
    (folder / "odd").write_text("shopping list\n")


def a_pipe(folder: Path) -> None:
    os.mkfifo(folder / "odd.json")


def a_dangling_link(folder: Path) -> None:
    (folder / "odd.json").symlink_to(folder / "nowhere")


def nothing_in_it(folder: Path) -> None:
    (folder / "odd.json").touch()


@pytest.mark.parametrize(
    ("spoil", "state", "reason"),
    [
        pytest.param(corrupt, "not-authentic", "changed after they were signed", id="corrupt"),
        pytest.param(foreign, "unknown-key", "no trusted key signed this", id="foreign"),
        pytest.param(truncated, "not-authentic", "not strict JSON", id="truncated"),
        pytest.param(gigabyte, "not-authentic", "too large: got 1073741824 bytes", id="one-gigabyte"),
        pytest.param(not_evidence, "not-authentic", "not strict JSON", id="not-evidence"),
        pytest.param(a_pipe, "not-authentic", "not a regular file", id="pipe"),
        pytest.param(a_dangling_link, "unreadable", "no such file", id="dangling-link"),
        pytest.param(nothing_in_it, "not-authentic", "not strict JSON", id="empty"),
    ],
)
def test_a_file_that_is_no_evidence_is_a_row_and_the_rest_is_appraised(
    spoil: object, state: str, reason: str, fleet: Path
) -> None:
    spoil(fleet)  # type: ignore[operator]
    result = result_of(fleet)
    row = next(row for row in result.rows if row.node == "odd")
    assert row.state == state
    assert reason in row.reason
    assert str(fleet) not in row.reason
    assert result.verdict is Verdict.CONFIRMED
    assert [one.state for one in result.rows if one.node != "odd"] == ["appraised"] * 4


def test_all_of_them_at_once(fleet: Path) -> None:
    for number, spoil in enumerate((corrupt, foreign, truncated, gigabyte)):
        spoil(fleet)
        (fleet / "odd.json").rename(fleet / f"odd-{number}.json")
    result = result_of(fleet)
    assert [row.state for row in result.rows].count("appraised") == 4
    assert len({row.reason for row in result.rows if row.state != "appraised"}) == 4


def test_folders_of_nodes_are_read_as_launchers_leave_them(store: Path, tmp_path: Path) -> None:
    (tmp_path / "node-007").mkdir()
    (tmp_path / "node-007" / "evidence.json").hardlink_to(store / "node-007.json")
    (tmp_path / "node-007" / "result.json").write_text("{}")
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "node-007.pub").hardlink_to(store / "keys" / "node-007.pub")
    (row,) = result_of(tmp_path).rows
    assert (row.node, row.file.name, row.state) == ("node-007", "node-007/evidence.json", "appraised")


def test_a_node_that_failed_is_a_row_until_it_has_evidence(fleet: Path) -> None:
    (fleet / "lost.failed").write_text('{"node":"lost","attempts":2,"reason":"it gave no answer in time"}')
    (fleet / "node-001.failed").write_text("of an earlier run")
    rows = {row.node: row for row in result_of(fleet).rows}
    assert rows["lost"].state == "failed"
    assert "no answer in time" in rows["lost"].reason
    assert rows["node-001"].state == "appraised"
    assert len(rows) == 5


def test_a_name_that_is_no_text_is_shown_by_its_bytes(store: Path, tmp_path: Path) -> None:
    """File systems take any bytes for a name, and a result must be writable all the same."""
    link(store, tmp_path, range(2))
    (tmp_path / "node-001.json").rename(tmp_path / os.fsdecode(b"node-\xff.json"))
    result = result_of(tmp_path)
    assert [(row.node, row.state) for row in result.rows] == [("node-000", "appraised"), ("node-\\udcff", "appraised")]
    assert b"udcff" in dump_fleet_result(result)


def test_each_file_is_opened_by_the_key_that_it_names(fleet: Path) -> None:
    rows = result_of(fleet).rows
    assert [len(row.signed_by) for row in rows] == [1] * 4
    assert len({row.signed_by for row in rows}) == 4


def test_all_trusted_keys_that_signed_a_file_are_named(fleet: Path) -> None:
    """A second signature by another key of the keyring, and a third by a stranger."""
    file = fleet / "node-000.json"
    envelope = Envelope.from_dict(json.loads(file.read_bytes()))
    for trusted in (True, False):
        signer = CryptoSigner.generate_ed25519()
        envelope.sign(signer)
        if trusted:
            (fleet / "keys" / "second.pub").write_bytes(public_pem(signer.public_key))
    file.write_bytes(json.dumps(envelope.to_dict(), separators=(",", ":")).encode() + b"\n")
    row = next(row for row in result_of(fleet).rows if row.node == "node-000")
    assert (row.state, row.signed_by) == ("appraised", tuple(envelope.signatures)[:2])


def test_processes_come_to_the_same_result_as_one(store: Path) -> None:
    (store / "broken.json").write_text("{")
    assert result_of(store, listeners=LocalListeners(workers=2)) == result_of(store)


def test_what_a_machine_says_of_itself_cannot_reach_the_terminal(fleet: Path) -> None:
    put(fleet, "loud", cast(A100, 50).replace(b"host-000", b"h\\u001b]52"), nonce=50)
    assert all(text.isprintable() for row in result_of(fleet).rows for text in (row.host_name, row.reason, row.devices))


def test_a_slow_card_stands_out_in_its_fleet(store: Path, tmp_path: Path) -> None:
    link(store, tmp_path, range(3))
    result = result_of(tmp_path)
    counts = {(one.quantity, one.count) for one in result.distributions}
    assert {("copy", 24), ("gemm-bf16", 24), ("slowest peer", 24)} <= counts


@pytest.mark.parametrize("make", [lambda folder: None, lambda folder: folder.mkdir(), lambda folder: folder.touch()])
def test_a_folder_without_evidence_is_refused(make: object, tmp_path: Path) -> None:
    make(tmp_path / "fleet")  # type: ignore[operator]
    with pytest.raises(UsageError, match="expected"):
        read_folder(tmp_path / "fleet")


def test_names_are_numbers_as_text() -> None:
    assert name(7) == "node-007"
