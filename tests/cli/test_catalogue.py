"""`gpuaudit catalogue`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from gpuaudit.catalogue.compiled import load_catalogue
from gpuaudit.cli.exits import Exit
from tests.cli.conftest import Gpuaudit

_CAPTURES = Path(__file__).parents[2].parent / "shared" / "captures"
_CAPTURE = """<?xml version="1.0" ?>
<!DOCTYPE nvidia_smi_log SYSTEM "nvsmi_device_v12.dtd">
<nvidia_smi_log><driver_version>550.54.15</driver_version><attached_gpus>1</attached_gpus>
<gpu id="00000000:04:00.0"><product_name>NVIDIA A800-SXM4-80GB</product_name></gpu></nvidia_smi_log>
"""


def test_the_list_has_every_product(gpuaudit: Gpuaudit) -> None:
    ran = gpuaudit("catalogue", "list")
    ids = [product.id for product in load_catalogue().products]
    assert (ran.code, ran.err) == (Exit.DONE, "")
    assert [line.split()[0] for line in ran.out.splitlines()[1:]] == ids
    told = json.loads(gpuaudit("catalogue", "list", "--format", "json").out)
    assert told["version"] == load_catalogue().version
    assert [one["id"] for one in told["products"]] == ids


def test_show_names_spans_in_units_and_their_sources(gpuaudit: Gpuaudit) -> None:
    out = gpuaudit("catalogue", "show", "a100-sxm4-80gb").out
    for part in (
        "memory total: 81251 MiB to 81920 MiB",
        "power limit default: 275 W to 500 W",
        "fp64 dense peak: 9.7 TFLOP/s to 19.5 TFLOP/s",
        "nvlink bidirectional: 600 GB/s",
        "pci subsystem ids: 10de:1463, 10de:147f",
        "driver-table: NVIDIA/open-gpu-kernel-modules",
    ):
        assert part in out


def test_show_says_what_excludes_nothing(gpuaudit: Gpuaudit) -> None:
    out = gpuaudit("catalogue", "show", "h800-sxm5").out
    assert "nvlink count: 8 (unverified: excludes nothing)" in out
    assert "sm count: 132\n" in out


@pytest.mark.parametrize(
    "product_id", [pytest.param(product.id, id=product.id) for product in load_catalogue().products if product.notes]
)
def test_notes_are_shown(gpuaudit: Gpuaudit, product_id: str) -> None:
    ran = gpuaudit("catalogue", "show", product_id)
    assert ran.code == Exit.DONE
    assert f"note: {load_catalogue().product(product_id).notes[0]}" in ran.out


def test_a_product_that_is_not_there_is_a_mistake(gpuaudit: Gpuaudit) -> None:
    ran = gpuaudit("catalogue", "show", "rtx-3080")
    assert (ran.code, ran.out) == (Exit.USAGE, "")
    assert "see gpuaudit catalogue list" in ran.err


def test_a_name_is_identified(gpuaudit: Gpuaudit) -> None:
    assert (
        "identified: A100 SXM4 80GB (a100-sxm4-80gb)"
        in gpuaudit("catalogue", "identify", "--name", "NVIDIA A100-SXM4-80GB").out
    )
    assert "device 0: not in the catalogue\n" in gpuaudit("catalogue", "identify", "--name", "NVIDIA GeForce RTX 3080").out


def test_a_name_of_an_adversary_does_not_reach_the_terminal_raw(gpuaudit: Gpuaudit) -> None:
    out = gpuaudit("catalogue", "identify", "--name", "A100\x1b[31m\u202e").out
    assert "\x1b" not in out
    assert "\u202e" not in out


@pytest.mark.parametrize(
    "arguments", [pytest.param((), id="nothing"), pytest.param(("e.json", "--name", "A100"), id="evidence-and-a-name")]
)
def test_either_evidence_or_a_name(gpuaudit: Gpuaudit, arguments: tuple[str, ...]) -> None:
    assert gpuaudit("catalogue", "identify", *arguments).code == Exit.USAGE


def test_an_import_is_identified_and_marked_as_a_capture(gpuaudit: Gpuaudit, home: Path) -> None:
    (home / "smi.xml").write_text(_CAPTURE)
    gpuaudit("import", "smi.xml", "--out", "e.json")
    out = gpuaudit("catalogue", "identify", "e.json").out
    assert out.startswith("CAPTURE: ")
    assert "device 0: identified: A800 SXM4 80GB (a800-sxm4-80gb)" in out
    told = json.loads(gpuaudit("catalogue", "identify", "e.json", "--format", "json").out)
    assert (told["origin"], told["devices"][0]["named"]) == ("capture", ["a800-sxm4-80gb"])


@pytest.mark.skipif(not _CAPTURES.is_dir(), reason="the captures are not here")
def test_a_card_without_facts_is_not_guessed(gpuaudit: Gpuaudit) -> None:
    gpuaudit("import", _CAPTURES / "telegraf-rtx-3080-v13.xml", "--out", "e.json")
    out = gpuaudit("catalogue", "identify", "e.json").out
    assert "device 0: not in the catalogue\n" in out
    assert "name: NVIDIA GeForce RTX 3080: not in the catalogue" in out


def test_what_nobody_sealed_is_not_looked_at(gpuaudit: Gpuaudit, home: Path) -> None:
    (home / "e.json").write_text('{"nvml": {}}')
    assert gpuaudit("catalogue", "identify", "e.json").code == Exit.NOT_AUTHENTIC
