"""`gpuaudit challenge local --simulate`: the whole protocol without a GPU, and nothing that could be taken for one."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from gpuaudit.catalogue.compiled import load_catalogue
from gpuaudit.challenge.messages import DeviceKind
from gpuaudit.challenge.result import Place
from gpuaudit.cli.challenging import exit_of
from gpuaudit.cli.exits import Exit
from gpuaudit.simulated.profile import known_profiles
from tests.challenge.results import FAILED, full_size
from tests.cli.conftest import Gpuaudit

A100 = "a100-sxm4-80gb"


def challenged(gpuaudit: Gpuaudit, spec: str, *more: str, code: int) -> dict[str, Any]:
    ran = gpuaudit("challenge", "local", "--product", A100, "--simulate", spec, "--format", "json", *more)
    assert ran.code == code, ran.err
    result: dict[str, Any] = json.loads(ran.out)
    assert (result["device"], result["basis"], result["place"]) == ("simulated", "measured", "local")
    assert "simulated" in result["basisReason"]
    return result


def test_two_honest_cards_are_two_by_capacity_and_take_as_long_as_real_ones(gpuaudit: Gpuaudit) -> None:
    result = challenged(gpuaudit, f"{A100}:2", code=13)
    floors, times = result["conclusion"]["floors"], result["attempts"][0]["outcome"]["timing"]["times"]
    assert floors["cards"] == 2
    assert 9 < times["fillSeconds"] < 11
    assert 4 < times["walkSeconds"] < 6
    assert 0.02 < floors["elsewhere"] < 0.03
    rivals = {one["product"]: one["cards"] for one in result["conclusion"]["rivals"]}
    assert (rivals["a800-sxm4-80gb"], rivals["a100-sxm4-40gb"], rivals["rtx-pro-6000-server"]) == (1, 4, 1)
    assert "l40s" not in rivals
    assert "rtx-4090" not in rivals


@pytest.mark.parametrize(
    ("spec", "slots", "words"),
    [
        pytest.param("a100-sxm4-40gb:1", 1, "out of memory", id="half-the-memory"),
        pytest.param("rtx-4090:1", 1, "out of memory", id="a-consumer-card"),
        pytest.param(f"{A100}:1", 2, "1 slots were offered, expected 2", id="a-card-too-few"),
        pytest.param(f"{A100}:1,t4:1", 2, "out of memory", id="one-of-two-is-another"),
    ],
)
def test_lesser_cards_prove_nothing(gpuaudit: Gpuaudit, spec: str, slots: int, words: str) -> None:
    result = challenged(gpuaudit, spec, "--slots", str(slots), code=11)
    assert result["conclusion"]["kind"] == "not-proved"
    assert words in result["conclusion"]["reason"]


def test_a_slower_card_of_the_same_memory_gets_the_floors_that_it_has(gpuaudit: Gpuaudit) -> None:
    genuine, slower = (challenged(gpuaudit, one, code=13)["conclusion"]["floors"] for one in (A100, "a100-pcie-80gb"))
    assert slower["lookupBytesPerSecond"] < genuine["lookupBytesPerSecond"]


@pytest.mark.parametrize("command", ["local", "recheck"])
def test_it_is_headed_simulated_wherever_it_is_shown(gpuaudit: Gpuaudit, command: str) -> None:
    ran = gpuaudit("challenge", "local", "--product", A100, "--simulate", A100, "--out", "proof")
    assert ran.code == 13
    if command == "recheck":
        ran = gpuaudit("challenge", "recheck", "proof/challenge.json")
        assert ran.code == 0, ran.err
    assert ran.out.startswith("SIMULATED: this says nothing about any real machine")


def test_whoever_allows_it_gets_0(gpuaudit: Gpuaudit) -> None:
    challenged(gpuaudit, A100, "--allow-simulated", code=0)


@pytest.mark.parametrize("place", list(Place))
def test_a_simulation_that_holds_has_its_own_status_wherever_the_clock_was(place: Place) -> None:
    held = full_size(place=place, device=DeviceKind.SIMULATED)
    assert exit_of(held, allow_simulated=False) is Exit.SIMULATED
    assert exit_of(held, allow_simulated=True) is Exit.DONE
    assert exit_of(full_size(place=place), allow_simulated=False) is Exit.DONE
    failed = full_size(place=place, device=DeviceKind.SIMULATED, outcome=FAILED)
    assert exit_of(failed, allow_simulated=True) is Exit.INCONCLUSIVE


def test_an_appraisal_of_it_is_not_challenged(gpuaudit: Gpuaudit, home: Path) -> None:
    claim = ("--tender", "sustech-2024")
    ran = gpuaudit("challenge", "local", *claim, "--product", A100, "--simulate", f"{A100}:8", "--out", "proof")
    assert ran.code == 13, ran.err
    files = ("proof/evidence.json", "--challenge", "proof/challenge.json")
    result = json.loads(gpuaudit("appraise", *files, *claim, "--format", "json").out)
    assert result["byBasis"]["challenged"] == "inconclusive"
    assert result["accepted"] is False
    assert any("the devices are simulated" in notice for notice in result["notices"])
    payload = json.loads((home / "proof" / "evidence.json").read_bytes())["payload"]
    assert json.loads(base64.b64decode(payload))["predicate"]["origin"] == "simulated"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        pytest.param(("--product", A100, "--simulate", "a101"), "no profile", id="no-such-profile"),
        pytest.param(("--simulate", A100), "nothing is claimed", id="nothing-claimed"),
        pytest.param(("--product", A100, "--simulate", A100, "--rehearsal"), "--rehearsal", id="a-rehearsal"),
    ],
)
def test_what_cannot_be_simulated_is_one_line(gpuaudit: Gpuaudit, arguments: tuple[str, ...], words: str) -> None:
    ran = gpuaudit("challenge", "local", *arguments)
    assert ran.code == 2
    assert words in ran.err
    assert "Traceback" not in ran.err


def test_every_profile_can_be_challenged() -> None:
    assert set(known_profiles()) <= {product.id for product in load_catalogue().products}
