"""Simulated fleets: from one seed, each node a machine of its own, the bad ones as told."""

from __future__ import annotations

import pytest

from gpuaudit.errors import AuthenticityError, UsageError
from gpuaudit.fleet.nonces import node_nonce, require_answer
from gpuaudit.fleet.simulate import Fault, parse_fault, simulated_fleet


def test_a_seed_gives_the_same_fleet_and_another_another() -> None:
    assert simulated_fleet("t4:1", 20, seed=7) == simulated_fleet("t4:1", 20, seed=7)
    seeds = [node.seed for seed in range(5) for node in simulated_fleet("t4:1", 20, seed=seed)]
    assert len(frozenset(seeds)) == 100


def test_so_many_are_bad_as_was_told() -> None:
    faults = (parse_fault("3:adversary=renamed-as=a100-sxm4-80gb,ids"), parse_fault("2:spec=a800-sxm4-80gb:8"))
    fleet = simulated_fleet("a100-sxm4-80gb:8", 50, seed=7, faults=faults)
    assert sum(node.adversary == "renamed-as=a100-sxm4-80gb,ids" for node in fleet) == 3
    assert sum(node.spec == "a800-sxm4-80gb:8" for node in fleet) == 2
    honest = simulated_fleet("a100-sxm4-80gb:8", 50, seed=7)
    assert sum(one != other for one, other in zip(fleet, honest, strict=True)) == 5


def test_what_is_bad_is_read() -> None:
    assert parse_fault("12:spec=t4:1") == Fault(count=12, adversary="", spec="t4:1")


@pytest.mark.parametrize(
    "text", ["", "3", "0:spec=t4:1", "x:spec=t4:1", "1:spec=", "1:spec=t5:1", "1:adversary=nobody", "1:other=x", "-1:spec=t4"]
)
def test_what_cannot_be_played_is_refused(text: str) -> None:
    with pytest.raises(UsageError):
        parse_fault(text)


def test_nodes_answer_nonces_of_their_own() -> None:
    own = node_nonce("ab" * 32, "node-000")
    # printf '%s %s' "$NONCE" node-000 | sha256sum
    assert own == "355051a56c757dd19c50fc0bb2665bc210fb2c17d401929dea3ad54bc7c01a11"
    require_answer(own, "ab" * 32, "node-000")
    require_answer("anything", "", "node-000")
    with pytest.raises(AuthenticityError, match="replay"):
        require_answer(own, "ab" * 32, "node-001")
