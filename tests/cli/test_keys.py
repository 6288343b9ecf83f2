"""`gpuaudit keys`."""

from __future__ import annotations

import json
from pathlib import Path

from gpuaudit.cli.exits import Exit
from tests.cli.conftest import Gpuaudit


def test_a_key_is_made_shown_and_sent(gpuaudit: Gpuaudit, tmp_path: Path) -> None:
    assert "make one with" in gpuaudit("keys", "show").err
    made = gpuaudit("keys", "new")
    keyid, place = made.out.split()
    assert place == str(tmp_path / "config" / "gpuaudit" / "keys" / "default.pem")
    assert keyid in gpuaudit("keys", "show").out
    sent = gpuaudit("keys", "show", "--pem").out
    (told,) = json.loads(gpuaudit("keys", "show", "--format", "json").out)
    assert (told["keyid"], told["pem"]) == (keyid, sent)
    assert "PRIVATE" not in sent


def test_a_taken_name_is_refused(gpuaudit: Gpuaudit) -> None:
    assert gpuaudit("keys", "new", "--name", "a", "--kind", "ecdsa-p256").code == Exit.DONE
    assert gpuaudit("keys", "new", "--name", "a").code == Exit.USAGE


def test_an_open_folder_is_the_machines_fault(gpuaudit: Gpuaudit, tmp_path: Path) -> None:
    gpuaudit("keys", "new")
    (tmp_path / "config" / "gpuaudit" / "keys").chmod(0o755)
    for command in (("keys", "show"), ("keys", "new", "--name", "b"), ("verify", __file__)):
        ran = gpuaudit(*command)
        assert (ran.code, "open to others" in ran.err) == (Exit.MACHINE, True)


def test_keys_without_a_key_prints_nothing_on_stdout(gpuaudit: Gpuaudit) -> None:
    ran = gpuaudit("keys", "show", "--pem")
    assert (ran.code, ran.out) == (Exit.DONE, "")
